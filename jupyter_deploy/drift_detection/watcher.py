"""The archivist's watcher: it reads new records into the watches while releases run, and publishes what they say.

It writes the metrics of each watch next to it, for the exporter, and notifies the user of alarms. Its ``due`` uses only
the standard library: the archivist calls it every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from jupyter_deploy.records.segments import (
    DRIFT,
    RECORDS,
    Segment,
    drift_folder,
    maintenance_lock,
    names_in,
    segments_in,
)
from jupyter_deploy.system import notifications

from .joint_file import JOINT, days_due

SECONDS = 60.0
"""Between two updates of a watch and its metrics. A look reads the newest records itself."""

MOST_UNREAD = 8_000_000
"""Bytes of new records after which a watch is updated earlier: a look reads them in less than a second."""

METRICS = ".prom"
_SUFFIX = ".watch"

_sizes: dict[Path, int] = {}
"""By watch: the bytes of its release's open segments when it was last due."""


def due(home: Path) -> bool:
    """Return whether a watch is to be read or published, or a notification to be sent again."""
    return notifications.due(home) or any(_is_due(home, endpoint, version) for endpoint, version in _watches(home))


def update(home: Path) -> list[str]:
    """Read the new records into every watch, and publish it; return the messages of failures."""
    notifier = notifications.notifier(home)
    notifier.send_held()
    failures = []
    for endpoint, version in _watches(home):
        try:
            with maintenance_lock(home):  # a delete holds it: the folder that it removes is not made again
                if (drift_folder(home, endpoint) / f"{version}{_SUFFIX}").exists():
                    _update(home, endpoint, version, notifier)
        except Exception as error:  # noqa: BLE001 - a fault of one watch must not stop the others
            failures.append(f"the drift of {endpoint} {version} is not up to date: {error}")
    return failures


def _update(home: Path, endpoint: str, version: str, notifier: notifications.UserNotifier) -> None:
    from jupyter_deploy.domain.drift.report import drift_of

    from .drift_log import updated
    from .joint_days import JointDays
    from .publication import publish

    path = drift_folder(home, endpoint) / f"{version}{_SUFFIX}"
    before = path.stat()
    watched = updated(home, endpoint, version)
    read_elsewhere = before.st_mtime > _time_of(path.with_suffix(METRICS))
    if read_elsewhere or path.stat().st_ino != before.st_ino:  # a watch with new records is a new file
        publish(path.with_suffix(METRICS), drift_of(watched.state, endpoint, version), notifier)
    days = JointDays(home, endpoint, version)
    if days.due(now := datetime.now(UTC)):
        days.make_one(watched.state.reference, watched.rollup, now)


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


def _is_due(home: Path, endpoint: str, version: str) -> bool:
    """Whether the metrics of a watch are older than ``SECONDS``, and than the watch or the records of its release.

    Much that is unread is due earlier, and so is a past day whose joint shift may be missing.
    """
    watch = drift_folder(home, endpoint) / f"{version}{_SUFFIX}"
    try:
        read = watch.stat().st_mtime
        published = _time_of(watch.with_suffix(METRICS))
        segments = segments_in(home / RECORDS / endpoint / version)
        files = {segment: segment.path.stat() for segment in segments}
    except FileNotFoundError:
        return False
    size = sum(status.st_size for segment, status in files.items() if segment.form == "jsonl")
    before = min(_sizes.get(watch, size), size)  # less: some were compacted
    _sizes[watch] = before
    is_old = time.time() - (published or read) >= SECONDS
    found = (
        (is_old and (read > published or any(status.st_mtime > read for status in files.values())))
        or size - before > MOST_UNREAD
        or (published > 0 and days_due(watch.with_suffix(JOINT), datetime.now(UTC)))
    )
    if found:
        _sizes[watch] = size
    return found


def _time_of(path: Path) -> float:
    """Return the time of a file's last change; 0: there is none."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
