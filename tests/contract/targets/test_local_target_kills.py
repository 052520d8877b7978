"""What kill -9 of any process does to an endpoint: real supervisord, real Envoy, tiny real workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from jupyter_deploy.targets.local.supervisor.keeper import shorten
from jupyter_deploy.targets.local.supervisor.launch import alive
from tests.contract.targets.test_local_target_support import Load, Stage, ask, endpoint_of, eventually, pid_of, stage

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]

WORKER = "release-tumour.aaa"


def supervisor_of(stage: Stage) -> int:
    return int((stage.runtime / "supervisord.pid").read_text())


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def replaced(stage: Stage, program: str) -> None:
    """Kill it; returns when another one runs."""
    killed = pid_of(stage, program)
    kill(killed)
    eventually(lambda: pid_of(stage, program) != killed)


def answers_more(load: Load, count: int) -> None:
    goal = len(load.answers) + count
    eventually(lambda: len(load.answers) > goal)


def comes_back(stage: Stage, killed: int) -> None:
    """Another supervisor answers, by itself."""
    supervisor = stage.runtime / "supervisord.pid"
    eventually(lambda: supervisor.exists() and supervisor.read_text().strip() not in ("", str(killed)))


def serving(stage: Stage, word: str) -> list[int]:
    """Processes that are the program itself, not what waits to take its place."""
    found = []
    for pid in stage.processes():
        line = Path(f"/proc/{pid}/cmdline")
        if line.exists() and word in (text := line.read_text()) and "launch.py" not in text:
            found.append(pid)
    return found


def test_a_killed_supervisor_comes_back_and_adopts_what_runs_while_no_request_fails(stage: Stage) -> None:
    release = stage.release("aaa")
    endpoint = endpoint_of(release)
    stage.target.start(release)
    url = stage.target.route(endpoint)
    worker, gateway = pid_of(stage, WORKER), pid_of(stage, "gateway")
    with Load(url) as load:
        for _ in range(2):  # the second time there are processes that wait for adopted ones
            killed, keeper = supervisor_of(stage), pid_of(stage, "keeper")
            kill(killed)
            comes_back(stage, killed)
            eventually(lambda keeper=keeper: pid_of(stage, "keeper") != keeper)
        eventually(lambda: stage.target.observe(endpoint).releases[release.tag].detail == "")
    assert load.failures == []
    assert (pid_of(stage, WORKER), pid_of(stage, "gateway")) == (worker, gateway)
    replaced(stage, WORKER)  # what was adopted is replaced like any other, and once only
    assert eventually(lambda: _answers(url)) == 200
    assert serving(stage, "container.py") == [pid_of(stage, WORKER)]
    stage.target.start(release)
    stage.target.stop(release)
    assert not stage.processes()


def test_an_adopted_release_is_stopped_gracefully(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    killed = supervisor_of(stage)
    kill(killed)
    comes_back(stage, killed)
    stage.behave("aaa", delay=1.0)
    with Load(url, clients=1, each=1) as load:
        eventually(lambda: stage.seen("aaa", "stable"))
        stage.target.stop(release)
    assert (load.failures, load.answers) == ([], ["aaa"])
    assert not stage.processes()


def test_with_supervisor_and_keeper_killed_what_runs_goes_on_and_the_next_verb_adopts_it(stage: Stage) -> None:
    release = stage.release("aaa")
    endpoint = endpoint_of(release)
    stage.target.start(release)
    url = stage.target.route(endpoint)
    worker = pid_of(stage, WORKER)
    stage.settle()  # what has not begun does not start without a supervisor
    for pid in (pid_of(stage, "keeper"), supervisor_of(stage)):
        os.kill(pid, signal.SIGSTOP)  # neither may notice the other's end
    for pid in (pid_of(stage, "keeper"), supervisor_of(stage)):
        kill(pid)
    eventually(lambda: len(stage.processes()) == 3)
    assert ask(url).status_code == 200
    health = stage.target.observe(endpoint).releases[release.tag]
    assert (health.healthy, health.detail) == (True, "runs without a supervisor")
    stage.target.start(release)
    assert pid_of(stage, WORKER) == worker
    assert stage.target.observe(endpoint).releases[release.tag].detail == ""
    kill(supervisor_of(stage))
    stage.target.stop(release)
    eventually(lambda: not stage.processes())  # what the killed supervisor was starting ends by itself


def test_requests_wait_for_a_killed_worker_instead_of_failing(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    for _ in range(6):  # more often than a worker that fails to start is tried again
        with Load(url, clients=3) as load:
            answers_more(load, 3)
            replaced(stage, WORKER)
            answers_more(load, 10)
        # What was in its hands, and what was handed to it while it was dying: one on each open connection.
        assert len(load.failures) <= 12
        # Either it had not begun to answer, or its answer was cut off.
        in_flight = ("reset before headers", "incomplete chunked read")
        assert all(any(words in failure for words in in_flight) for failure in load.failures), load.failures
    assert stage.target.observe(endpoint_of(release)).releases[release.tag].healthy


def test_a_worker_that_dies_while_it_loads_is_given_up_however_slowly_it_dies(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    service = Path(release.path) / "src" / "service.py"
    service.write_text("import time; time.sleep(1.2); raise SystemExit('the weights are gone')")
    (stage.runtime / "programs" / f"{WORKER}@0.starts").write_text("4")  # as after four such starts
    socket = next((stage.runtime / "s").iterdir())
    worker = pid_of(stage, WORKER)
    socket.unlink()
    kill(worker)
    eventually(lambda: stage.target.observe(endpoint_of(release)).releases[release.tag].detail.startswith("FATAL"))
    assert "given up" in (stage.settings.logs / f"{WORKER}-0.log").read_text()


def test_a_killed_gateway_is_back_before_the_supervisor_would_have_looked(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    replaced(stage, "gateway")
    assert eventually(lambda: _answers(url)) == 200
    assert serving(stage, "bootstrap.json") == [pid_of(stage, "gateway")]


def _answers(url: str) -> int:
    """200, or 0 for anything else."""
    try:
        return 200 if ask(url).status_code == 200 else 0
    except httpx.HTTPError:
        return 0


def test_what_a_killed_worker_had_forked_does_not_keep_its_successor_from_starting(stage: Stage) -> None:
    release = stage.release("aaa")
    service = Path(release.path) / "src" / "service.py"
    fork = "import os, time\nif os.fork() == 0:\n    time.sleep(600)\n    os._exit(0)\n"
    service.write_text(fork + service.read_text())
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    worker = pid_of(stage, WORKER)
    (child,) = psutil.Process(worker).children()
    kill(worker)
    assert eventually(lambda: _answers(url)) == 200
    eventually(lambda: pid_of(stage, WORKER) != worker)
    assert not alive(child.pid)


def test_a_log_that_has_grown_is_shortened_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "release-a-0.log"
    with log.open("a") as writer:
        writer.write("old\n" * 10)
        writer.flush()
        shorten(tmp_path, most=20)
        writer.write("new\n")
    assert log.read_text() == "new\n"
    assert (tmp_path / "release-a-0.log.1").read_text() == "old\n" * 10


@pytest.mark.parametrize("program", ["keeper", WORKER, "gateway"])
def test_every_supervised_process_comes_back_once(stage: Stage, program: str) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    stage.target.route(endpoint_of(release))
    replaced(stage, program)
    eventually(lambda: len(stage.processes()) == 5)  # the worker, Envoy, supervisord, its keeper, the exporter
