"""The packages of R for an image: those that do not fit the base are refused by name, before anything is downloaded."""

import json
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_deploy.container_images import debian_packages
from jupyter_deploy.container_images.base_image import base_source, fetch_base
from jupyter_deploy.container_images.debian_packages import Apt, Archive, archives_in
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.container_images.r_layer import r_packages
from jupyter_deploy.domain.errors import BaseUnfit
from jupyter_deploy.environments.r_lock import r_lock
from tests.images import tar_of, write_layout
from tests.manifests import snapshot

HERE = platform.freedesktop_os_release()
STATUS = "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 99\nMaintainer: Ada\n"
PYTHON = {"usr/bin/python3.11": b"ELF\x003.11.2\x00", "usr/lib/libc.so.6": b"stable release version 2.36"}


def base_of(folder, release=HERE, status=STATUS):
    """A base that cannot run, of a distribution's release."""
    text = "".join(f'{name}="{value}"\n' for name, value in release.items())
    notes = {"var/lib/dpkg/status": status, "usr/lib/os-release": text} if status else {"usr/lib/os-release": text}
    return write_layout(folder, [tar_of(PYTHON | {name: content.encode() for name, content in notes.items()})])


def captured(folder, version, packages):
    """A snapshot with a lock of R."""
    folder.mkdir(parents=True)
    about = {name: {"version": one, "source": "Debian"} for name, one in packages.items()}
    (folder / "model.r.json").write_text(json.dumps({"r": {"version": version, "packages": about}}))
    made = snapshot("cars:1a2b3c", formats={"model.rds": "r", "model.r.json": "r"})
    environment = made.manifest.environment.model_copy(update={"python": "3.11.7", "platform": "linux-x86_64"})
    manifest = made.manifest.model_copy(update={"environment": environment})
    return made.model_copy(update={"path": str(folder), "manifest": manifest})


@pytest.fixture
def found(tmp_path):
    """What ``r_packages`` finds for a lock and a base."""

    def find(version, base=None, **packages):
        one, store = captured(tmp_path / "snapshot", version, packages), ImageFolder(tmp_path / "images")
        source = base_source(base or base_of(tmp_path / "base"), one.manifest.environment)
        with store.writing() as writing:
            held = fetch_base(source, store, writing, one.manifest.environment)
            return r_packages(SimpleNamespace(snapshot=one), held, store, writing, lambda _: None, mirror=None)

    return find


@pytest.fixture
def offered(monkeypatch):
    """The versions that the base's release offers, in place of a look at its archive."""
    versions = {
        "r-base-core": "4.5.0-3",
        "r-cran-mass": "7.3-65-1",
        "r-cran-nlme": "3.1.168-1",
        "r-cran-mgcv": "1.9-3-1",
    }
    monkeypatch.setattr(debian_packages.Apt, "__init__", lambda *_, **__: None)
    monkeypatch.setattr(Apt, "versions", lambda _, names: {name: versions[name] for name in names if name in versions})
    monkeypatch.setattr(Apt, "lacking", lambda _, names: [SimpleNamespace(file=name, digest="") for name in names])
    return versions


def test_a_model_of_python_needs_none():
    assert r_lock(snapshot("cars:1a2b3c")) is None


def test_versions_of_debian_are_those_of_r(found, offered):
    made = found("4.5.2", MASS="7.3-65", nlme="3.1-168")
    assert [file for file, _ in made.made_of[-1]][:3] == ["r-base-core", "r-cran-mass", "r-cran-nlme"]
    assert made.title == f"R 4.5.2: {len(made.made_of[-1])} packages of {HERE['PRETTY_NAME']}"


def test_all_packages_that_do_not_fit_are_named(found, offered):
    with pytest.raises(BaseUnfit, match=r"MASS 7.3-60: .* has 7.3-65; nosuch 1.0: .* has no package of it") as caught:
        found("4.5.0", MASS="7.3-60", mgcv="1.9-3", nosuch="1.0")
    assert "mgcv" not in caught.value.message
    assert "apt-get install r-cran-mass" in caught.value.remedy
    assert "set cran_mirror" in caught.value.remedy


def test_another_minor_version_of_r_is_refused_with_that_of_the_base(found, offered):
    with pytest.raises(BaseUnfit, match=r"which has R 4\.5\.0, and the notebook ran on R 4\.2\.2") as caught:
        found("4.2.2")
    assert "whose R is 4.2" in caught.value.remedy


def test_a_base_of_another_distribution_is_refused(found, tmp_path):
    other = {"ID": "other", "PRETTY_NAME": "Other 1", "VERSION_CODENAME": "one"}
    with pytest.raises(BaseUnfit, match=r"is of Other 1, whose packages this machine, .* has no sources of"):
        found("4.5.0", base_of(tmp_path / "base", other))
    (tmp_path / "snapshot").rename(tmp_path / "before")
    with pytest.raises(BaseUnfit, match="is not of Debian or Ubuntu, and cars:1a2b3c needs R") as caught:
        found("4.5.0", base_of(tmp_path / "base", other, status=""))
    assert "python:3.11-slim" in caught.value.remedy


SOURCES = """\
Types: deb
URIs: http://archive.example/trixie
Suites: trixie trixie-updates
Signed-By: /usr/share/keyrings/trixie.gpg
deb [signed-by=/a/trixie.gpg] http://cran.example/debian trixie-cran40/
deb http://archive.example/trixie trixie main
"""


def test_sources_get_the_release_of_the_base_in_their_suites_alone():
    lines = debian_packages._of_release(SOURCES, "trixie", "bookworm").splitlines()
    assert lines[1:4] == [
        "URIs: http://archive.example/trixie",
        "Suites: bookworm bookworm-updates",
        "Signed-By: /usr/share/keyrings/trixie.gpg",
    ]
    assert lines[4:] == [
        "deb [signed-by=/a/trixie.gpg] http://cran.example/debian bookworm-cran40/",
        "deb http://archive.example/trixie bookworm main",
    ]


def test_an_archive_whose_hash_apt_does_not_print_is_known_by_its_name():
    printed = "'http://archive.example/z_1%2b2.deb' z_1+2_amd64.deb 304 \n'file:/a/y.deb' y_3_all.deb 10 SHA256:ab\n"
    assert archives_in(printed) == [
        Archive("y_3_all.deb", "file:/a/y.deb", "SHA256:ab"),
        Archive("z_1+2_amd64.deb", "http://archive.example/z_1%2b2.deb", ""),
    ]


def test_apt_finds_r_for_a_base_without_a_change_to_this_machine(found):
    here = Path("/var/lib/dpkg/status").read_bytes()
    with pytest.raises(BaseUnfit, match=r"which has R \d+\.\d+\.\d+, and the notebook ran on R 1\.0\.0"):
        found("1.0.0")
    assert Path("/var/lib/dpkg/status").read_bytes() == here
