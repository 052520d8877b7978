"""Watches over releases whose records are in a bucket, in a home that keeps no record once it is counted.

::

    bucket ── a day's files ──▶ home ── read ──▶ VERSION.watch, VERSION.prom
                                 └── removed

A file is known by its place afterwards, and is not fetched again. If a purge rewrites or removes one, the watch is made
again from all files; one that the bucket's own rules remove stays counted. Each step may be the last of a killed
process: the next pass goes on with what is there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jupyter_deploy.domain.bucket import PURGED, place_in_home
from jupyter_deploy.domain.drift.report import drift_of
from jupyter_deploy.domain.drift.watch import WatchState
from jupyter_deploy.domain.monitoring.drift_metrics import drift_metrics
from jupyter_deploy.records.bucket import Bucket
from jupyter_deploy.records.segments import data_folder, segments_in, swapping
from jupyter_deploy.records.shipping import Mirror
from jupyter_deploy.system.home import write_atomic

from .drift_log import updated
from .watch_file import WatchFile
from .watcher import METRICS


class BucketWatches:
    """The watches of a home that only reads.

    Parameters
    ----------
    home
        Its folder; records of its own would be removed.
    bucket
        Where the records are.
    """

    def __init__(self, home: Path, bucket: Bucket) -> None:
        self._home = home
        self._bucket = bucket
        self._mirror = Mirror(home, bucket)

    def read(self, endpoint: str, version: str, first: WatchState) -> None:
        """Read a release's new records into its watch, and write the watch's metrics next to it.

        Parameters
        ----------
        first
            The state of the watch if it begins now.

        Raises
        ------
        StoreError
            The bucket or a record cannot be read; what was counted stays.
        """
        fetched = segments_in(data_folder(self._home, endpoint) / version)  # by a process that was killed
        if fetched or not WatchFile(self._home, endpoint, version).exists():
            self._count(endpoint, version, first)
        for folder in self._new_days(endpoint, version):
            with self._mirror.open() as known:
                self._mirror.download(known, [folder])
            self._count(endpoint, version, first)

    def _new_days(self, endpoint: str, version: str) -> list[str]:
        """Return the folders of the bucket, oldest first, with files that were not fetched."""
        release = f"records/endpoint={endpoint}/release={version}/"
        found, purged = self._bucket.find(release[:-1]), release + PURGED
        there = {place: mark for place, mark in found.items() if place_in_home(place) or place == purged}
        with self._mirror.open() as known:
            mine = [place for place in known if place.startswith(release)]
            if not there.keys() >= set(mine):
                self._bucket.require()  # what is not known is counted
            rewritten = any(there.get(place, known[place]) != known[place] for place in mine)
            rewritten = rewritten or (purged in there and purged not in known)
            if rewritten:
                WatchFile(self._home, endpoint, version).path.unlink(missing_ok=True)
            for place in mine:
                if rewritten or place not in there:
                    del known[place]
            if purged in there:
                known[purged] = there.pop(purged)
            return sorted({place.rpartition("/")[0] for place in there if place not in known})

    def _count(self, endpoint: str, version: str, first: WatchState) -> None:
        watched = updated(self._home, endpoint, version, first)
        path = WatchFile(self._home, endpoint, version).path.with_suffix(METRICS)
        write_atomic(path, drift_metrics(drift_of(watched.state, endpoint, version), datetime.now(UTC)))
        guard = data_folder(self._home, endpoint)
        with swapping(guard):
            for segment in segments_in(guard / version):
                segment.path.unlink(missing_ok=True)
