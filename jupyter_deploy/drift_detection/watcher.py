"""The archivist's watcher: it reads new records into the watches while releases run.

Its ``due`` uses only the standard library: the archivist calls it every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.records.segments import DRIFT, RECORDS, Segment, drift_folder, names_in, segments_in

SECONDS = 60.0
"""Between two updates of a watch. A look reads the newest records itself."""

_SUFFIX = ".watch"


def due(home: Path) -> bool:
    """Return whether a watch is older than ``SECONDS`` and than the records of its release."""
    for endpoint, version in _watches(home):
        try:
            last = (drift_folder(home, endpoint) / f"{version}{_SUFFIX}").stat().st_mtime
            files = [segment.path.stat().st_mtime for segment in segments_in(home / RECORDS / endpoint / version)]
        except FileNotFoundError:
            continue
        if time.time() - last >= SECONDS and any(written > last for written in files):
            return True
    return False


def update(home: Path) -> list[str]:
    """Read the new records into every watch; return the messages of failures."""
    from .drift_log import updated

    failures = []
    for endpoint, version in _watches(home):
        try:
            updated(home, endpoint, version)
        except (OSError, DeployError) as error:
            failures.append(f"the drift of {endpoint} {version} is not up to date: {error}")
    return failures


def finish(home: Path, segment: Segment) -> None:
    """Read the rest of a segment before it is compacted."""
    from .drift_log import updated

    endpoint, version = segment.path.parent.parent.name, segment.path.parent.name
    if (drift_folder(home, endpoint) / f"{version}{_SUFFIX}").exists():
        updated(home, endpoint, version, closed=[segment.stem])


def _watches(home: Path) -> Iterator[tuple[str, str]]:
    for endpoint in names_in(home / DRIFT):
        for name in names_in(drift_folder(home, endpoint)):
            if name.endswith(_SUFFIX) and not name.startswith("."):
                yield endpoint, name.removesuffix(_SUFFIX)
