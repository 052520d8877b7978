"""Recorded requests of each release, of all times; counted in the background, since there may be millions."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.status import EndpointStatus

LEAST_SECONDS = 10.0
"""Between two counts."""

_REST = 20
"""A count of a second is followed by so many seconds without one."""

_START = datetime(1970, 1, 1, tzinfo=UTC)

Recorded = Mapping[tuple[str, bool], int]
"""Requests by the release's tag and whether they are a shadow's copies."""


@dataclass
class _Count:
    found: Recorded = field(default_factory=dict)
    seen: tuple[int, ...] | None = None
    again_at: float = 0.0
    running: bool = False


_lock = threading.Lock()
_counts: dict[tuple[Path, str], _Count] = {}


def recorded_of(status: EndpointStatus, ports: Ports) -> Recorded:
    """Return the last count; begin a new one if the gateway has counted more requests since."""
    seen = (status.revision, *(r.counts.requests for r in status.releases if r.counts is not None))
    with _lock:
        count = _counts.setdefault((ports.home, status.name), _Count())
        if not count.running and count.seen != seen and monotonic() >= count.again_at:
            count.running, count.seen = True, seen
            # A daemon thread: it does not keep the process from ending.
            threading.Thread(target=_run, args=(count, status.name, ports), name="nbdeploy-count", daemon=True).start()
        return count.found


def _run(count: _Count, name: str, ports: Ports) -> None:
    begun = monotonic()
    try:
        until = now()
        series = ports.log.time_series(name, since=_START, until=until, every=until - _START)
        found: dict[tuple[str, bool], int] = {}
        for span in series.buckets:
            key = (span.release, span.role == "shadow")
            found[key] = found.get(key, 0) + span.requests
        count.found = found
    except DeployError:  # 'logs' and 'compare' name a damaged segment
        count.found = {}
    finally:
        count.again_at = monotonic() + max(LEAST_SECONDS, _REST * (monotonic() - begun))
        count.running = False
