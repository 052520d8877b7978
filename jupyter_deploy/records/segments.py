"""Files of records, feedback and of the ledger: their names, their versions, who may touch them when.

A *segment* is JSON lines that one process writes. When it is closed it is compacted: ``STEM.v1.jsonl`` becomes
``STEM.v1.parquet``, and what could not be read ``STEM.v1.rejected``. Where both stand, the Parquet file is whole and
the segment is about to go: so each record is read once, wherever a compaction was killed.

The standard library alone: the archivist looks here every few seconds and must cost next to nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import StoreError

VERSION = 1
"""The version of records, feedback and ledger that this code writes, and the newest that it reads."""

_NAME = re.compile(r"(?P<stem>[^.].*?)\.v(?P<version>\d+)\.(?P<form>jsonl|parquet|rejected)")
_TEMPORARY = ".part-"

LEDGER = "ledger"
RECORDS = "records"
FEEDBACK = "feedback"
"""Beside the records' folder and not in it: each folder in there is a release's."""
LIVE_LOGS = ("edge", "shadow")
"""Stems in the ledger of the logs that the gateway writes to now; their names have no version."""


@dataclass(frozen=True)
class Segment:
    """One file; ``form`` is ``jsonl``, ``parquet`` or ``rejected``."""

    path: Path
    stem: str
    version: int
    form: str

    def beside(self, form: str) -> Path:
        """The file of the same stem in another form, as this code writes it."""
        return self.path.with_name(f"{self.stem}.v{VERSION}.{form}")


def segments_in(folder: Path) -> list[Segment]:
    """All segments of a folder, by name; other files are none. No folder, no segments.

    Raises
    ------
    StoreError
        The folder cannot be read.
    """
    found = []
    for name in names_in(folder):
        if match := _NAME.fullmatch(name):
            found.append(Segment(folder / name, match["stem"], int(match["version"]), match["form"]))
        elif name.removesuffix(".jsonl") in LIVE_LOGS:
            found.append(Segment(folder / name, name.removesuffix(".jsonl"), VERSION, "jsonl"))
    return found


def readable(folder: Path) -> list[Segment]:
    """What a reader reads: every Parquet file, and every segment that is none yet.

    Raises
    ------
    StoreError
        A newer version of this package wrote one of them: leaving it out would be an untrue answer.
    """
    found = [segment for segment in segments_in(folder) if segment.form != "rejected"]
    for segment in found:
        if segment.version > VERSION:
            raise StoreError(
                f"{segment.path} has version {segment.version}; this nbdeploy reads up to {VERSION}",
                "a newer nbdeploy wrote it: upgrade this one",
            )
    compacted = _compacted(found)
    return [segment for segment in found if segment.form == "parquet" or segment.stem not in compacted]


def _compacted(found: list[Segment]) -> set[str]:
    return {segment.stem for segment in found if segment.form == "parquet"}


def rejected_lines(folder: Path) -> int:
    """How many lines of compacted segments could not be read and were kept aside."""
    found = segments_in(folder)
    compacted = _compacted(found)
    kept = [s.path for s in found if s.form == "rejected" and s.stem in compacted]
    return sum(path.read_bytes().count(b"\n") for path in kept)


def release_folders(home: Path, endpoint: str) -> list[Path]:
    """The folders that hold an endpoint's segments, one a release."""
    folder = home / RECORDS / endpoint
    return [folder / name for name in names_in(folder) if (folder / name).is_dir()]


def endpoints(home: Path) -> list[str]:
    """The endpoints that have records."""
    return [name for name in names_in(home / RECORDS) if (home / RECORDS / name).is_dir()]


def data_folder(home: Path, endpoint: str) -> Path:
    """The folder whose lock guards an endpoint's records."""
    return home / RECORDS / endpoint


def feedback_folder(home: Path, endpoint: str) -> Path:
    """The folder of what was told of an endpoint's answers; its own lock guards it."""
    return home / FEEDBACK / endpoint


