"""Limits of size and age: the oldest closed files are removed whole, and the removal is noted.

A file's time is the time of its last record (a Parquet file gets its segment's), by the clock of that moment. Uses only
the standard library, except to count the rows of a Parquet file.
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
    """Limits for an endpoint's records, for its feedback and for the ledger, each: bytes and seconds.

    ``max_seconds`` None: no age limit.
    """

    max_bytes: int
    max_seconds: float | None = None


@dataclass(frozen=True)
class _StemFiles:
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
class RetentionScope:
    """The folders that share a limit; the lock in ``guard`` protects their readers.

    The folders of an endpoint's releases, the folder of its feedback, or the ledger.
    """

    guard: Path
    folders: tuple[Path, ...]


def scopes(home: Path) -> list[RetentionScope]:
    """Return the scopes of a home: each endpoint's records, its feedback, and the ledger."""
    groups = [
        RetentionScope(segments.data_folder(home, endpoint), tuple(segments.release_folders(home, endpoint)))
        for endpoint in segments.endpoints(home)
    ]
    alone = [segments.feedback_folder(home, endpoint) for endpoint in segments.with_feedback(home)]
    return [*groups, *(RetentionScope(folder, (folder,)) for folder in [*alone, home / LEDGER])]


def clear(scope: RetentionScope, limits: Limits) -> Iterator[str]:
    """Remove files beyond the limits; yield a message for each. The caller holds ``maintenance_lock``."""
    guard = scope.guard
    oldest, expired = _expired(scope, limits)
    for kept in expired:
        counts = [_count_lines(segment) for segment in _readable_files(kept)]
        count = sum(lines or 0 for lines in counts)
        until = datetime.fromtimestamp(kept.time, UTC).isoformat()
        first = kept.files[0]
        read = _readable_files(kept)[0].path if _readable_files(kept) else first.path
        note = (guard, read, segments.inode(read), count, until)
        noted = _noted(*note)
        with segments.swapping(guard):
            _remove(kept)
        if not noted:  # the disk was full; the removal freed space
            segments.note_removal(*note)
        why = "older than the age limit" if kept.time < oldest else "beyond the size limit"
        what = "a damaged file, its lines not counted," if None in counts else f"{count} lines"
        yield f"{first.path.parent}: removed {what} up to {until}, {why} ({first.stem})"


def due(home: Path, limits: Limits) -> bool:
    """Return whether any file is beyond the limits."""
    return any(_expired(scope, limits)[1] for scope in scopes(home))


def _noted(guard: Path, path: Path, number: int | None, count: int, until: str) -> bool:
    try:
        segments.note_removal(guard, path, number, count, until)
    except OSError:
        return False
    return True


def _remove(kept: _StemFiles) -> None:
    # The segment before its Parquet file: a kill in between must not bring it back.
    for segment in sorted(kept.files, key=lambda s: ("jsonl", "parquet", "rejected").index(s.form)):
        if segment.form == "jsonl":
            with segments.claimed(segment) as closed:
                if not closed:
                    return
                segment.path.unlink()
        else:
            segment.path.unlink(missing_ok=True)


def _expired(scope: RetentionScope, limits: Limits) -> tuple[float, list[_StemFiles]]:
    """Return the moment before which files are too old, and the oldest closed files to remove."""
    kept = sorted((group for folder in scope.folders for group in _group_by_stem(folder)), key=lambda group: group.time)
    total = sum(group.size for group in kept)
    oldest = time.time() - limits.max_seconds if limits.max_seconds is not None else float("-inf")
    expired = []
    for group in kept:
        if total <= limits.max_bytes and group.time >= oldest:
            break
        if group.closed:
            expired.append(group)
            total -= group.size
    return oldest, expired


def _group_by_stem(folder: Path) -> list[_StemFiles]:
    by_stem: dict[str, list[Segment]] = {}
    for segment in segments.segments_in(folder):
        by_stem.setdefault(segment.stem, []).append(segment)
    groups = []
    for files in by_stem.values():
        try:
            stats = [segment.path.stat() for segment in files]
        except FileNotFoundError:
            continue  # it is being compacted: the next call sees it
        size = sum(stat.st_size for stat in stats)
        groups.append(_StemFiles(tuple(files), size, max(stat.st_mtime for stat in stats)))
    return groups


def _readable_files(kept: _StemFiles) -> list[Segment]:
    """Return the file of a stem that readers use."""
    compacted = [segment for segment in kept.files if segment.form == "parquet"]
    return compacted or [segment for segment in kept.files if segment.form == "jsonl"]


def _count_lines(segment: Segment) -> int | None:
    """Count the lines of a file; None: it is damaged, and is removed all the same."""
    if segment.form == "parquet":
        import duckdb  # not needed to check whether work is due

        from .records import database, quoted

        query = f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({quoted(str(segment.path))})"
        try:
            with database() as connection:
                return int(connection.execute(query).fetchall()[0][0] or 0)
        except (StoreError, duckdb.Error):
            return None
    with segment.path.open("rb") as file:
        return sum(1 for _ in file)
