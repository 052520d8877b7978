"""Images without an engine: equal wherever they are built, and small after a small change.

The base cannot run, and the lock is one small wheel; ``tests/e2e/images/test_image_running.py`` builds images that run.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.images.ports import ImagePlan
from tests.contract.image_workshop import base, build, moved, plan, store, wheels, workshop
from tests.images import unpacked

__all__ = ["base", "plan", "store", "wheels", "workshop"]


def test_it_is_served_by_the_bases_python_from_the_bento(store, plan, wheels, workshop):
    image = build(store, plan())
    config = json.loads(store.blob(store.manifest(image.digest)["config"]["digest"]).read_bytes())
    about = config["config"]
    name, _, version = image.snapshot.partition(":")
    program = f"/opt/nbdeploy/bentoml/bentos/{name}/{version}/src/serving/container.py"
    assert about["Entrypoint"] == ["/opt/nbdeploy/venv/bin/python", "-P", program]
    assert (about["User"], about["StopSignal"]) == ("65532:65532", "SIGTERM")
    assert about["ExposedPorts"] == {"8080/tcp": {}}
    assert {"BENTOML_HOME=/opt/nbdeploy/bentoml", "PYTHONDONTWRITEBYTECODE=1"} < set(about["Env"])
    assert about["Env"][0].startswith("PATH=/opt/nbdeploy/venv/bin:/usr/local/sbin:")
    assert about["Labels"]["io.nbdeploy.snapshot.digest"] == workshop["first"][0].digest
    assert (image.python, image.platform.partition("/")[0]) == ("3.11.2", "linux")
    assert [layer.kind for layer in image.layers] == ["base", "dependencies", "model", "code", "code"]


def test_the_snapshots_files_are_those_that_were_captured(store, plan, wheels, workshop):
    snapshot, _ = workshop["first"]
    files = {name: content for layer in unpacked(store, build(store, plan())) for name, (_, content) in layer.items()}
    for name in ("snapshot.json", *snapshot.manifest.files):
        assert files[f"opt/nbdeploy/snapshot/{name}"] == (Path(snapshot.path) / name).read_bytes()
    assert "opt/nbdeploy/snapshot/imports.json" not in files


def test_a_line_of_code_makes_one_small_layer_and_other_weights_two(store, plan, wheels):
    first, code, weights = (build(store, plan(what)) for what in ("first", "code", "weights"))
    new = [layer for layer in code.layers if layer not in first.layers]
    assert [layer.title for layer in new] == ["bento"]
    assert new[0].size <= 64 << 10
    assert [layer.kind for layer in weights.layers if layer not in first.layers] == ["model", "code"]


BUILD = """
import json, os, sys, time
from pathlib import Path
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot
from jupyter_deploy.domain.images.ports import ImagePlan
given = json.loads(sys.stdin.read())
os.umask(int(given["umask"], 8))
seen = 0

def count(event, arguments):  # be killed before the so many-th change of the file system
    global seen
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if writes or event in ("os.rename", "os.remove", "subprocess.Popen"):
        seen += 1
        if seen == given["die_at"]:
            os.kill(os.getpid(), 9)

sys.addaudithook(count)
snapshot, bento = Snapshot.model_validate(given["snapshot"]), Bento.model_validate(given["bento"])
plan = ImagePlan(snapshot, bento, given["base"], given["labels"])
image = DaemonlessBuilder(ImageFolder(Path(given["store"]))).build(plan, lambda _: None)
print(json.dumps([image.digest, seen]))
"""


def build_elsewhere(store, plan, umask="022", die_at=0, **environment):
    """In another process; its exit status, digest and changes of the file system."""
    told = {"snapshot": plan.snapshot.model_dump(mode="json"), "bento": plan.bento.model_dump(), "base": plan.base}
    told |= {"labels": dict(plan.labels), "store": str(store.folder), "umask": umask, "die_at": die_at}
    ended = subprocess.run(
        [sys.executable, "-c", BUILD],
        input=json.dumps(told),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode, *(json.loads(ended.stdout) if ended.stdout else (None, None))


def test_another_home_folder_umask_and_time_zone_make_the_same_digest(store, plan, wheels, tmp_path, workshop):
    wanted = build(store, plan())
    elsewhere = moved(plan(), workshop["first"][0], tmp_path / "another" / "home")
    (wheels / "tiny_flower-1.0-py3-none-any.whl").rename(tmp_path / "tiny_flower-1.0-py3-none-any.whl")
    shutil.copytree(tmp_path / "base", tmp_path / "moved" / "base")
    elsewhere = ImagePlan(elsewhere.snapshot, elsewhere.bento, f"oci:{tmp_path}/moved/base:base", elsewhere.labels)
    there = ImageFolder(tmp_path / "another" / "images")
    settings = {"TZ": "Asia/Tokyo", "PIP_FIND_LINKS": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache")}
    settings |= {"PYTHONHASHSEED": "7", "LC_ALL": "C"}
    _, digest, _ = build_elsewhere(there, elsewhere, umask="077", **settings)
    made = there.image(digest)
    assert unlike(store, wanted, there, made) == []
    assert made == wanted.model_copy(update={"base": made.base})  # whose name tells where it was found
    assert digest == wanted.digest


def unlike(store, one, there, other):
    """What differs in the layers of two images."""
    pairs = zip(unpacked(store, one), unpacked(there, other), strict=True)
    return [
        name
        for left, right in pairs
        for name in sorted(left.keys() | right.keys())
        if name not in left
        or name not in right
        or left[name][1] != right[name][1]
        or left[name][0].get_info() != right[name][0].get_info()
    ]


def test_a_build_that_is_killed_anywhere_leaves_a_store_that_works(store, plan, wheels, tmp_path):
    wanted = build(store, plan())
    _, digest, changes = build_elsewhere(ImageFolder(tmp_path / "whole"), plan())
    assert digest == wanted.digest
    kills = 0
    killed = ImageFolder(tmp_path / "killed")
    for step in sorted({1, 2, 3, *range(4, changes, max(1, changes // 8)), changes}):
        shutil.rmtree(killed.folder, ignore_errors=True)
        status, _, _ = build_elsewhere(killed, plan(), die_at=step)
        kills += status == -signal.SIGKILL
        assert [image.digest for image in killed.images()] in ([], [wanted.digest])
        assert build(killed, plan()) == wanted
        assert not (killed.folder / "making").exists()
        assert killed.remove([wanted.digest], dry_run=False) > 0
        assert list((killed.folder / "blobs" / "sha256").iterdir()) == []
    assert kills >= 8
