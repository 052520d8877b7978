"""Limits of the machine, memory, wrong answers and a reboot: the real parts again."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.system import temp
from jupyter_deploy.targets.local.preflight import LEAST_FILES, check_limits
from tests.contract.targets.test_local_target_support import Stage, ask, endpoint_of, eventually, stage

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]

NOBODY = 61234  # a user of whom nothing else runs


def in_a_child(what: Callable[[], None]) -> str:
    """The output of a child process, which may lower its own limits."""
    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe()

    def run() -> None:
        try:
            what()
            its.send("")
        except TargetError as error:
            its.send(f"{error.message} | {error.remedy}")

    child = context.Process(target=run, daemon=True)
    child.start()
    assert mine.poll(120)
    said = mine.recv()
    child.join(60)
    return str(said)


def test_too_few_open_files_are_said_before_anything_starts() -> None:
    def low() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        check_limits()

    said = in_a_child(low)
    assert "may have 100 files open" in said
    assert "hard limit" in said


def test_the_lowest_allowed_number_of_open_files_suffices(stage: Stage) -> None:
    release = stage.release("aaa")
    code = (
        "import pickle,sys; target, release, endpoint = pickle.load(sys.stdin.buffer)\n"
        "target.start(release); print(target.route(endpoint))"
    )
    # Without its capability root cannot raise the limit either.
    unable = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"] if os.geteuid() == 0 else []
    ended = subprocess.run(
        [*unable, "prlimit", f"--nofile={LEAST_FILES}:{LEAST_FILES}", sys.executable, "-c", code],
        input=pickle.dumps((stage.target, release, endpoint_of(release))),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert ask(ended.stdout.decode().strip()).status_code == 200


def test_used_up_inotify_instances_are_said_before_anything_starts() -> None:
    def greedy() -> None:
        import ctypes

        libc = ctypes.CDLL(None)
        if os.geteuid() == 0:
            os.setuid(NOBODY)  # the limit is one of a user: other tests of this user must not meet it
        while libc.inotify_init1(0) >= 0:
            pass
        check_limits()

    said = in_a_child(greedy)
    assert "fs.inotify.max_user_instances is" in said
    assert "sysctl" in said


def test_a_worker_may_open_as_many_files_as_the_hard_limit_allows(stage: Stage) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        stage.target.start(stage.release("aaa"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    pid = int((stage.runtime / "pids" / "release-tumour.aaa@0").read_text())
    (line,) = [x for x in Path(f"/proc/{pid}/limits").read_text().splitlines() if x.startswith("Max open files")]
    assert int(line.split()[3]) == min(hard, 65536)


def test_a_release_that_answers_otherwise_by_now_is_started_anew_when_it_is_asked(stage: Stage) -> None:
    release = stage.release("aaa")
    assert stage.target.start(release)
    assert not stage.target.start(release, renew=True)
    pids = stage.runtime / "pids" / "release-tumour.aaa@0"
    first = pids.read_text()
    stage.behave("aaa", answer="something else")
    service = Path(release.path) / "src" / "service.py"
    # As a model whose state has drifted: a new process is right again.
    service.write_text(service.read_text().replace("def app():", "def app():\n    _mend()") + MEND)
    assert stage.target.start(release, renew=True)
    assert pids.read_text() != first
    assert ask(stage.target.route(endpoint_of(release))).json() == {"predictions": ["aaa"]}


MEND = """
def _mend():
    path = HERE / "behaviour.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"answer": "aaa"}))
"""


def test_after_a_reboot_all_is_lost_and_the_same_url_comes_back(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    assert not stage.target.lost()
    reboot(stage)
    assert stage.target.lost()
    assert not stage.target.observe(endpoint_of(release)).gateway
    stage.target.start(release)
    assert stage.target.route(endpoint_of(release)) == url
    assert ask(url).status_code == 200
    stage.target.down()
    assert not stage.target.lost(), "what was stopped is not lost"


def reboot(stage: Stage) -> None:
    pids: set[int] = set()
    while begun := set(stage.processes()) - pids:  # also what the supervisor was starting before it was stopped
        pids |= begun
        for pid in begun:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(stage.runtime)
    eventually(lambda: not stage.processes())


def test_temporary_folders_of_killed_processes_go_and_those_of_living_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temp.tempfile, "tempdir", str(tmp_path))
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: temp.new_folder_name("build").mkdir(), daemon=True)
    child.start()
    eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)  # as a kernel nobody has asked for
    other = tmp_path / "nbdeploy-of-somebody"
    other.mkdir()
    with temp.scratch_folder("replay") as mine:
        assert len(list(tmp_path.iterdir())) == 3
        temp.sweep()
        assert set(tmp_path.iterdir()) == {mine, other}
