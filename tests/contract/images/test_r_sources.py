"""Packages of R from a mirror in CRAN's layout: which are chosen and in which order, and what is refused."""

import hashlib
import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jupyter_deploy.container_images import r_library
from jupyter_deploy.container_images.cran_mirror import CranMirror
from jupyter_deploy.container_images.r_library import Lacking, choose
from jupyter_deploy.domain.errors import BaseUnfit, ImageNotBuilt, InvalidInput, ToolMissing
from jupyter_deploy.settings import Settings
from jupyter_deploy.wiring.images import ImageParts


def put(mirror, name, version="1.0.0", *, at="", listed=True, compiled="no", text=""):
    """Put an archive of a DESCRIPTION into a mirror, and a paragraph into its index."""
    contrib = mirror / "src" / "contrib"
    (contrib / at).mkdir(parents=True, exist_ok=True)
    content = f"Package: {name}\nVersion: {version}\nNeedsCompilation: {compiled}\n{text}".encode()
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        about = tarfile.TarInfo(f"{name}/DESCRIPTION")
        about.size = len(content)
        tar.addfile(about, io.BytesIO(content))
    file = contrib / at / f"{name}_{version}.tar.gz"
    file.write_bytes(written.getvalue())
    with (contrib / "PACKAGES").open("a") as index:
        if listed:
            digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            index.write(f"Package: {name}\nVersion: {version}\nMD5sum: {digest}\n\n")
    return file


@pytest.fixture
def chosen(tmp_path):
    """What is chosen from the mirror; ``debian`` has packages of the distribution."""

    def choose_from(*lacking, location=tmp_path, debian=(), locked=()):
        def packaged(names):
            return {name: f"r-cran-{name.lower()}" for name in names if name in debian}

        sought = [Lacking(name, version, "Debian has no package of it", *more) for name, version, *more in lacking]
        return choose(sought, locked, packaged, CranMirror(str(location)), tmp_path / "archives")

    return choose_from


def test_a_package_comes_after_those_that_it_needs_and_debian_has_the_others(chosen, tmp_path):
    put(tmp_path, "adding", text="Imports: doubling (>= 1.0), methods,\n  MASS\nLinkingTo: Rcpp\nDepends: R (>= 3.5)\n")
    archive = put(tmp_path, "doubling", "1.0-2")
    found = chosen(("adding", "1.0.0"), debian=("MASS", "Rcpp"))
    assert [(one.name, one.version) for one in found.sources] == [("doubling", "1.0-2"), ("adding", "1.0.0")]
    assert (found.runtime, found.headers) == (["r-cran-mass"], ["r-cran-rcpp"])
    assert found.sources[0].digest == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert found.tools(["gcc-14"]) == [*r_library.TOOLS, "r-cran-rcpp"], "nothing is to be compiled"


def test_an_older_version_is_in_the_archive(chosen, tmp_path):
    put(tmp_path, "adding", "2.0.0")
    put(tmp_path, "adding", "1.0.0", at="Archive/adding", listed=False)
    assert [one.version for one in chosen(("adding", "1.0.0")).sources] == ["1.0.0"]


def test_another_archive_of_the_same_version_is_refused_and_an_unknown_one_is_not(chosen, tmp_path):
    put(tmp_path, "adding", text="Packaged: 2026-02-02 02:02:02 UTC; ada\n")
    put(tmp_path, "plain")
    with pytest.raises(BaseUnfit, match=r"adding 1\.0\.0: installed from the archive of 2026-01-01 .*; bob") as caught:
        chosen(("adding", "1.0.0", "2026-01-01 01:01:01 UTC; bob"), ("plain", "1.0.0", "2026-01-01 01:01:01 UTC; bob"))
    assert "has the archive of 2026-02-02 02:02:02 UTC; ada" in caught.value.message
    assert "plain" not in caught.value.message
    assert "install.packages" in caught.value.remedy
    for packaged in ("", "2026-02-02 02:02:02 UTC; ada"):
        for archive in (tmp_path / "archives").iterdir():
            archive.unlink()
        (tmp_path / "archives").rmdir()
        assert [one.name for one in chosen(("adding", "1.0.0", packaged)).sources] == ["adding"]