def with_feedback(home: Path) -> list[str]:
    """The endpoints that have a folder for feedback."""
    return [name for name in names_in(home / FEEDBACK) if (home / FEEDBACK / name).is_dir()]


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Within, no file of the folder (and of those in it) is replaced or removed by anybody who tends it."""
    with _locked(folder / ".lock", fcntl.LOCK_SH):
        yield


@contextmanager
def swapping(folder: Path) -> Iterator[None]:
    """Held for the moment in which files are replaced or removed; waits for those who read."""
    with _locked(folder / ".lock", fcntl.LOCK_EX):
        yield


@contextmanager
def tending(home: Path) -> Iterator[None]:
    """One at a time compacts, purges or clears away in a home."""
    with _locked(home / RECORDS / ".tending", fcntl.LOCK_EX):
        yield


@contextmanager
def claimed(segment: Segment) -> Iterator[bool]:
    """Whether the segment is closed; within, it stays so. Its writer holds a lock while it lives."""
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


def is_closed(segment: Segment) -> bool:
    """Whether nobody will write to it any more."""
    with claimed(segment) as closed:
        return closed


def temporary(path: Path) -> Path:
    """A name beside ``path`` that no reader looks at."""
    return path.with_name(f"{_TEMPORARY}{path.name}")


def write_private(path: Path, content: bytes) -> None:
    """A file that its owner alone may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def put_in_place(guard: Path, *paths: Path) -> None:
    """``temporary(path)``, brought to the disk, becomes ``path`` in one step, for each in turn.

    ``guard`` is the folder whose readers are waited for; they wait for the renames alone, and not for the disk.
    """
    for path in paths:
        fsync(temporary(path))
    with swapping(guard):
        for path in paths:
            temporary(path).replace(path)
    fsync(paths[0].parent)


def sweep(folder: Path) -> None:
    """Remove what a killed compaction or purge left half-written, and segments that are Parquet by now."""
    for name in names_in(folder):
        if name.startswith(_TEMPORARY):
            (folder / name).unlink(missing_ok=True)
    found = segments_in(folder)
    compacted = _compacted(found)
    for segment in found:
        if segment.form == "jsonl" and segment.stem in compacted:
            segment.path.unlink(missing_ok=True)
        if segment.form == "rejected" and segment.stem not in compacted:
            segment.path.unlink(missing_ok=True)  # its segment is still whole, or was cleared away


def close_open(folders: list[Path], seconds: float) -> list[Segment]:
    """Ask the workers to close what they write to now; those segments that are still open after ``seconds``.

    What they begin meanwhile is not waited for.
    """
    still = [s for folder in folders for s in segments_in(folder) if s.form == "jsonl" and not is_closed(s)]
    asked = [segment.path.with_name(f"{segment.path.name}.close") for segment in still]
    for path in asked:
        path.touch(mode=0o600)
    deadline = time.monotonic() + seconds
    while still and time.monotonic() < deadline:
        time.sleep(0.02)
        still = [segment for segment in still if segment.path.exists() and not is_closed(segment)]
    for path in asked:
        path.unlink(missing_ok=True)
    return still


@dataclass(frozen=True)
class Removed:
    """What was cleared away or purged, ever: ``count`` lines, the latest of them from ``until`` (ISO 8601, UTC)."""

    count: int = 0
    until: str = ""


def removed(folder: Path) -> Removed:
    """What is no longer there."""
    noted = _note(folder)
    count, until = int(noted.get("count", 0)), str(noted.get("until", ""))
    going = noted.get("going")
    if going and inode(folder / going["path"]) != going["inode"]:  # it was not killed before it had done so
        count, until = count + going["count"], max(until, going["until"])
    return Removed(count, until)


def note_removal(folder: Path, path: Path, number: int | None, count: int, until: str) -> None:
    """Write down that ``count`` lines go, before the file at ``path`` with the inode ``number`` is replaced or removed.

    They count from the moment in which another file stands there, or none.
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
    """Which file stands there; None: none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _note(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "removed.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    descriptor = None
    with suppress(OSError):  # no folder yet, or one that cannot be written: there is nobody to be guarded against
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if descriptor is None:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if descriptor is not None:
            fcntl.flock(descriptor, how)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def names_in(folder: Path) -> list[str]:
    """What is in a folder, by name; nothing where there is none.

    Raises
    ------
    StoreError
        It cannot be read.
    """
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are what is looked at
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{folder} cannot be read", "look at its owner and mode", str(error)) from error


def fsync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
