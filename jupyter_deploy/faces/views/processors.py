"""Processors in use, from the processor time at one look and at the next; kept by the process that looks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

from jupyter_deploy.domain.release.status import Usage

from .rates import LEAST_SECONDS, MOST_SECONDS


class Processors:
    """Of the releases of one home; for several threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, float, float | None]] = {}

    def note(self, usage: Mapping[str, Usage]) -> dict[str, float | None]:
        """Note the processor time of releases; return the processors in use by tag, None before there were two looks.

        A worker that ended takes its time with it: the use then begins anew.
        """
        now = self._clock()
        with self._lock:
            self._known = {tag: one for tag, one in self._known.items() if now - one[0] <= MOST_SECONDS}
            for tag, one in usage.items():
                at, before, cores = self._known.get(tag, (0.0, one.cpu_seconds + 1, None))
                if one.cpu_seconds < before:
                    self._known[tag] = (now, one.cpu_seconds, cores)
                elif now - at >= LEAST_SECONDS:
                    self._known[tag] = (now, one.cpu_seconds, round((one.cpu_seconds - before) / (now - at), 2))
            return {tag: self._known[tag][2] for tag in usage}


_processors: dict[Path, Processors] = {}


def processors_of(home: Path) -> Processors:
    """The processors of a home's releases, as long as this process lives."""
    return _processors.setdefault(home, Processors())
