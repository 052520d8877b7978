"""``DriftLog``: watches over releases, made of the snapshot's sketch and of the records."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.drift.drift import Drift, JointShift
from jupyter_deploy.domain.drift.report import drift_of
from jupyter_deploy.domain.drift.sketch import FeatureReader, ReferenceSketch
from jupyter_deploy.domain.drift.watch import WatchState
from jupyter_deploy.domain.monitoring.rollup import Rollup
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.store_ports import Watched
from jupyter_deploy.records.records import segments as files_of
from jupyter_deploy.records.segments import data_folder, reading
from jupyter_deploy.records.shipping import BucketOfHome
from jupyter_deploy.system.reference_sketches import sketch_of

from .batch_watch import BatchWatch
from .images import image_mean
from .joint_days import JointDays
from .new_records import CompactedEarly, in_order, unread
from .watch_file import Stored, WatchFile, beginning, empty_clusters


class WatchedDrift:
    """The DriftLog port.

    Parameters
    ----------
    home
        The folder of all state.
    bucket
        Its new records are read first.
    """

    def __init__(self, home: Path, bucket: BucketOfHome | None = None) -> None:
        self._home = home
        self._bucket = bucket or BucketOfHome(home, None)

    def prepare(self, release: Release, snapshot: Snapshot) -> None:
        """Begin the watch over a release, if there is none yet."""
        file = WatchFile(self._home, release.endpoint, release.version)
        if file.exists():
            return
        with file.locked():
            if not file.exists():
                file.save(beginning(_first_state(snapshot)))

    def look(self, release: Release, snapshot: Snapshot, *, since: datetime | None = None) -> Drift:
        """Read the new records, and return the drift since the watch began, or among the records since a moment."""
        state = self.watched(release, snapshot).state
        if since is not None:
            state = self._since(release, state, since)
        return drift_of(state, release.endpoint, release.tag, since)

    def watched(self, release: Release, snapshot: Snapshot) -> Watched:
        """Read the new records, and return the watch with its counts by period."""
        self._bucket.refresh(release.endpoint)
        self.prepare(release, snapshot)
        found = updated(self._home, release.endpoint, release.version, _first_state(snapshot))
        days, at = JointDays(self._home, release.endpoint, release.version), now()
        if days.due(at):
            days.make_one(found.state.reference, found.rollup, at)
        return found._replace(joint=days.known())

    def joint_shift(self, release: Release, *, since: datetime, until: datetime) -> JointShift | None:
        """Compare the inputs of a range with the first recorded ones; None: too few of either.

        Their features are those of the watch.
        """
        from .joint_shift import joint_shift  # a classifier, which the archivist does not need

        self._bucket.refresh(release.endpoint)
        file = WatchFile(self._home, release.endpoint, release.version)
        with file.locked():
            stored = file.load()
        if stored is None or stored.state.reference is None:
            return None
        reader = FeatureReader(stored.state.reference.columns, image_mean)
        folder = data_folder(self._home, release.endpoint)
        with reading(folder):
            files = files_of(self._home, release.endpoint, [release.version])
            return joint_shift(files, folder, reader, since=since, until=until)

    def _since(self, release: Release, known: WatchState, since: datetime) -> WatchState:
        """Return the state of a watch that begins at a moment, with the reference of the present one."""
        state = WatchState(reference=known.reference, images=known.images)
        folder = data_folder(self._home, release.endpoint)
        watch = BatchWatch(state, empty_clusters(), image_mean)
        with reading(folder):
            watch.add_all(in_order(folder, files_of(self._home, release.endpoint, [release.version]), since))
        return state


def first_state(signature: Signature, sketch: ReferenceSketch | None) -> WatchState:
    """Return the state of a watch that begins; ``sketch``: of the training table, None: it is not known."""
    schema = signature.instance_schema
    properties = schema.get("properties", {})
    images = tuple(name for name, one in properties.items() if one.get("contentMediaType") == "image/*")
    if schema.get("contentMediaType") == "image/*":
        images = ("input",)
    return WatchState(reference=sketch, images=images)


def _first_state(snapshot: Snapshot) -> WatchState:
    return first_state(snapshot.manifest.signature, sketch_of(snapshot))


def updated(
    home: Path, endpoint: str, version: str, first: WatchState | None = None, closed: Collection[str] = ()
) -> Watched:
    """Read the new records into a watch, and return it.

    Parameters
    ----------
    first
        The state of a watch that begins; None: that of the stored watch, which is needed then.
    closed
        See ``unread``.

    Raises
    ------
    StoreError
        The records cannot be read, or the watch cannot be written.
    """
    file, guard = WatchFile(home, endpoint, version), data_folder(home, endpoint)
    with file.locked():
        stored = file.load()
        if stored is None and first is None:  # damaged: the next look, which knows the snapshot, makes it again
            file.touch()
            return Watched(WatchState(), Rollup(now()))
        found = stored or beginning(first or WatchState())
        before = found.state.files
        with reading(guard):
            try:
                _read(found, guard / version, closed)
            except CompactedEarly:
                state = found.state
                reference = state.reference and state.reference.of_training
                found = beginning(first or WatchState(images=state.images, reference=reference))
                _read(found, guard / version, closed)
        found.rollup.fold()
        if stored is None or found.state.files != before:
            file.save(found)
        else:
            file.touch()
        return Watched(found.state, found.rollup)


def _read(watch: Stored, folder: Path, closed: Collection[str]) -> None:
    reader = BatchWatch(watch.state, watch.clusters, image_mean, watch.rollup)
    with _without_collector():
        reader.add_all(unread(folder, watch.state, closed))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the search for cycles: records are none, and it would look at each of them, and at all else, many times."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
