"""The file of a watch: ``<home>/drift/<endpoint>/<version>.watch``.

It holds the state and the counts by period, a line of JSON each, and the table of known clusters.

It is replaced whole, so a kill leaves the old or the new state. A damaged file, or one of another version, counts as
missing: the watch is made again from the records.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.drift.watch import CLUSTER_BITS, WatchState
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.monitoring.rollup import Rollup
from jupyter_deploy.records.segments import drift_folder, fsync, temporary, write_private
from jupyter_deploy.system.filesystem import write_error
from jupyter_deploy.system.home import private_folder

SUFFIX = ".watch"


class Stored(NamedTuple):
    """The content of a watch's file."""

    state: WatchState
    clusters: bytearray
    rollup: Rollup


class WatchFile:
    """The stored watch over one release."""

    def __init__(self, home: Path, endpoint: str, version: str) -> None:
        self.path = drift_folder(home, endpoint) / f"{version}{SUFFIX}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the watch's lock: one process at a time reads records into it.

        Raises
        ------
        StoreError
            The folder is not writable.
        """
        try:
            private_folder(self.path.parent)
            descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise write_error(self.path.parent, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def exists(self) -> bool:
        """Whether there is a watch."""
        return self.path.exists()

    def load(self) -> Stored | None:
        """Return the content; None: the file is missing, damaged or of another version."""
        try:
            head, *others = self.path.read_bytes().split(b"\n", 2)
            counts, table = others
            clusters = bytearray(zlib.decompress(table))
            state = WatchState.model_validate_json(head)
            rollup = Rollup.of_text(counts, now())
        except (OSError, zlib.error, ValueError, ValidationError):
            return None
        return Stored(state, clusters, rollup) if len(clusters) == CLUSTER_BITS // 8 else None

    def save(self, stored: Stored) -> None:
        """Replace the file.

        Raises
        ------
        StoreError
            The disk is full or not writable; the former state stays.
        """
        part = temporary(self.path)
        try:
            lines = (stored.state.model_dump_json().encode(), stored.rollup.text().encode())
            write_private(part, b"\n".join((*lines, zlib.compress(bytes(stored.clusters), 1))))
            fsync(part)
            part.replace(self.path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise write_error(self.path.parent, error) from error

    def touch(self) -> None:
        """Note that there were no new records."""
        os.utime(self.path)


def empty_clusters() -> bytearray:
    """Return a table without clusters."""
    return bytearray(CLUSTER_BITS // 8)


def beginning(state: WatchState) -> Stored:
    """Return the content of a watch that begins with a state."""
    return Stored(state, empty_clusters(), Rollup(now()))


__all__ = ["SUFFIX", "StoreError", "Stored", "WatchFile", "beginning", "empty_clusters"]
