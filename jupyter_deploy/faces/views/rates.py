"""Requests a second, from the gateway's counts at one look and at the next; kept by the process that looks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from jupyter_deploy.domain.release.status import EndpointStatus

LEAST_SECONDS = 0.5
"""Between two looks: several widgets and tabs look, each when it likes."""

MOST_SECONDS = 60.0
"""After such a pause, in which nobody looked, it begins anew: an average over hours is no rate."""

KEPT = 60


@dataclass
class _Counted:
    """What was counted at a look, and the rates up to then, the latest last."""

    at: float
    requests: int
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))


class Rates:
    """Of all endpoints of one home; for several threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._endpoints: dict[str, dict[tuple[str, bool], _Counted]] = {}

    def note(self, status: EndpointStatus) -> dict[str, tuple[float, ...]]:
        """A look; the rates of each release that the gateway counts, by tag.

        A shadow's copies have a count of their own, so another role begins anew. So does a gateway that has been
        away, and one that counts from nought shows by fewer requests than before.
        """
        at = self._clock()
        with self._lock:
            known = self._endpoints.get(status.name, {})
            now = self._endpoints[status.name] = {}
            for release in status.releases:
                if release.counts is not None:
                    key = (release.tag, release.role == "shadow")
                    now[key] = _next(known.get(key), at, release.counts.requests)
            return {tag: tuple(counted.rates) for (tag, _), counted in now.items()}

    def only(self, names: Collection[str]) -> None:
        """Forget the endpoints that are not there any more."""
        with self._lock:
            for name in self._endpoints.keys() - set(names):
                del self._endpoints[name]


def _next(known: _Counted | None, at: float, requests: int) -> _Counted:
    if known is None or at - known.at > MOST_SECONDS:
        return _Counted(at, requests)
    seconds = at - known.at
    if seconds < LEAST_SECONDS:
        return known
    more = requests - known.requests if requests >= known.requests else requests
    known.rates.append(round(more / seconds, 2))
    known.at, known.requests = at, requests
    return known


_rates: dict[Path, Rates] = {}


def rates_of(home: Path) -> Rates:
    """The rates of a home, as long as this process lives."""
    return _rates.setdefault(home, Rates())
