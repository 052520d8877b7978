"""A limit of size and one of age: the oldest closed files go, whole, and it is written down what went.

A file's time is that of its last record (a Parquet file gets its segment's), as the clock was when it was written. The
standard library alone, but for the number of rows in a Parquet file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jupyter_deploy.domain.errors import StoreError

from . import segments
from .segments import LEDGER, LIVE_LOGS, Segment


@dataclass(frozen=True)
class Limits:
    """How much is kept of an endpoint's records, of its feedback and of the ledger each: bytes, and seconds.

    ``max_seconds`` None: for ever.
    """

    max_bytes: int
    max_seconds: float | None = None


@dataclass(frozen=True)
class _Kept:
    """All files of one stem."""

    files: tuple[Segment, ...]
    size: int
    time: float

    @property
    def closed(self) -> bool:
        if any(segment.form == "parquet" for segment in self.files):
            return True
        return all(s.stem not in LIVE_LOGS and segments.is_closed(s) for s in self.files if s.form == "jsonl")


@dataclass(frozen=True)
class Place:
    """What a limit holds for: ``folders`` whose readers ``guard`` knows.

    They are those of an endpoint's releases, that of its feedback, or the ledger.
    """

    guard: Path
    folders: tuple[Path, ...]


def places(home: Path) -> list[Place]:
    """Every endpoint's records and its feedback, and the ledger."""
    found = [
        Place(segments.data_folder(home, endpoint), tuple(segments.release_folders(home, endpoint)))
        for endpoint in segments.endpoints(home)
    ]
    alone = [segments.feedback_folder(home, endpoint) for endpoint in segments.with_feedback(home)]
    return [*found, *(Place(folder, (folder,)) for folder in [*alone, home / LEDGER])]


def clear(place: Place, limits: Limits) -> Iterator[str]:
    """Remove what is beyond the limits; yields what was removed, in words. The caller holds ``tending``."""
    guard = place.guard
    oldest, gone = _beyond(place, limits)
    for kept in gone:
        counts = [_lines(segment) for segment in _read(kept)]
        count = sum(lines or 0 for lines in counts)
        until = datetime.fromtimestamp(kept.time, UTC).isoformat()
        first = kept.files[0]
        read = _read(kept)[0].path if _read(kept) else first.path
        note = (guard, read, segments.inode(read), count, until)
        noted = _noted(*note)
        with segments.swapping(guard):
            _remove(kept)
        if not noted:  # the disk was full; now there is room
            segments.note_removal(*note)
        why = "older than the age limit" if kept.time < oldest else "beyond the size limit"
        what = "a damaged file, its lines not counted," if None in counts else f"{count} lines"
        yield f"{first.path.parent}: removed {what} up to {until}, {why} ({first.stem})"


def due(home: Path, limits: Limits) -> bool:
    """Whether anything is beyond the limits."""
    return any(_beyond(place, limits)[1] for place in places(home))


def _noted(guard: Path, path: Path, number: int | None, count: int, until: str) -> bool:
    try:
        segments.note_removal(guard, path, number, count, until)
    except OSError:
        return False
    return True


def _remove(kept: _Kept) -> None:
    # The segment before its Parquet file: a kill in between must not bring it back.
    for segment in sorted(kept.files, key=lambda s: ("jsonl", "parquet", "rejected").index(s.form)):
        if segment.form == "jsonl":
            with segments.claimed(segment) as closed:
                if not closed:
                    return
                segment.path.unlink()
        else:
            segment.path.unlink(missing_ok=True)


def _beyond(place: Place, limits: Limits) -> tuple[float, list[_Kept]]:
    """The moment before which everything is too old, and the oldest closed files that have to go."""
    kept = sorted((one for folder in place.folders for one in _kept(folder)), key=lambda one: one.time)
    total = sum(one.size for one in kept)
    oldest = time.time() - limits.max_seconds if limits.max_seconds is not None else float("-inf")
    gone = []
    for one in kept:
        if total <= limits.max_bytes and one.time >= oldest:
            break
        if one.closed:
            gone.append(one)
            total -= one.size
    return oldest, gone


def _kept(folder: Path) -> list[_Kept]:
    by_stem: dict[str, list[Segment]] = {}
    for segment in segments.segments_in(folder):
        by_stem.setdefault(segment.stem, []).append(segment)
    found = []
    for files in by_stem.values():
        try:
            stats = [segment.path.stat() for segment in files]
        except FileNotFoundError:
            continue  # it is just being compacted: the next look sees it
        size = sum(stat.st_size for stat in stats)
        found.append(_Kept(tuple(files), size, max(stat.st_mtime for stat in stats)))
    return found


def _read(kept: _Kept) -> list[Segment]:
    """The file of a stem that readers read."""
    compacted = [segment for segment in kept.files if segment.form == "parquet"]
    return compacted or [segment for segment in kept.files if segment.form == "jsonl"]


def _lines(segment: Segment) -> int | None:
    """How many lines a file has; None: it is damaged, which is no reason to keep it."""
    if segment.form == "parquet":
        import duckdb  # who only looks whether anything is due needs no DuckDB

        from .records import database, quoted

        query = f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({quoted(str(segment.path))})"  # noqa: S608
        try:
            with database() as connection:
                return int(connection.execute(query).fetchall()[0][0] or 0)
        except (StoreError, duckdb.Error):
            return None
    with segment.path.open("rb") as file:
        return sum(1 for _ in file)
