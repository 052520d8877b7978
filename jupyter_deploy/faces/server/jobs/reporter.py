"""What an operation reports, told to its job in a thread: steps at once, news of runs at a pace that the disk bears.

The operation does not wait for the disk meanwhile. All of it is told before the job's end is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from jupyter_deploy.domain.ports import Report
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.validation.validation import Underway

_EVERY = 0.2  # seconds

_Kind = Literal["step", "underway"]
Tell = Callable[[_Kind, dict[str, Any]], None]


@contextmanager
def telling(tell: Tell, before: int = 0) -> Iterator[Report]:
    """A reporter, called from several threads. The latest news of each run is told in any case, if a little later.

    ``before``: so many steps were a kernel's, and are counted on.
    """
    lock, due, ended = threading.Lock(), threading.Event(), threading.Event()
    states: dict[int, str] = {}
    untold: dict[Hashable, tuple[_Kind, dict[str, Any]]] = {}

    def report(step: Step | Underway) -> None:
        with lock:
            if isinstance(step, Step):
                number = before + step.number
                untold[number] = "step", {"number": number, "total": before + step.total, "title": step.title}
                due.set()
                return
            untold[step.run, step.side] = "underway", step.model_dump(mode="json")
            if step.state != states.get(step.run):
                states[step.run] = step.state
                due.set()

    def catch_up() -> None:
        while True:
            with lock:
                if not untold:
                    return
                kind, data = untold.pop(next(iter(untold)))
            tell(kind, data)

    def go_on() -> None:
        while not ended.is_set():
            due.wait(_EVERY)
            due.clear()
            catch_up()

    thread = threading.Thread(target=go_on, daemon=True, name="nbdeploy-telling")
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        due.set()
        thread.join()
        catch_up()
