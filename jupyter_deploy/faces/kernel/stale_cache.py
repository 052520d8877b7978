"""A cache of the stale-kernel check: one run serves all edits of a deploy form."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.ports import Finder, Live

WAIT_SECONDS = 0.3
"""Seconds that a form waits for the check; a slower result comes with the next call."""

_lock = threading.Lock()
_thread = ThreadPoolExecutor(1, thread_name_prefix="nbdeploy-stale")
_known: list[tuple[Hashable, Future[tuple[Finding, ...]]]] = []


def stale_findings(live: Live, finder: Finder, waited: float = WAIT_SECONDS) -> tuple[Finding, ...] | None:
    """Return the findings; None: the check still runs."""
    key = _key(live)
    with _lock:
        if not _known or _known[0][0] != key:
            _known[:] = [(key, _thread.submit(finder.stale_findings, live))]
        future = _known[0][1]
    try:
        return future.result(timeout=waited)
    except TimeoutError:
        return None


def _key(live: Live) -> Hashable:
    """Return everything that the check depends on: the executed cells, and the saved file."""
    path = Path(live.source.notebook or "")
    try:
        saved = (path.stat().st_mtime_ns, path.stat().st_size)
    except OSError:
        saved = (0, 0)
    return live.source, tuple(live.cells), tuple(live.failed.items()), saved
