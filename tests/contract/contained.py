"""Built bentos for tests of a container's process, and that process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Bento, Tolerance
from tests.conftest import free_port
from tests.contract.capturing import FRAME, capture

TABLE = Path(__file__).parent / "capturing.py"  # any file of the project will do


class Weighed:
    """Load, and answer rows of a frame, as the process's variables say."""

    def __getstate__(self):
        return {"factor": 2}

    def __setstate__(self, state):
        import pathlib
        import time

        self.factor = state["factor"] + float(os.environ.get("ANSWERS_OTHERWISE", "0"))
        if os.environ.get("LOADING_FAILS"):
            raise RuntimeError("the weights are broken")
        while (gate := os.environ.get("LOADED_WHEN")) and not pathlib.Path(gate).exists():
            time.sleep(0.01)

    def __call__(self, frame):

        if words := os.environ.get("SAYS"):
            sys.stdout.write(words.format(*frame.itertuples(index=False)) + "\n")
            sys.stderr.write("and this\n")
        return (frame["age"] * self.factor + frame["weight"]).to_numpy()


def waits(path: str) -> str:
    """Answer when a file exists."""
    import pathlib

    while path and not pathlib.Path(path).exists():
        time.sleep(0.01)
    return path


def greedy(mebibytes: int) -> int:
    """Allocate memory and write to all of it."""
    return len(bytearray(b"x") * (mebibytes << 20)) >> 20


def blas_threads(asked: bool) -> int:
    """Return the threads of NumPy's linear algebra, if requested."""
    from threadpoolctl import threadpool_info

    return max(library["num_threads"] for library in threadpool_info()) if asked else 0


def drawn(frame):
    """Return another answer each time."""
    from random import random

    return [random() for _ in range(len(frame))]


def looked_up(frame):
    """Read a packed file."""
    with TABLE.open() as file:
        return [len(file.read())] * len(frame)


MODELS = {
    "churn": (Weighed, FRAME),
    "waits": (lambda: waits, ""),
    "greedy": (lambda: greedy, 1),
    "counted": (lambda: blas_threads, False),
    "drawn": (lambda: drawn, FRAME),
    "table": (lambda: looked_up, FRAME),
}


def built(home: Path, name: str) -> Bento:
    """Build the bento of a model in a BentoML home of its own."""
    make, example = MODELS[name]
    model = make()
    if name == "churn":
        model.__setstate__(model.__getstate__())
    snapshot = capture(ModelCapturer(home, Tolerance(), 60), model, example, name)
    return BentoBuilder(home).build(snapshot)


ROW = {"age": 1, "weight": 2.0, "sex": "f"}
RIGHT = 4.0
"""What ``churn`` answers to that row."""


def lines(text: str) -> list[dict[str, Any]]:
    """Return the log lines, all of them JSON."""
    return [json.loads(line) for line in text.splitlines()]


class Container:
    """The program of an image as a process, with few variables."""

    def __init__(self, bento: Bento, scratch: Path, *arguments: str, **variables: str) -> None:
        self.port = free_port()
        self.out, self.err = scratch / "stdout", scratch / "stderr"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(Path(bento.path) / "src" / "serving" / "container.py"), *arguments],
                env={"PATH": os.environ["PATH"], "TMPDIR": str(scratch), "PORT": str(self.port)} | variables,
                cwd="/",
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False)

    def said(self) -> list[dict[str, Any]]:
        return lines(self.out.read_text())

    def get(self, path: str) -> httpx.Response | None:
        """Return the response on a new connection; None: nothing listens."""
        try:
            # Without certificates: to read them takes most of a poll.
            with httpx.Client(base_url=self.client.base_url, timeout=60, trust_env=False, verify=False) as client:
                return client.get(path)
        except httpx.TransportError:
            return None

    def until(self, path: str, status: int) -> httpx.Response:
        """Return the response of a path once it has a status."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.out.read_text() + self.err.read_text()
            answer = self.get(path)
            if answer is not None and answer.status_code == status:
                return answer
            time.sleep(0.02)
        raise AssertionError(f"{path} is never {status}: {self.out.read_text()}")

    def predict(self, *rows: Any, path: str = "/predict", **headers: str) -> httpx.Response:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, json={"instances": list(rows)}, headers=told)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def container(
    bento: Bento, scratch: Path, *arguments: str, ready: bool = True, **variables: str
) -> Iterator[Container]:
    """Run within this context, ready unless ``ready`` is false."""
    scratch.mkdir(exist_ok=True)
    made = Container(bento, scratch, *arguments, **variables)
    try:
        if ready:
            made.until("/readyz", 200)
        yield made
    finally:
        made.client.close()
        if made.process.poll() is None:
            os.killpg(made.process.pid, signal.SIGKILL)
            made.process.wait()
