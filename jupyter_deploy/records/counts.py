"""Counts of an endpoint's records that need no database, or seldom one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.evidence.record_pages import Refusal
from jupyter_deploy.serving.telemetry.records import REFUSED_FILE

from . import segments


class FileCounts:
    """The RecordCounts port, by the files in ``<home>/records``."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def removed(self, endpoint: str) -> int:
        """Count the records that were ever purged or cleared. Raises InvalidInput (an impossible name)."""
        return segments.removed(segments.data_folder(self._home, checked_name(endpoint))).count

    def refusals(self, endpoint: str, *, since: datetime) -> list[Refusal]:
        """Return the refused requests since a moment, the most frequent first.

        Releases note the time of the last one, so that no record is read if there is none.

        Raises InvalidInput (an impossible name), StoreError.
        """
        folders = segments.release_folders(self._home, checked_name(endpoint))
        if not any(_changed(folder / REFUSED_FILE) >= since.timestamp() for folder in folders):
            return []
        from . import refusals

        return refusals.read(self._home, endpoint, since=since)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
