"""Base images: which of them a model can run on, and how their Python is found."""

import pytest

from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.domain.errors import BaseUnfit, ToolMissing
from tests.contract.image_workshop import base, build, plan, store, wheels, workshop
from tests.images import tar_of, unpacked, write_layout, write_small_base

__all__ = ["base", "plan", "store", "wheels", "workshop"]


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ({"python": "3.13.5"}, r"has Python 3\.13\.5, and the notebook ran on Python 3\.11", "bookworm has 3.11"),
        ({"architecture": "s390x"}, "is for linux/s390x, and the notebook ran on linux/", "set base_image"),
        ({"glibc": ""}, "another C library than glibc", "Debian or Ubuntu"),
        ({"glibc": "2.12"}, r"glibc 2\.12 is too old", "newer base"),
    ],
)
@pytest.mark.usefixtures("wheels")
def test_a_base_that_the_model_cannot_live_on_is_refused(store, plan, options, message, remedy):
    unfit = write_small_base(store.folder.parent / "unfit", **options)
    with pytest.raises(BaseUnfit, match=message) as refused:
        build(store, plan(base=unfit))
    assert remedy in refused.value.remedy
    assert store.images() == []


def test_a_base_without_python_is_refused(store, plan, wheels, tmp_path):
    with pytest.raises(BaseUnfit, match="has no Python"):
        build(store, plan(base=write_layout(tmp_path / "bare", [tar_of({"etc/motd": b""})])))


def test_a_python_that_a_later_layer_removes_is_not_there(store, plan, wheels, tmp_path):
    lower = tar_of({"usr/bin/python3.11": b"\x003.11.2\x00", "lib/libc.so.6": b"stable release version 2.36"})
    upper = tar_of({"usr/bin/.wh.python3.11": b"", "usr/bin/python3.12": b"\x003.12.1\x00"})
    with pytest.raises(BaseUnfit, match=r"has Python 3\.12\.1, and"):
        build(store, plan(base=write_layout(tmp_path / "other", [lower, upper])))


def test_the_python_that_is_first_on_the_path_is_taken(store, plan, wheels, tmp_path):
    files = {f"usr/{where}bin/python3.11": f"\x003.11.{n}\x00".encode() for n, where in ((2, ""), (9, "local/"))}
    layers = [tar_of(files | {"lib/libc.so.6": b"stable release version 2.36"})]
    image = build(store, plan(base=write_layout(tmp_path / "two", layers)))
    assert unpacked(store, image)[0]["opt/nbdeploy/venv/bin/python"][0].linkname == "/usr/local/bin/python3.11"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("oci:/nowhere:base", "/nowhere is no image layout"),
        ("oci-archive:/nowhere.tar", "is not there: No such file"),
        ("debian:bookworm", "'debian:bookworm' is no base image"),
        ("docker://localhost:1/debian:bookworm", "is not pinned by its digest"),
        (f"docker://localhost:1/debian@sha256:{'0' * 64}", "cannot be fetched"),
    ],
)
def test_a_base_that_is_not_there_is_refused_before_slow_work(store, plan, wheels, base, message):
    with pytest.raises(BaseUnfit, match=message):
        DaemonlessBuilder(store).check(plan(base=base))
    assert not store.folder.exists()


def test_the_tags_that_are_there_are_named(store, plan, wheels, tmp_path, base):
    with pytest.raises(BaseUnfit, match=r"/base has base\n"):
        DaemonlessBuilder(store).check(plan(base=f"oci:{tmp_path}/base:trixie"))


def test_a_base_is_brought_once(store, plan, wheels, tmp_path, monkeypatch):
    build(store, plan())
    monkeypatch.setenv("PATH", str(tmp_path))  # no skopeo any more
    assert build(store, plan("code"))
    with pytest.raises(ToolMissing, match="'skopeo' is not installed") as missing:
        build(store, plan(base=write_small_base(tmp_path / "new", "3.11.4")))
    assert "apt-get install skopeo" in missing.value.remedy