def test_a_package_with_code_needs_compilers(chosen, tmp_path):
    put(tmp_path, "adding", compiled="yes")
    assert {r_library.HEADERS, "gcc-14"} < set(chosen(("adding", "1.0.0")).tools(["gcc-14"]))


def test_all_that_are_in_no_source_are_named_with_the_versions_that_are_there(chosen, tmp_path):
    put(tmp_path, "adding", "2.0.0", text="")
    put(tmp_path, "needy", text="Imports: absent\n")
    with pytest.raises(BaseUnfit) as caught:
        chosen(("adding", "1.0.0"), ("nosuch", "3.1"), ("needy", "1.0.0"))
    message = caught.value.message
    assert f"adding 1.0.0: Debian has no package of it, and {tmp_path} has 2.0.0" in message
    assert f"nosuch 3.1: Debian has no package of it, and {tmp_path} has none either" in message
    assert f"absent: needy needs it, the distribution has no package of it, and {tmp_path} has none" in message
    assert "tools::write_PACKAGES" in caught.value.remedy


def test_a_folder_without_an_index_is_refused_with_the_line_that_writes_it(chosen, tmp_path):
    with pytest.raises(InvalidInput, match="has no src/contrib/PACKAGES") as caught:
        chosen(("adding", "1.0.0"))
    assert "tools::write_PACKAGES" in caught.value.remedy


def test_a_damaged_archive_and_one_of_another_package_are_refused(chosen, tmp_path):
    file = put(tmp_path, "adding")
    put(tmp_path, "other", at="Archive/third", listed=False).rename(
        tmp_path / "src" / "contrib" / "Archive" / "third" / "third_1.0.0.tar.gz"
    )
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(InvalidInput, match=r"adding_1\.0\.0\.tar\.gz .* has another MD5"):
        chosen(("adding", "1.0.0"))
    (tmp_path / "archives").rmdir()
    with pytest.raises(InvalidInput, match=r"third_1\.0\.0\.tar\.gz .* is not the source of third 1\.0\.0"):
        chosen(("third", "1.0.0"))


@pytest.mark.parametrize(("name", "version"), [("../../adding", "1.0.0"), ("adding", "../1.0.0")])
def test_no_name_leads_out_of_the_mirror(chosen, tmp_path, name, version):
    put(tmp_path, "adding")
    with pytest.raises(BaseUnfit, match="in no source"):
        chosen((name, version))


def test_a_mirror_at_an_address_is_asked_for_the_same_files(chosen, tmp_path):
    put(tmp_path, "adding")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert [one.name for one in chosen(("adding", "1.0.0"), location=address).sources] == ["adding"]
        (tmp_path / "archives" / "adding_1.0.0.tar.gz").unlink()
        (tmp_path / "archives").rmdir()
        with pytest.raises(BaseUnfit, match=r"adding 9\.0: .* has 1\.0\.0"):
            chosen(("adding", "9.0"), location=address)
        server.shutdown()
    (tmp_path / "archives").rmdir()
    with pytest.raises(ImageNotBuilt, match="does not answer"):
        chosen(("adding", "1.0.0"), location=address)


@pytest.mark.parametrize("mirror", ["http://cran.example", "ftp://cran.example/x", "file:///srv/cran", "https://"])
def test_an_address_that_others_could_answer_is_no_setting(mirror):
    with pytest.raises(ValueError, match="is no mirror of R's packages"):
        Settings(cran_mirror=mirror)


def test_a_folder_is_relative_to_the_folder_of_the_settings(tmp_path):
    put(tmp_path / "cran", "adding")
    for kind in ("daemonless", "engine"):
        parts = ImageParts(Settings(cran_mirror="cran/"), tmp_path / "images", tmp_path, lambda: None)
        assert parts.builder(kind)._mirror.offered("adding") == ["1.0.0"]


def test_without_an_engine_the_refusal_says_what_it_is_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="built from source in a container, and no container engine") as caught:
        r_library.require_engine()
    assert "leave out --builder" not in caught.value.remedy
