"""The pool alone: workers that are forked from one parent, which loads the model once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from test_local_target_support import eventually

from jupyter_deploy.serving.hosting import pool

SERVICE = """
import os, threading
from types import SimpleNamespace
import numpy as np

class Service:
    def __init__(self):
        global weights
        weights = np.ones((500 << 20) // 8)

svc = SimpleNamespace(inner=Service)

async def serve(scope, receive, send):
    if scope["type"] == "http":
        text = f"{os.getpid()} {weights[-1]} {np.random.random()} {os.environ['OMP_NUM_THREADS']}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

def app():
    if "weights" not in globals():
        Service()
    return serve
"""


class Running:
    """A pool, and the output of its workers."""

    def __init__(self, folder: Path, service: str, workers: int, *more: str) -> None:
        (folder / "service.py").write_text(service)
        self.sockets = [f"{folder}/{number}.sock" for number in range(workers)]
        command = [sys.executable, "-P", pool.__file__, "--app-dir", str(folder), *more, *self.sockets]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd="/", stderr=log, start_new_session=True)

    def said(self, number: int) -> list[str]:
        def answered() -> list[str] | None:
            try:
                transport = httpx.HTTPTransport(uds=self.sockets[number])
                with httpx.Client(transport=transport, timeout=60) as client:
                    return client.get("http://pool/").text.split()
            except httpx.ConnectError:
                assert self.process.poll() is None, self.log.read_text()
                return None

        return eventually(answered, 60)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(service: str, workers: int, *more: str) -> Running:
        made.append(Running(tmp_path, service, workers, *more))
        return made[-1]

    yield start
    for one in made:
        one.close()


def share(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss)


def test_four_workers_of_a_large_model_cost_little_more_than_one(running: Callable[..., Running]) -> None:
    four = running(SERVICE, 4)
    said = [four.said(number) for number in range(4)]
    parent = psutil.Process(four.process.pid)
    workers = parent.children()
    assert {int(one[0]) for one in said} == {one.pid for one in workers}
    assert {one[1] for one in said} == {"1.0"}
    assert len({one[2] for one in said}) == 4, "all draw the same random numbers"
    together = share(parent) + sum(share(worker) for worker in workers)
    alone = workers[0].memory_info().rss  # what one would have that shares nothing
    assert alone > 500 << 20
    assert together <= 1.5 * alone


def test_a_worker_that_dies_is_forked_again_without_loading_the_model_anew(running: Callable[..., Running]) -> None:
    two = running(SERVICE.replace("global weights", "global weights; print('loads', file=__import__('sys').stderr)"), 2)
    first = two.said(0)[0]
    os.kill(int(first), signal.SIGKILL)
    assert eventually(lambda: two.said(0)[0] != first)
    assert two.log.read_text().count("loads") == 1


def test_each_worker_has_its_threads(running: Callable[..., Running]) -> None:
    assert running(SERVICE, 2, "--threads", "3").said(1)[3] == "3"


def test_a_model_with_threads_is_loaded_by_each_worker(running: Callable[..., Running], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    waits = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
    two = running(
        SERVICE.replace("global weights", f"global weights; {waits}").replace("500 <<", "5 <<"),
        2,
        "--folder",
        str(kept),
    )
    assert [two.said(number)[1] for number in (0, 1)] == ["1.0", "1.0"]
    assert "cannot be shared: it has started threads" in two.log.read_text()
    assert (kept / pool.APART).read_text().startswith("it has started threads")
    two.process.terminate()
    assert two.process.wait(60) == 0
    assert not any(Path(socket).exists() for socket in two.sockets)


def test_a_pool_whose_workers_never_get_ready_ends_and_takes_its_sockets_along(
    running: Callable[..., Running],
) -> None:
    two = running("def app():\n    raise RuntimeError('no weights')", 2)
    assert two.process.wait(60) == 1
    assert "ended with 1 before it was ready" in two.log.read_text()
    assert not any(Path(socket).exists() for socket in two.sockets)
