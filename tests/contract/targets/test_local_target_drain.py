"""The end of everything while a request is in progress: it is answered, with and without a supervisor."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable

import pytest

from jupyter_deploy.targets.local.supervisor import orphans
from tests.contract.targets.test_local_target_support import Load, Stage, endpoint_of, eventually, pid_of, stage

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]


def supervised(_stage: Stage) -> None:
    """Leave everything as it is."""


def without_supervisor(stage: Stage) -> None:
    """Kill the supervisor with its keeper."""
    pids = [pid_of(stage, "keeper"), int((stage.runtime / "supervisord.pid").read_text())]
    for number in (signal.SIGSTOP, signal.SIGKILL):  # neither may notice the other's end
        for pid in pids:
            os.kill(pid, number)


def without_runtime_directory(stage: Stage) -> None:
    """Remove the runtime directory as a cleaner does."""

    def removed() -> bool:
        shutil.rmtree(stage.runtime, ignore_errors=True)  # a process may still write into it
        return not stage.runtime.exists()

    eventually(removed)


@pytest.mark.parametrize("fault", [supervised, without_supervisor, without_runtime_directory])
def test_down_answers_a_request_in_progress(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Stage], None]
) -> None:
    monkeypatch.setattr(orphans, "_PATIENCE_SECONDS", 0.2)  # of processes whose own time is unknown
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    stage.settle()
    stage.behave("aaa", delay=2.0)
    with Load(url, clients=1, each=1) as load:
        eventually(lambda: stage.seen("aaa", "stable"))
        fault(stage)
        stage.target.down()
    assert (load.failures, load.answers) == ([], ["aaa"])
    assert not stage.processes()
