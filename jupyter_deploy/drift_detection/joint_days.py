"""The joint shift of each day, made once: ``<home>/drift/<endpoint>/<version>.joint``.

A day's figure is made after its end (UTC), by the archivist or at a look, one day at a time: it reads records. The file
is removed with the watch by a purge or a deletion, and is then made again from the records that are left.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.drift.drift import JointShift
from jupyter_deploy.domain.drift.sketch import FeatureReader, ReferenceSketch
from jupyter_deploy.domain.monitoring.rollup import Rollup
from jupyter_deploy.records.records import segments as files_of
from jupyter_deploy.records.segments import data_folder, drift_folder, reading
from jupyter_deploy.system.home import write_atomic

from .images import image_mean
from .joint_file import JOINT, days_due
from .watch_file import WatchFile


class _Days(Value):
    """Figures by day; None: it had too few requests."""

    version: Literal[1] = 1
    days: dict[date, JointShift | None] = {}


class JointDays:
    """The stored figures of one release."""

    def __init__(self, home: Path, endpoint: str, version: str) -> None:
        self._home, self._endpoint, self._version = home, endpoint, version
        self._path = drift_folder(home, endpoint) / f"{version}{JOINT}"

    def due(self, now: datetime) -> bool:
        """Whether a day's figure may be missing."""
        return days_due(self._path, now)

    def known(self) -> tuple[JointShift, ...]:
        """Return the figures that there are, by day."""
        return tuple(found for _, found in sorted(self._load().items()) if found is not None)

    def make_one(self, reference: ReferenceSketch | None, rollup: Rollup, now: datetime) -> None:
        """Make the latest figure that is missing, if any.

        Raises
        ------
        StoreError
            The records cannot be read.
        """
        missing = set[date]()
        if reference is not None and reference.columns.get("inputs"):
            missing = _past_days(rollup, now) - self._load().keys()
        self._add({}, complete=True)  # now, so that a failure is not repeated before tomorrow
        if reference is None or not missing:
            return
        day = max(missing)
        self._add({day: self._made(reference, day)}, complete=len(missing) == 1)

    def _made(self, reference: ReferenceSketch, day: date) -> JointShift | None:
        from .joint_shift import joint_shift  # a classifier, which other looks do not need

        folder = data_folder(self._home, self._endpoint)
        with reading(folder):
            files = files_of(self._home, self._endpoint, [self._version])
            if not files:
                return None
            reader = FeatureReader(reference.columns, image_mean)
            since = _midnight(day)
            return joint_shift(files, folder, reader, since=since, until=since + timedelta(days=1))

    def _load(self) -> dict[date, JointShift | None]:
        try:
            return dict(_Days.model_validate_json(self._path.read_bytes()).days)
        except (OSError, ValidationError):
            return {}

    def _add(self, days: dict[date, JointShift | None], *, complete: bool) -> None:
        with WatchFile(self._home, self._endpoint, self._version).locked():
            write_atomic(self._path, _Days(days=self._load() | days).model_dump_json())
            if not complete:
                os.utime(self._path, (0, 0))


def _past_days(rollup: Rollup, now: datetime) -> set[date]:
    """Return the days with requests that are over, without the first one, which nothing precedes."""
    days = {datetime.fromtimestamp(start, UTC).date() for (start, _), _ in rollup.requests}
    return {day for day in days if min(days) < day < now.date()}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
