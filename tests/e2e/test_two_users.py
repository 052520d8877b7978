"""Two users on one machine: each has endpoints of their own and reaches nothing of the other but the port."""

import json
import multiprocessing
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import psutil
import pytest

from jupyter_deploy.targets.local.gateway.token import token
from jupyter_deploy.targets.local.target import LocalTarget
from tests.conftest import Home
from tests.contract.targets.test_local_target_support import ask, endpoint_of, staged
from tests.e2e.conftest import until

pytestmark = pytest.mark.usefixtures("own_processes")

ROOT = os.geteuid() == 0
BO = 54321 if ROOT else os.geteuid()  # only root can be two users
# Tests may run in folders that only root can search: bo may read everything, but write what is his alone.
AS_BO = ["setpriv", f"--reuid={BO}", f"--regid={BO}", "--clear-groups", "--inh-caps=+dac_read_search",
         "--ambient-caps=+dac_read_search"] if ROOT else []  # fmt: skip


class Bo(Home):
    """Another user, whose files would be readable by everybody if umask alone set their modes."""

    def run(self, *arguments, check=True):
        command = [*AS_BO, sys.executable, "-m", "jupyter_deploy", *map(str, arguments)]
        ended = subprocess.run(
            command, env=self.environment, cwd=self.path, capture_output=True, text=True, check=False, umask=0
        )
        assert ended.returncode == 0 or not check, ended.stderr
        return ended


@pytest.fixture
def ada():
    """A user with an endpoint."""
    with staged() as stage:
        yield stage


@pytest.fixture
def bo(ada, snapshots):
    """Another user, whose gateway is configured with the same port."""
    folder = Path(tempfile.mkdtemp(prefix="nbd-bo-", dir="/tmp"))
    bentoml = folder / "bentoml"
    shutil.copytree(Path(snapshots[1]) / "models", bentoml / "models")
    for path in (folder, bentoml, *bentoml.rglob("*")):
        os.chown(path, BO, BO)
    bentoml.chmod(0o777)
    names = ("PATH", "LANG")
    environment = {name: os.environ[name] for name in names if name in os.environ} | {
        "HOME": str(folder), "USER": "bo", "LOGNAME": "bo", "NBDEPLOY_PORT": str(ada.settings.port),
        "BENTOML_HOME": str(bentoml), "BENTOML_DO_NOT_TRACK": "true",
    }  # fmt: skip
    home = Bo(folder, environment)
    yield home
    home.run("down", check=False)
    shutil.rmtree(folder)


def _try(uid, results, paths, sockets):
    """As another user, without any privilege: the files that open, and the ports that answer."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    got = []
    for path in paths:
        for flags in (os.O_RDONLY, os.O_RDWR):
            try:
                os.close(os.open(path, flags))
                got.append(path)
            except OSError:
                pass
    for path in sockets:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(path)
                got.append(path)
            except OSError:
                pass
    results.put(got)


def reached(uid, *folders):
    """What in the folders another user can open, list, write or talk to."""
    found = [folder if folder == path else path for folder in folders for path in (folder, *folder.rglob("*"))]
    sockets = [str(path) for path in found if stat.S_ISSOCK(path.lstat().st_mode)]
    paths = [str(path) for path in found if str(path) not in sockets]
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    child = fork.Process(target=_try, args=(uid, results, paths, sockets), daemon=True)
    child.start()
    got = results.get()
    child.join(10)
    return got, len(sockets)


def test_two_users_share_a_machine_and_nothing_else(ada, bo, snapshots):
    release = ada.release("aaa")
    ada.target.start(release)
    adas = ada.target.route(endpoint_of(release))
    tag = snapshots[0][1.0]
    bos = json.loads(bo.run("deploy", tag, "--trust", "-o", "json").stdout)["url"]
    assert bos.split(":")[2].split("/")[0] != str(ada.settings.port)
    assert json.loads(bo.run("predict", "churn", "-o", "json").stdout)["release"] == tag
    assert ask(adas).json() == {"predictions": ["aaa"]}

    home = bo.path / ".local/share/nbdeploy"
    runtime = Path(json.loads((home / "gateway.json").read_text())["runtime"])
    records = list((home / "records" / "churn").rglob("*.jsonl"))
    assert records
    # Sockets are guarded by their folder; so is a script of BentoML's own, which it makes readable to all.
    bentoml = bo.path / "bentoml"
    made = [path for folder in (home, runtime, bentoml) for path in folder.rglob("*")]
    for path in (home, runtime, *made):
        found = path.lstat()
        assert found.st_uid == BO, path
        private = not found.st_mode & (0o022 if path.is_relative_to(bentoml) else 0o077)
        assert private or stat.S_ISSOCK(found.st_mode) or stat.S_ISLNK(found.st_mode), path
    if ROOT:
        bo.path.chmod(0o755)  # a home that others may look into
        for uid, folders in ((BO, (ada.home, ada.runtime)), (BO + 1, (home, runtime, bentoml / "bentos"))):
            got, sockets = reached(uid, *folders)
            assert got == []
            assert sockets >= 3

    # The port is open to every user of the machine, unless there is a token.
    assert ask(adas).status_code == 200
    LocalTarget(ada.settings.model_copy(update={"require_token": True})).route(endpoint_of(release))
    assert ask(adas).status_code == 401
    assert ask(adas, x_nbdeploy_token=token(ada.home)).status_code == 200
    assert httpx.get(f"{bos}/readyz", trust_env=False).status_code == 200

    bo.run("down")
    until(lambda: not ROOT or BO not in {process.info["uids"].real for process in psutil.process_iter(["uids"])})
    assert ask(adas, x_nbdeploy_token=token(ada.home)).status_code == 200
