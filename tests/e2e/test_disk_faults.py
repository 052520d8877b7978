"""A deploy onto a disk that is full or read-only: an error in words, and nothing half-made anywhere."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.disks import small_disk
from tests.e2e.conftest import ROW, deploy_notebook

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("own_processes")]

# Captures a function in this very process, as a notebook's kernel does.
DEPLOY = """
import os
import jupyter_deploy
from {module} import {owner} as owner
def double(x):
    return 2 * x
def fill(*args, **options):
    with open({filler!r}, "ab", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    os.truncate({filler!r}, os.path.getsize({filler!r}) - {spare})
    return original(*args, **options)
original, owner.{function} = owner.{function}, fill
try:
    jupyter_deploy.deploy(double, name="double", example=3)
except jupyter_deploy.DeployError as error:
    print(type(error).__name__, error)
"""

# When the disk becomes full (just before which function), how many bytes are left, which disk, what stays.
STAGE = "jupyter_deploy.capture.capturer ModelCapturer stage"
BUILD = "jupyter_deploy.artifacts.bento BentoBuilder build"
START = "jupyter_deploy.targets.local.target LocalTarget start"
SAVE = "jupyter_deploy.store.store SqliteStore save"
MOMENTS = [
    (STAGE, 0, "temp", []),
    (STAGE, 8192, "bentoml", []),
    (STAGE, 0, "nbdeploy", []),
    (BUILD, 40_000, "bentoml", ["models/double"]),  # a snapshot that is whole is kept
    (START, 0, "nbdeploy", ["models/double", "bentos/double"]),
    (SAVE, 0, "nbdeploy", ["models/double", "bentos/double"]),
]


def everything(folder, *, but=()):
    """All files and folders below a folder that hold more than an empty folder does."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return [path for path in found if not path.startswith(tuple(but))]


def processes_of(home):
    """Command lines of a home's processes."""
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if str(home.path) in line and "ps -eo" not in line]


@pytest.mark.parametrize(
    ("moment", "spare", "full", "stays"),
    MOMENTS,
    ids=[f"{full} at {moment.split()[-1]}" for moment, _, full, _ in MOMENTS],
)
def test_a_disk_that_becomes_full_fails_a_deploy_in_words_and_leaves_nothing_half_made(
    home, moment, spare, full, stays
):
    places = {name: home.path / name for name in ("temp", "bentoml", "nbdeploy")}
    with small_disk(places[full], "4m"):
        for path in places.values():
            path.mkdir(exist_ok=True)
        home.environment |= {
            "NBDEPLOY_HOME": str(places["nbdeploy"]),
            "BENTOML_HOME": str(places["bentoml"]),
            "TMPDIR": str(places["temp"]),
        }
        code = DEPLOY.format(
            **dict(zip(("module", "owner", "function"), moment.split(), strict=True)),
            filler=str(places[full] / "filler"),
            spare=spare,
        )
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env=home.environment,
            cwd=home.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.stdout.startswith("StoreError"), ended.stdout + ended.stderr
        assert "full" in ended.stdout or "No space left" in ended.stdout
        assert [path.name for path in places["temp"].iterdir()] == (["filler"] if full == "temp" else [])
        kept = [path for path in everything(places["bentoml"]) if path.startswith(("models", "bentos"))]
        assert {"/".join(path.split("/")[:2]) for path in kept} - {"models/.", "bentos/."} == set(stays)
        assert [path.name for store in ("models", "bentos") for path in (places["bentoml"] / store).glob("*")] == [
            "double" for _ in stays
        ]
        assert processes_of(home) == []
        (places[full] / "filler").unlink()
        assert home.json("list") == []
        home.run("down")


def test_on_a_read_only_home_a_deploy_fails_before_the_notebook_runs_and_looking_works(home, train, deploy):
    with small_disk(home.path / "disk", "16m") as disk:
        home.environment["NBDEPLOY_HOME"] = str(disk.path / "nbdeploy")
        deployed = deploy()
        disk.read_only()
        failed = deploy_notebook(home, train(0.5), check=False)
        assert failed.returncode == 3
        assert "read-only" in failed.stderr
        assert "running train.ipynb" not in failed.stderr
        assert "Traceback" not in failed.stderr
        assert home.json("describe", "churn")["revision"] == deployed["revision"]
        changed = home.run("traffic", "churn", "--shadow", f"{deployed['release']}=5", check=False)
        assert "Traceback" not in changed.stderr
        home.run("down")


def test_with_a_damaged_store_what_runs_goes_on_down_ends_it_and_the_remedy_brings_it_back(home, deploy):
    deployed = deploy()
    state = home.path / "nbdeploy" / "state.sqlite"
    state.write_bytes(b"garbage" * 999)
    failed = home.run("list", check=False)
    assert failed.returncode == 3
    assert "is damaged" in failed.stderr
    assert httpx.post(f"{deployed['url']}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200
    home.run("down")
    assert processes_of(home) == []
    remedy = failed.stderr.partition("last change: ")[2]
    home.environment["PATH"] = f"{Path(sys.executable).parent}:{home.environment['PATH']}"
    subprocess.run(["sh", "-c", remedy], env=home.environment, check=True, capture_output=True)
    assert httpx.post(f"{deployed['url']}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200
    assert state.with_name("broken").joinpath("state.sqlite").read_bytes() == b"garbage" * 999
