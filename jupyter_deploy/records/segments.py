"""Files of records, feedback and ledger: names, versions and locks.

A *segment* is a file of JSON lines with one writer. Once closed it is compacted: ``STEM.v1.jsonl`` becomes
``STEM.v1.parquet``, and its unreadable lines ``STEM.v1.rejected``. If both exist, the Parquet file is complete and the
segment is about to be removed: so each record is read once, wherever a compaction was killed.

Uses only the standard library: the archivist runs this every few seconds at almost no cost.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.serving.telemetry.writers import WRITERS_FILE

VERSION = 1
"""The version of records, feedback and ledger that this code writes, and the newest that it reads."""

_NAME = re.compile(r"(?P<stem>[^.].*?)\.v(?P<version>\d+)\.(?P<form>jsonl|parquet|rejected)")
_TEMPORARY = ".part-"

LEDGER = "ledger"
RECORDS = "records"
FEEDBACK = "feedback"
"""Next to the records' folder and not in it, since each folder there belongs to a release."""
DRIFT = "drift"
"""The watches over the releases' drift, made of the records; a purge and a deletion remove them."""
LIVE_LOGS = ("edge", "shadow")
"""Stems of the ledger's logs that the gateway writes now; their names have no version."""


@dataclass(frozen=True)
class Segment:
    """One file; ``form`` is ``jsonl``, ``parquet`` or ``rejected``."""

    path: Path
    stem: str
    version: int
    form: str

    def sibling(self, form: str) -> Path:
        """Return the file of the same stem in another form, of the current version."""
        return self.path.with_name(f"{self.stem}.v{VERSION}.{form}")


def segments_in(folder: Path) -> list[Segment]:
    """Return all segments of a folder, by name; none if it is missing.

    Raises
    ------
    StoreError
        The folder cannot be read.
    """
    segments = []
    for name in names_in(folder):
        if match := _NAME.fullmatch(name):
            segments.append(Segment(folder / name, match["stem"], int(match["version"]), match["form"]))
        elif name.removesuffix(".jsonl") in LIVE_LOGS:
            segments.append(Segment(folder / name, name.removesuffix(".jsonl"), VERSION, "jsonl"))
    return segments


def readable(folder: Path) -> list[Segment]:
    """Return the files for readers: every Parquet file, and every segment without one.

    Raises
    ------
    StoreError
        A newer version of this package wrote one of them; without it the result would be wrong.
    """
    segments = [segment for segment in segments_in(folder) if segment.form != "rejected"]
    for segment in segments:
        if segment.version > VERSION:
            raise StoreError(
                f"{segment.path} has version {segment.version}; this nbdeploy reads up to {VERSION}",
                "a newer nbdeploy wrote it: upgrade this one",
            )
    compacted = _compacted(segments)
    return [segment for segment in segments if segment.form == "parquet" or segment.stem not in compacted]


def written_since(paths: Iterable[Path], moment: datetime) -> list[Path]:
    """Return the files that may have lines from this moment on: a line is not older than the file's last change."""
    return [path for path in paths if _last_change(path) >= moment.timestamp()]


