"""The pool alone: workers that are forked from one parent, which loads the model once, and share one socket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from jupyter_deploy.serving.hosting.options import APART, METRICS
from tests.contract.targets.test_local_target_support import eventually, write_source

SERVICE = """
import importlib, os, threading
from types import SimpleNamespace
import numpy as np

class Service:
    def __init__(self):
        global weights
        weights = np.ones((500 << 20) // 8)
        manifest = {"instances": [1], "predictions": [1], "signature": {"answer_dtype": "int64", "instance_schema": {}}}
        limits = ("float32_rtol", "float32_atol", "float64_rtol", "float64_atol")
        manifest |= {"stochastic": True, "tolerance": dict.fromkeys(limits, 0.0)}
        importlib.import_module("serving.snapshot")._current = SimpleNamespace(manifest=manifest, tag="tumour:aaa")

svc = SimpleNamespace(inner=Service)

async def serve(scope, receive, send):
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    text = f"{os.getpid()} {weights[-1]} {np.random.random()} {os.environ.get('OMP_NUM_THREADS')}"
    if scope["path"] == "/predict":
        text = '{"predictions": [1]}'
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})

def app():
    return serve
"""


class Running:
    """A pool and its workers' answers."""

    def __init__(self, folder: Path, service: str, workers: int | str, **variables: str) -> None:
        serving = write_source(folder / "src", service)
        self.socket = f"{folder}/release.sock"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(serving / "container.py"), "--uds", self.socket],
                env={**os.environ, "NBDEPLOY_LOG_FORMAT": "text", "NBDEPLOY_WORKERS": str(workers), **variables},
                cwd="/",
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def answer(self, path: str = "/") -> list[str]:
        """A worker's answer on a new connection: process, weight, random number, threads."""

        def answered() -> list[str] | None:
            try:
                transport = httpx.HTTPTransport(uds=self.socket)
                with httpx.Client(transport=transport, timeout=60) as client:
                    return client.get(f"http://pool{path}").text.split()
            except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
                assert self.process.poll() is None, self.log.read_text()
                return None

        return eventually(answered, 60)

    def answers(self, workers: int) -> dict[str, list[str]]:
        """An answer of each worker, by its process."""
        seen: dict[str, list[str]] = {}

        def all_seen() -> bool:
            one = self.answer()
            seen[one[0]] = one
            return len(seen) == workers

        eventually(all_seen, 60)
        return seen

    def keep_asking(self, stop: threading.Event) -> int:
        """Ask on connections that are kept; returns the number of answers. Raises if a request fails."""
        count = 0
        with httpx.Client(transport=httpx.HTTPTransport(uds=self.socket), timeout=60) as client:
            while not stop.is_set():
                count += client.get("http://pool/").status_code == 200
        return count

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(service: str, workers: int | str, **variables: str) -> Running:
        made.append(Running(tmp_path, service, workers, **variables))
        return made[-1]

    yield start
    for one in made:
        one.close()


def share(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss)


def test_four_workers_of_a_large_model_cost_little_more_than_one(running: Callable[..., Running]) -> None:
    four = running(SERVICE, 4)
    answers = four.answers(4)
    parent = psutil.Process(four.process.pid)
    workers = parent.children()
    assert set(map(int, answers)) == {one.pid for one in workers}
    assert {one[1] for one in answers.values()} == {"1.0"}
    assert len({one[2] for one in answers.values()}) == 4, "all draw the same random numbers"
    together = share(parent) + sum(share(worker) for worker in workers)
    alone = workers[0].memory_info().rss  # the memory of a worker that shares nothing
    assert alone > 500 << 20
    assert together <= 1.5 * alone


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_dies_is_forked_again_without_loading_the_model_anew(
    running: Callable[..., Running], number: signal.Signals
) -> None:
    two = running(SERVICE.replace("global weights", "global weights; print('loads')"), 2)
    first = two.answer()[0]
    os.kill(int(first), number)
    eventually(lambda: not psutil.pid_exists(int(first)), 60)
    assert first not in two.answers(2)
    assert two.log.read_text().count("loads") == 1


def test_each_worker_has_its_threads(running: Callable[..., Running]) -> None:
    assert running(SERVICE, 2, NBDEPLOY_THREADS="3").answer()[3] == "3"


