"""The reporter of a job: it writes an operation's steps at once, and the progress of runs at intervals.

A thread writes, so that the operation does not wait for the disk. All progress is written before the job's end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from jupyter_deploy.domain.ports import Report
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.validation.validation import Underway

_INTERVAL = 0.2  # seconds

_Kind = Literal["step", "underway"]
Write = Callable[[_Kind, dict[str, Any]], None]


@contextmanager
def reporting(write: Write, before: int = 0) -> Iterator[Report]:
    """Yield a reporter for several threads. The latest progress of each run is written in any case, if a little later.

    ``before``: the number of the kernel's steps, which come first.
    """
    lock, due, ended = threading.Lock(), threading.Event(), threading.Event()
    states: dict[int, str] = {}
    unwritten: dict[Hashable, tuple[_Kind, dict[str, Any]]] = {}

    def report(step: Step | Underway) -> None:
        with lock:
            if isinstance(step, Step):
                number = before + step.number
                document = {"number": number, "total": before + step.total, "title": step.title}
                board = {"board": step.board.model_dump(mode="json")} if step.board else {}
                unwritten[number] = "step", document | board
                due.set()
                return
            unwritten[step.run, step.side] = "underway", step.model_dump(mode="json")
            if step.state != states.get(step.run):
                states[step.run] = step.state
                due.set()

    def flush() -> None:
        while True:
            with lock:
                if not unwritten:
                    return
                kind, data = unwritten.pop(next(iter(unwritten)))
            write(kind, data)

    def run() -> None:
        while not ended.is_set():
            due.wait(_INTERVAL)
            due.clear()
            flush()

    thread = threading.Thread(target=run, daemon=True, name="nbdeploy-reporter")
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        due.set()
        thread.join()
        flush()