def _last_change(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf  # the reader reports it


def _compacted(segments: list[Segment]) -> set[str]:
    return {segment.stem for segment in segments if segment.form == "parquet"}


def rejected_lines(folder: Path) -> int:
    """Count the unreadable lines of compacted segments."""
    segments = segments_in(folder)
    compacted = _compacted(segments)
    kept = [s.path for s in segments if s.form == "rejected" and s.stem in compacted]
    return sum(path.read_bytes().count(b"\n") for path in kept)


def release_folders(home: Path, endpoint: str) -> list[Path]:
    """Return the folders of an endpoint's segments, one per release."""
    folder = home / RECORDS / endpoint
    return [folder / name for name in names_in(folder) if (folder / name).is_dir()]


def endpoints(home: Path) -> list[str]:
    """Return the endpoints that have records."""
    return [name for name in names_in(home / RECORDS) if (home / RECORDS / name).is_dir()]


def data_folder(home: Path, endpoint: str) -> Path:
    """Return the folder whose lock guards an endpoint's records."""
    return home / RECORDS / endpoint


def feedback_folder(home: Path, endpoint: str) -> Path:
    """Return the folder of an endpoint's feedback; its own lock guards it."""
    return home / FEEDBACK / endpoint


def drift_folder(home: Path, endpoint: str) -> Path:
    """Return the folder of the watches over an endpoint's releases."""
    return home / DRIFT / endpoint


def with_feedback(home: Path) -> list[str]:
    """Return the endpoints that have feedback."""
    return [name for name in names_in(home / FEEDBACK) if (home / FEEDBACK / name).is_dir()]


def folders_of_segments(home: Path) -> list[Path]:
    """Return the folders of all records and all feedback."""
    folders = [folder for name in endpoints(home) for folder in release_folders(home, name)]
    return [*folders, *(feedback_folder(home, name) for name in with_feedback(home))]


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Hold the shared lock: no file in the folder or below is replaced or removed."""
    with _locked(folder / ".lock", fcntl.LOCK_SH):
        yield


@contextmanager
def swapping(folder: Path) -> Iterator[None]:
    """Hold the exclusive lock while files are replaced or removed; wait for readers."""
    with _locked(folder / ".lock", fcntl.LOCK_EX):
        yield


@contextmanager
def maintenance_lock(home: Path) -> Iterator[None]:
    """Hold the lock of a home's maintenance: one process at a time compacts, purges or clears."""
    with _locked(home / RECORDS / ".tending", fcntl.LOCK_EX):
        yield


@contextmanager
def claimed(segment: Segment) -> Iterator[bool]:
    """Yield whether the segment is closed, and keep it closed. Its writer holds a lock while it lives."""
    try:
        descriptor = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def has_writers(folder: Path) -> bool:
    """Return whether a process lives that may write segments into the folder, or a segment has a writer."""
    try:
        descriptor = os.open(folder / WRITERS_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        free = True
    else:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except OSError:
            free = False
        finally:
            os.close(descriptor)
    return not free or any(s.form == "jsonl" and not is_closed(s) for s in segments_in(folder))


def is_closed(segment: Segment) -> bool:
    """Return whether the segment has no writer any more."""
    with claimed(segment) as closed:
        return closed


def temporary(path: Path) -> Path:
    """Return the temporary name of ``path`` in the same folder, which readers ignore."""
    return path.with_name(f"{_TEMPORARY}{path.name}")


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def put_in_place(guard: Path, *paths: Path) -> None:
    """Sync ``temporary(path)`` to disk and rename it to ``path``, for each path in turn.

    Waits for the readers of the folder ``guard``; they wait for the renames only, not for the disk.
    """
    for path in paths:
        fsync(temporary(path))
    with swapping(guard):
        for path in paths:
            temporary(path).replace(path)
    fsync(paths[0].parent)


def sweep(folder: Path) -> None:
    """Remove the incomplete files of a killed compaction or purge, and segments that have a Parquet file."""
    for name in names_in(folder):
        if name.startswith(_TEMPORARY):
            (folder / name).unlink(missing_ok=True)
    segments = segments_in(folder)
    compacted = _compacted(segments)
    for segment in segments:
        if segment.form == "jsonl" and segment.stem in compacted:
            segment.path.unlink(missing_ok=True)
        if segment.form == "rejected" and segment.stem not in compacted:
            segment.path.unlink(missing_ok=True)  # its segment still exists, or was cleared


def close_open(folders: list[Path], seconds: float) -> list[Segment]:
    """Request workers to close their segments; return those that are still open after ``seconds``.

    Segments that they create meanwhile are not waited for.
    """
    found = [s for folder in folders for s in segments_in(folder) if s.form == "jsonl" and not is_closed(s)]
    return close(found, seconds)


def close(open_segments: list[Segment], seconds: float) -> list[Segment]:
    """Request workers to close these segments; return those that are still open after ``seconds``."""
    close_requests = [segment.path.with_name(f"{segment.path.name}.close") for segment in open_segments]
    for path in close_requests:
        path.touch(mode=0o600)
    deadline = time.monotonic() + seconds
    while open_segments and time.monotonic() < deadline:
        time.sleep(0.02)
        open_segments = [segment for segment in open_segments if segment.path.exists() and not is_closed(segment)]
    for path in close_requests:
        path.unlink(missing_ok=True)
    return open_segments


@dataclass(frozen=True)
class Removed:
    """All lines that were cleared or purged: ``count`` lines, the latest from ``until`` (ISO 8601, UTC)."""

    count: int = 0
    until: str = ""


def removed(folder: Path) -> Removed:
    """Return the count of removed lines."""
    noted = _read_note(folder)
    count, until = int(noted.get("count", 0)), str(noted.get("until", ""))
    going = noted.get("going")
    if going and inode(folder / going["path"]) != going["inode"]:  # the file was removed before the process was killed
        count, until = count + going["count"], max(until, going["until"])
    return Removed(count, until)


def note_removal(folder: Path, path: Path, number: int | None, count: int, until: str) -> None:
    """Note the removal of ``count`` lines before the file at ``path`` of the inode ``number`` is replaced or removed.

    They count once another file is stored at the path, or none.
    """
    done = removed(folder)
    going = {"path": str(path.relative_to(folder)), "inode": number, "count": count, "until": until}
    document = {"count": done.count, "until": done.until, "going": going}
    note = folder / "removed.json"
    write_private(temporary(note), json.dumps(document).encode())
    fsync(temporary(note))
    temporary(note).replace(note)
    fsync(folder)


def inode(path: Path) -> int | None:
    """Return the inode of a file; None: the file is missing."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _read_note(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / "removed.json").read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    descriptor = None
    with suppress(OSError):  # no folder yet, or a read-only one: no other process changes it
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if descriptor is None:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if descriptor is not None:
            fcntl.flock(descriptor, operation)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if it is missing.

    Raises
    ------
    StoreError
        The folder cannot be read.
    """
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are what is looked at
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{folder} cannot be read", "check its owner and mode", str(error)) from error


def fsync(path: Path) -> None:
    """Sync a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
