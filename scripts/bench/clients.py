"""Clients in a process of their own (``load.py``), and what they were answered."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

LOAD = Path(__file__).with_name("load.py")


@dataclass(frozen=True)
class Answers:
    """What one run of clients got: ``[seconds since the start, latency in seconds, status, release]``."""

    rows: list[tuple[float, float, int, str]] = field(repr=False)

    @property
    def failed(self) -> int:
        return sum(status != 200 for _, _, status, _ in self.rows)

    def latencies(self, since: float = 0.0, until: float = float("inf")) -> list[float]:
        """Milliseconds, of requests that left in this span."""
        return [latency * 1000 for at, latency, status, _ in self.rows if status == 200 and since <= at < until]


@contextlib.contextmanager
def asking(url: str, body: Path, *options: str, patient: bool = False) -> Iterator[Answers]:
    """Clients that ask until the block ends, or ``patient``: until their own end; then their answers are there."""
    answers = Answers([])
    with TemporaryDirectory(prefix="nbdeploy-bench-") as folder:
        result = Path(folder) / "answers.json"
        command = [sys.executable, str(LOAD), url, str(body), str(result), *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("the clients did not start")
            try:
                yield answers
            finally:
                if not patient:
                    process.send_signal(signal.SIGTERM)
                process.wait(180)
        answers.rows.extend(tuple(row) for row in json.loads(result.read_text()))
