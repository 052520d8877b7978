"""What is to be known of a peer, and one that runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.bench.wrk import JSON

from .environments import environment

Rows = list[list[float]]

# The model of all servers: its calls take little time compared with the servers' own work.
MODEL = """\
import numpy as np
import torch

torch.manual_seed(7)
model = torch.nn.Sequential(torch.nn.Linear(30, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)).eval()
"""
# How all peers ask it: what its makers advise for inference, and the least copying.
ASKED = """\


def predict(rows):
    with torch.inference_mode():
        return model(torch.from_numpy(np.asarray(rows, dtype=np.float32))).tolist()
"""
_START_SECONDS = 60.0
_END_SECONDS = 10.0


def instances(rows: Rows) -> bytes:
    return json.dumps({"instances": rows}).encode()


def predictions(answer: Any) -> Any:
    return answer["predictions"]


@dataclass(frozen=True)
class Peer:
    """A server that somebody else wrote, with the same model.

    Attributes
    ----------
    environment
        Its name and its requirements; torch is added.
    files
        The files of its folder, in addition to ``model.py``.
    command, variables
        With ``{bin}`` for the environment's programs, ``{folder}``, ``{port}``, and two more ports.
    prepare
        A command that runs once before it can be served.
    body, read
        Rows as its request, and its answer as predictions.
    reload
        The path that makes it load another version of the model in its folder; empty: it is restarted for that.
    """

    name: str
    environment: tuple[str, tuple[str, ...]]
    files: Mapping[str, str]
    command: Sequence[str]
    path: str = "/predict"
    prepare: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[Rows], bytes] = instances
    read: Callable[[Any], Any] = predictions
    reload: str = ""

    @contextlib.contextmanager
    def served(self, folder: Path) -> Iterator[str]:
        """The URL that it is asked at, until the block ends."""
        with self.placed(folder).served(free_port()) as url:
            yield url

    def placed(self, folder: Path) -> Placed:
        """All that has to be there before it is served."""
        python = environment(*self.environment)
        folder.mkdir(parents=True)
        for name, text in {"model.py": MODEL + ASKED, **self.files}.items():
            (folder / name).write_text(text)
        placed = Placed(self, folder, python.parent)
        if self.prepare:
            placed.run(self.prepare)
        return placed


@dataclass(frozen=True)
class Placed:
    """A peer in a folder of its own."""

    peer: Peer
    folder: Path
    programs: Path

    @contextlib.contextmanager
    def served(self, port: int) -> Iterator[str]:
        """Its URL, from when it answers until the block ends."""
        places = {"port": port, "port2": free_port(), "port3": free_port()}
        with running(self._filled(self.peer.command, places), self.folder, self._variables(places)) as alive:
            url = f"http://127.0.0.1:{port}{self.peer.path}"
            wait_until_answered(url, self.peer.body([[0.0] * 30]), alive)
            yield url

    def run(self, command: Sequence[str]) -> None:
        """Run a command to its end."""
        with (self.folder / "prepare.log").open("w") as log:
            places = dict.fromkeys(("port", "port2", "port3"), 0)
            subprocess.run(
                self._filled(command, places), cwd=self.folder, env=self._variables(places), stdout=log, stderr=log,
                check=True,
            )  # fmt: skip

    def _filled(self, parts: Iterable[str], places: Mapping[str, int]) -> list[str]:
        return [part.format(bin=self.programs, folder=self.folder, **places) for part in parts]

    def _variables(self, places: Mapping[str, int]) -> dict[str, str]:
        path = f"{self.programs}:{os.environ['PATH']}"
        own = zip(self.peer.variables, self._filled(self.peer.variables.values(), places), strict=True)
        return {**os.environ, "PATH": path, "HOME": str(self.folder), **dict(own)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """A server and its children, in a process group that is ended; what is yielded raises if it has ended itself."""
    path = folder / "server.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(variables), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip

    def alive() -> None:
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(command)} ended\n{path.read_text()[-4000:]}")

    try:
        yield alive
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_answered(url: str, body: bytes, alive: Callable[[], None]) -> None:
    """Ask until it is answered with 200."""
    deadline = time.monotonic() + _START_SECONDS
    said = ""
    while time.monotonic() < deadline:
        alive()
        try:
            post(url, body)
        except urllib.error.HTTPError as error:
            said = f"{error}: {error.read()[:500]!r}"
            time.sleep(0.05)
        except OSError as error:
            said = str(error)
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{url} did not answer: {said}")


def post(url: str, body: bytes, headers: Mapping[str, str] = JSON) -> bytes:
    """What is answered with 200."""
    request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content
