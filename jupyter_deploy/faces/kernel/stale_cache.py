"""Whether the notebook would give the kernel's model, found out once for all that is typed about it."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.ports import Finder, Live

WAITED = 0.3
"""Seconds that somebody who types is kept waiting; what takes longer is told the next time."""

_lock = threading.Lock()
_thread = ThreadPoolExecutor(1, thread_name_prefix="nbdeploy-stale")
_known: list[tuple[Hashable, Future[tuple[Finding, ...]]]] = []


def stale(live: Live, finder: Finder, waited: float = WAITED) -> tuple[Finding, ...] | None:
    """What is found; None: it is still looked for."""
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
    """All that it depends on: the cells that ran, and the file as it was saved last."""
    path = Path(live.source.notebook or "")
    try:
        saved = (path.stat().st_mtime_ns, path.stat().st_size)
    except OSError:
        saved = (0, 0)
    return live.source, tuple(live.cells), tuple(live.failed.items()), saved
