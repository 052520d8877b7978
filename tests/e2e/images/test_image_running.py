"""An image of a real model on a real Debian: built by files alone, run by podman with no rights at all."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import httpx
import pytest

from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from tests.conftest import free_port
from tests.e2e.conftest import ROW, until

# A Debian is fetched, a whole environment is installed, compiled and packed: twice.
pytestmark = [pytest.mark.timeout(1500), pytest.mark.exhaustive]


def names_in(store, image):
    for layer in image.layers:
        if layer.kind != "base":
            with tarfile.open(store.blob(layer.digest)) as tar:
                yield from tar.getnames()


def answers(url):
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_it_answers_the_example_without_rights_and_on_a_root_that_cannot_be_written(built, engine):
    store, plan, image = built.store, built.plan(), built.image
    port = free_port()
    _, _, version = image.snapshot.partition(":")
    source = f"/opt/nbdeploy/bentoml/bentos/churn/{version}/src"
    rights = ["--read-only", "--user", "65532", "--cap-drop", "ALL"]
    command = ["-P", "-m", "uvicorn", "--factory", "service:app", "--app-dir", source, "--port", port]
    python = "/opt/nbdeploy/venv/bin/python"
    url = f"http://127.0.0.1:{port}"
    with engine.container(*rights, "--entrypoint", python, engine.pull(store.folder, image.digest), *command) as name:
        until(lambda: answers(url) or not engine.runs(name), timeout=240)
        assert engine.runs(name), engine.said(name)
        manifest = plan.snapshot.manifest
        answer = httpx.post(f"{url}/predict", json={"instances": manifest.instances}, trust_env=False)
        assert answer.json() == {"predictions": manifest.predictions}
        assert answer.headers["x-model-version"] == image.snapshot
        assert httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200
        code = "import sys, numpy, serving; print(sys.prefix, numpy.__cached__, serving.__cached__)"
        told = engine.run("exec", "--workdir", source, name, python, "-c", code)
        prefix, *cached = told.split()
        assert prefix == "/opt/nbdeploy/venv"
        sizes = f"import os; print(*(os.path.getsize(file) for file in {cached!r}))"
        assert all(map(int, engine.run("exec", name, python, "-c", sizes).split())), "else each start would compile"
        shown = engine.run("exec", name, "bentoml", "list", "--output", "json")
        assert json.loads(shown)[0]["tag"] == image.snapshot


def test_it_holds_the_locks_distributions_and_nothing_else(built):
    store, plan, image = built.store, built.plan(), built.image
    names = set(names_in(store, image))
    site = f"opt/nbdeploy/venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/"
    inside = [name.removeprefix(site) for name in names if name.endswith(".dist-info/METADATA")]
    held = {name.split("-")[0] for name in inside if name.count("/") == 1}  # others come within a distribution
    lock = plan.snapshot.manifest.environment.distributions
    assert {one.lower().replace("_", "-").replace(".", "-") for one in held} == {
        name.lower().replace("_", "-").replace(".", "-") for name in lock
    }
    assert not [name for name in names if "/jupyterlab/" in name or "/jupyter_deploy/" in name or "/.cache/" in name]
    assert not [
        name for name in names if not name.startswith("opt") or name.endswith(("/INSTALLER", "/direct_url.json"))
    ]


def test_scripts_are_run_by_the_images_python_and_no_file_names_this_machine(built):
    store, image = built.store, built.image
    private = (sys.prefix.encode(), str(store.folder.parent.parent).encode())
    for layer in image.layers:
        if layer.kind == "base":
            continue
        with tarfile.open(store.blob(layer.digest)) as tar:
            for member in tar:
                if not member.isfile() or member.name.endswith("/snapshot.json"):
                    continue
                content = tar.extractfile(member).read()
                assert not [one for one in private if one in content], member.name
                if member.name.startswith("opt/nbdeploy/venv/bin/") and content.startswith(b"#!"):
                    assert content.startswith(b"#!/opt/nbdeploy/venv/bin/python\n"), member.name


def test_another_model_of_the_same_lock_is_one_small_layer_more(built):
    other = DaemonlessBuilder(built.store).build(built.plan(0.01), print)
    (new,) = [layer for layer in other.layers if layer not in built.image.layers]
    assert new.size <= 64 << 10


BUILD = """
import os, sys
from pathlib import Path
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from tests.e2e.image import plan_of
os.umask(0o077)
tag, bentoml_home, base, store = sys.argv[1:]
print(DaemonlessBuilder(ImageFolder(Path(store))).build(plan_of(tag, bentoml_home, base), lambda _: None).digest)
"""


def test_a_whole_environment_compiled_and_packed_anew_elsewhere_has_the_same_digest(built, tmp_path):
    image, (_, bentoml_home) = built.image, built.snapshots
    again = ImageFolder(tmp_path / "deeper" / "images")
    ended = subprocess.run(
        [sys.executable, "-c", BUILD, image.snapshot, bentoml_home, built.base, again.folder],
        env=os.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert [layer.digest for layer in again.images()[0].layers] == [layer.digest for layer in image.layers]
    assert ended.stdout.strip() == image.digest
    shutil.rmtree(again.folder)
