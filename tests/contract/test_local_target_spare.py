"""A process that waits to become a release: real supervisord, Envoy and workers with tiny models.

The bentos here are not ours, so the waiting process starts their command; e2e/test_standby.py shows one that
continues.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
from test_local_target_kills import pid_of
from test_local_target_support import Stage, ask, endpoint_of, eventually, stage

from jupyter_deploy.domain.release.endpoint import Release

__all__ = ["stage"]

OTHER = "release-tumour.bbb"


def waits(stage: Stage, release: Release) -> psutil.Process:
    """Have one wait after a release has been started and routed, and be ready."""
    stage.target.start(release)
    stage.target.route(endpoint_of(release))
    (Path(release.snapshot_path) / "imports.json").write_text(json.dumps(["wave", "csv"]))
    stage.target.start_spare(release)
    return eventually(lambda: one_that_waits(stage), 60)


def version(url: str) -> str:
    return ask(url).headers.get("x-model-version", "")


def one_that_waits(stage: Stage) -> psutil.Process | None:
    hold = stage.runtime / "pids" / "spare@0"
    if not (stage.runtime / "s" / "spare.sock").exists() or not hold.exists():
        return None
    return psutil.Process(int(hold.read_text()))


def test_the_next_release_is_the_process_that_waited_and_is_supervised_as_any(stage: Stage) -> None:
    first, second = stage.release("aaa"), stage.release("bbb")
    waited = waits(stage, first)
    assert stage.target.start(second)
    assert pid_of(stage, OTHER) == waited.pid
    assert not (stage.runtime / "s" / "spare.sock").exists()
    url = stage.target.route(endpoint_of(second, first))
    assert version(url) == "bbb"
    # Variables, folder and log are those of any release.
    seen = json.loads((Path(second.path) / "environ.json").read_text())
    assert seen["env"]["NBDEPLOY_RECORDS"].endswith("records/tumour/bbb")
    assert seen["cwd"] == str(stage.runtime / "empty")
    waited.kill()
    eventually(lambda: pid_of(stage, OTHER) not in (0, waited.pid) and version(url) == "bbb", 60)
    stage.target.stop(second)
    assert not any("bbb" in psutil.Process(pid).cmdline() for pid in stage.processes())


def test_what_waits_ends_with_all_that_runs(stage: Stage) -> None:
    first = stage.release("aaa")
    waited = waits(stage, first)
    stage.target.down()
    eventually(lambda: not waited.is_running() or waited.status() == psutil.STATUS_ZOMBIE)
    assert stage.processes() == []


def test_only_one_waits(stage: Stage) -> None:
    first = stage.release("aaa")
    waited = waits(stage, first)
    stage.target.start_spare(first)
    other = eventually(lambda: (one := one_that_waits(stage)) and one != waited and one, 60)
    assert other.is_running()
    assert not waited.is_running() or waited.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_one_that_does_not_answer_is_done_without(stage: Stage, fault: str) -> None:
    first, second = stage.release("aaa"), stage.release("bbb")
    waited = waits(stage, first)
    os.kill(waited.pid, signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
    assert stage.target.start(second)
    assert pid_of(stage, OTHER) != waited.pid
    assert version(stage.target.route(endpoint_of(second, first))) == "bbb"
    if fault == "stopped":
        os.kill(waited.pid, signal.SIGCONT)  # its client is gone
        eventually(lambda: not waited.is_running() or waited.status() == psutil.STATUS_ZOMBIE)
        assert version(stage.target.route(endpoint_of(second, first))) == "bbb"


def test_another_environment_than_it_began_with_makes_it_unfit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = stage.release("aaa"), stage.release("bbb")
    waited = waits(stage, first)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert stage.target.start(second)
    assert pid_of(stage, OTHER) != waited.pid
    eventually(lambda: not waited.is_running() or waited.status() == psutil.STATUS_ZOMBIE)


def test_several_workers_are_forked_as_ever(stage: Stage) -> None:
    first, second = stage.release("aaa"), stage.release("bbb", resources={"workers": 2})
    waited = waits(stage, first)
    assert stage.target.start(second)
    assert waited.is_running()
    assert one_that_waits(stage) == waited


def test_where_nothing_runs_or_nothing_was_noted_nobody_waits(stage: Stage) -> None:
    first = stage.release("aaa")
    stage.target.start_spare(first)
    assert not stage.runtime.exists()
    stage.target.start(first)
    stage.target.start_spare(first)  # its snapshot names no imports
    assert not (stage.runtime / "pids" / "spare@0").exists()