def test_a_model_with_threads_is_loaded_by_each_worker(running: Callable[..., Running], tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    waits = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
    service = SERVICE.replace("global weights", f"global weights; {waits}").replace("500 <<", "5 <<")
    two = running(service, 2, **{METRICS: str(shared)})
    assert {one[1] for one in two.answers(2).values()} == {"1.0"}
    assert "cannot be shared: it has started threads" in two.log.read_text()
    assert (shared / APART).read_text().startswith("it has started threads")
    two.process.terminate()
    assert two.process.wait(60) == 0
    assert not Path(two.socket).exists()


def test_a_pool_whose_workers_never_get_ready_ends_and_removes_its_socket(running: Callable[..., Running]) -> None:
    two = running(SERVICE.replace("return serve", "raise RuntimeError('no weights')"), 2)
    assert two.process.wait(60) == 1
    assert "ended with 1 before it was ready" in two.log.read_text()
    assert not list(Path(two.socket).parent.glob("release.sock*"))


def test_workers_follow_the_queue_and_no_request_fails(running: Callable[..., Running]) -> None:
    """A queue adds a worker; one that is not needed any more drains, while clients keep their connections."""
    waits = """
    if scope["path"] == "/wait":
        slot = importlib.import_module("serving.dispatch.load_board").own_slot()
        slot.wait(1)
        while not os.path.exists("%s"):
            await importlib.import_module("asyncio").sleep(0.01)
        slot.wait(0)
"""
    done = Path(tempfile.mkdtemp()) / "done"
    service = SERVICE.replace("500 <<", "5 <<").replace("    text = f", waits.lstrip("\n") % done + "    text = f", 1)
    service += "\nimportlib.import_module('serving.hosting.scaling').SHRINK_SECONDS = 1\n"
    pool = running(service, "1-2")
    first = psutil.Process(int(pool.answer()[0]))
    parent = psutil.Process(pool.process.pid)
    assert parent.children() == [first]
    with ThreadPoolExecutor(2) as clients:
        waiting = clients.submit(pool.answer, "/wait")
        eventually(lambda: len(parent.children()) == 2, 60)
        assert len(pool.answers(2)) == 2
        stop = threading.Event()
        asking = clients.submit(pool.keep_asking, stop)
        done.touch()
        waiting.result()
        eventually(lambda: len(parent.children()) == 1, 60)
        stop.set()
        assert asking.result() > 0
    assert "ended" not in pool.log.read_text()


def test_a_signal_during_the_load_ends_the_pool_at_once(running: Callable[..., Running]) -> None:
    two = running(SERVICE.replace("global weights", "global weights; print('loads'); threading.Event().wait()"), 2)
    eventually(lambda: "loads" in two.log.read_text(), 60)
    two.process.terminate()
    assert two.process.wait(60) == 0


ORPHAN = """
import os, socket, subprocess, sys
sys.path.insert(0, {source!r})
from serving.hosting.pool_program import program
listener, (_, ready) = socket.create_server(("127.0.0.1", 0)), os.pipe()
command = [*program(), str(listener.fileno()), str(ready), str(os.getpid()), "shared"]
pool = subprocess.Popen(command, pass_fds=(listener.fileno(), ready), start_new_session=True, stdout=2)
print(pool.pid, flush=True)
os._exit(0)
"""


def test_a_pool_whose_first_process_ends_before_it_begins_ends_too(tmp_path: Path) -> None:
    """As at a SIGTERM during the first milliseconds of a container."""
    write_source(tmp_path, SERVICE.replace("global weights", "global weights; threading.Event().wait()"))
    code = ORPHAN.format(source=str(tmp_path))
    started = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    pid = int(started.stdout)
    try:
        eventually(lambda: not psutil.pid_exists(pid), 60)
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_worker_that_is_ended_loses_no_request(running: Callable[..., Running]) -> None:
    pool = running(SERVICE.replace("500 << 20", "1 << 20"), 2)
    workers, stop = pool.answers(2), threading.Event()
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(pool.keep_asking, stop) for _ in range(8)]
        try:
            for worker in map(int, workers):
                os.kill(worker, signal.SIGTERM)
                eventually(lambda pid=worker: not psutil.pid_exists(pid), 60)
                pool.answers(2)
        finally:
            stop.set()
        assert all(one.result() > 0 for one in asking)


def test_a_kept_connection_has_an_answer_after_the_signal(running: Callable[..., Running]) -> None:
    """The one that was on its way when the worker closed it was lost."""
    patient = "\nimportlib.import_module('serving.hosting.uvicorn_server')._IDLE_SECONDS = 60\n"
    one = running(SERVICE + patient, 1)
    one.answer()
    with httpx.Client(transport=httpx.HTTPTransport(uds=one.socket), timeout=60) as client:
        assert "connection" not in client.get("http://pool/").headers
        one.process.terminate()
        while Path(one.socket).exists():  # others wait for the next process
            pass
        assert client.get("http://pool/").headers["connection"] == "close"
    assert one.process.wait(60) == 0


def test_the_reason_of_a_failed_start_is_in_the_termination_log(
    running: Callable[..., Running], tmp_path: Path
) -> None:
    reason = tmp_path / "reason"
    reason.touch()
    wrong = SERVICE.replace('"stochastic": True', '"stochastic": False').replace("[1]}'", "[2]}'")
    one = running(wrong, 1, NBDEPLOY_TERMINATION_LOG=str(reason))
    assert one.process.wait(60) == 3, one.log.read_text()
    assert reason.read_text().startswith("tumour:aaa does not answer its example as the notebook did: row 0")
