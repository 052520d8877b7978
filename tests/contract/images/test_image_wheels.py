"""Wheels of an image: the layer of a lock, package indexes with a password, and distributions of this machine only."""

import http.server
import shutil
import stat
import sys
import threading
from functools import partial

import pytest

from jupyter_deploy.container_images import wheels as wheels_module
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.errors import ImageNotBuilt, InvalidInput
from jupyter_deploy.environments.module_origins import LocalDistribution
from tests.contract.image_workshop import Index, base, build, own_project, plan, store, wheels, workshop
from tests.contract.images.test_isolated import write_wheel
from tests.images import unpacked

pytestmark = pytest.mark.exhaustive

__all__ = ["base", "plan", "store", "wheels", "workshop"]


def test_the_layer_of_a_lock_is_made_once_and_without_its_blob_again(store, plan, wheels):
    first = build(store, plan())
    (wheels / "tiny_flower-1.0-py3-none-any.whl").rename(wheels.parent / "tiny_flower-1.0-py3-none-any.whl")
    told = []
    DaemonlessBuilder(store).build(plan("code"), told.append)
    assert "1 distributions: kept from an earlier build" in told
    store.blob(next(layer.digest for layer in first.layers if layer.kind == "dependencies")).unlink()
    with pytest.raises(ImageNotBuilt) as failed:
        build(store, plan())
    assert "tiny-flower==1.0" in failed.value.details
    assert "pip wheel" in failed.value.remedy


@pytest.fixture
def index(wheels, monkeypatch):
    (wheel,) = wheels.glob("*.whl")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, wheel))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_no_credential_and_nothing_of_this_machine_is_in_a_layer_or_the_store(
    store, plan, index, monkeypatch, tmp_path
):
    monkeypatch.setenv("PIP_INDEX_URL", f"http://ada:s3cret-of-ada@127.0.0.1:{index}/simple/")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    image = build(store, plan())
    found = unpacked(store, image)
    names = {name for layer in found for name in layer}
    assert "opt/nbdeploy/venv/lib/python3.11/site-packages/tiny_flower.py" in names
    assert not [name for name in names if name.endswith(("INSTALLER", "REQUESTED", "direct_url.json"))]
    for layer in found:
        for name, (_, content) in layer.items():
            assert b"s3cret-of-ada" not in content, name
            if not name.endswith("snapshot.json"):  # which says where it was captured, and has a digest
                assert str(tmp_path).encode() not in content, name
                assert sys.prefix.encode() not in content, name
    for path in store.folder.rglob("*"):
        assert path.is_dir() or b"s3cret-of-ada" not in path.read_bytes(), path

    monkeypatch.setenv("PIP_INDEX_URL", f"http://ada:s3cret-of-eve@127.0.0.1:{index}/simple/")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache-2"))
    with pytest.raises(ImageNotBuilt) as failed:
        build(ImageFolder(tmp_path / "other"), plan())
    assert "s3cret" not in str(failed.value)


def test_the_environment_is_a_virtual_one_of_the_bases_python(store, plan, wheels):
    layer = unpacked(store, build(store, plan()))[0]
    venv = "opt/nbdeploy/venv"
    assert layer[f"{venv}/pyvenv.cfg"][1] == b"home = /usr/bin\ninclude-system-site-packages = false\n"
    assert layer[f"{venv}/bin/python"][0].linkname == "/usr/bin/python3.11"
    site = f"{venv}/lib/python3.11/site-packages"
    assert f"{site}/__pycache__/tiny_flower.cpython-311.pyc" in layer
    assert {stat.S_IMODE(info.mode) for info, _ in layer.values() if info.isfile()} <= {0o644, 0o755}
    record = layer[f"{site}/tiny_flower-1.0.dist-info/RECORD"][1].decode()
    assert [line.split(",")[0] for line in record.splitlines()] == [
        "tiny_flower-1.0.dist-info/METADATA",
        "tiny_flower-1.0.dist-info/RECORD",
        "tiny_flower-1.0.dist-info/WHEEL",
        "tiny_flower.py",
    ]


@pytest.fixture
def only_here(monkeypatch, tmp_path):
    """A distribution that was installed from a folder of this machine."""
    folder = own_project(tmp_path / "own")
    one = LocalDistribution("own-flower", "1.0", folder, editable=True)
    monkeypatch.setattr(wheels_module, "_of", lambda _: [one])
    return folder


def test_what_only_exists_here_becomes_a_wheel_and_its_command_runs_by_the_images_python(
    store, plan, wheels, only_here
):
    lock = {"own-flower": "1.0", "tiny_flower": "1.0"}
    first = build(store, plan(lock=lock))
    layer = unpacked(store, first)[0]
    site = "opt/nbdeploy/venv/lib/python3.11/site-packages"
    assert layer[f"{site}/own_flower.py"][1] == b"def main(): print('rose')\n"
    script, content = layer["opt/nbdeploy/venv/bin/flower"]
    assert content.startswith(b"#!/opt/nbdeploy/venv/bin/python\n")
    assert stat.S_IMODE(script.mode) == 0o755
    assert b"../../../bin/flower,,\n" in layer[f"{site}/own_flower-1.0.dist-info/RECORD"][1]

    (only_here / "src" / "own_flower.py").write_text("def main(): print('tulip')\n")
    second = build(store, plan(lock=lock))
    assert b"tulip" in unpacked(store, second)[0][f"{site}/own_flower.py"][1]


def test_what_only_existed_here_is_refused_by_name_before_anything_is_made(store, plan, wheels, only_here):
    shutil.rmtree(only_here)
    with pytest.raises(InvalidInput, match=r"own-flower 1\.0 exists on this machine only") as refused:
        DaemonlessBuilder(store).check(plan(lock={"own-flower": "1.0"}))
    assert "pip wheel" in refused.value.remedy
    assert not store.folder.exists()
    write_wheel(wheels, "1.0", "own_flower")  # unless a folder of wheels has it
    assert build(store, plan(lock={"own-flower": "1.0"}))


def test_a_source_that_has_gone_on_is_no_source_of_the_locked_version(store, plan, wheels, only_here):
    shutil.rmtree(only_here)
    own_project(only_here, "2.0")
    with pytest.raises(InvalidInput, match=r"ran on own-flower 1\.0, and .* now makes 2\.0"):
        build(store, plan(lock={"own-flower": "1.0"}))
