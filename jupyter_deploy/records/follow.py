"""New records as they are written, also while segments are closed, compacted and created."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.evidence.record_pages import RecordFilter

from .records import AT, COLUMNS, FIELDS, as_records, database, fetch_rows, lines_of, record_of_line
from .segments import Segment, data_folder, readable, reading, release_folders


@dataclass
class _FollowedSegment:
    """A segment and the position up to which it was read; the open file survives its compaction."""

    file: BinaryIO
    position: int
    seen: int

    @property
    def identity(self) -> tuple[int, int]:
        status = os.fstat(self.file.fileno())
        return status.st_dev, status.st_ino


class RecordFollower:
    """The records that are appended to an endpoint's segments from now on, also of new segments and new releases."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self._home, self._endpoint = home, checked_name(endpoint)
        self._followed: dict[Path, _FollowedSegment] = {}
        self._known: set[tuple[Path, str]] = set()
        with reading(data_folder(home, endpoint)):
            for segment in self._segments():
                self._known.add(_key(segment))
                if segment.form == "jsonl" and (followed := _open(segment.path)):
                    followed.seen = _size(followed.file)
                    followed.position = _after_last_newline(followed.file, followed.seen)
                    self._followed[segment.path] = followed

    def new(self) -> list[Record]:
        """Return the records since the last call, by time. An incomplete line is left for the next call."""
        records: list[Record] = []
        with reading(data_folder(self._home, self._endpoint)):
            segments = self._segments()
            lines = {segment.path for segment in segments if segment.form == "jsonl"}
            for path, followed in list(self._followed.items()):
                if path not in lines or followed.identity != _identity(path):
                    records += _read_on(path, followed)  # compacted or purged: its last lines were written before
                    self._followed.pop(path).file.close()
            for path in lines - self._followed.keys():
                if opened := _open(path):
                    self._followed[path] = opened
            # Created, closed and compacted since the last call.
            records += _read_all([s.path for s in segments if s.form == "parquet" and _key(s) not in self._known])
            for path, followed in self._followed.items():
                records += _read_on(path, followed)
            self._known = {_key(segment) for segment in segments}
        return sorted(records, key=lambda record: record.ts)

    def _segments(self) -> list[Segment]:
        return [s for folder in release_folders(self._home, self._endpoint) for s in readable(folder)]


def follow(
    tail: RecordFollower,
    refresh: Callable[[], None],
    wanted: RecordFilter,
    *,
    every: float,
) -> Iterator[Record]:
    """Yield the new records for ever; call ``refresh`` and look again after ``every`` seconds.

    Of the filter, the role, the status and the requests count.
    """
    while True:
        refresh()
        for record in tail.new():
            known = not wanted.request_ids or record.request_id in wanted.request_ids
            if known and wanted.role in (None, record.role) and wanted.status in (None, record.status):
                yield record
        time.sleep(every)


def _read_on(path: Path, followed: _FollowedSegment) -> list[Record]:
    size = _size(followed.file)
    if size == followed.seen:
        return []  # nothing was written: one stat a segment
    if size < followed.position:
        followed.position = 0
    records = []
    try:
        followed.file.seek(followed.position)
        for line in followed.file:
            if not line.endswith(b"\n"):
                break
            followed.position += len(line)
            if record := record_of_line(line):
                records.append(record)
    except OSError as error:
        raise StoreError(f"{path} cannot be read", "check its owner and mode", str(error)) from error
    followed.seen = size
    return records


def _read_all(files: list[Path]) -> list[Record]:
    if not files:
        return []
    with database(*{path.parent for path in files}) as connection:
        rows = fetch_rows(connection, f"SELECT {FIELDS} FROM {lines_of(files, COLUMNS)} ORDER BY {AT}")
    return as_records(rows)


def _key(segment: Segment) -> tuple[Path, str]:
    return segment.path.parent, segment.stem


def _open(path: Path) -> _FollowedSegment | None:
    try:
        return _FollowedSegment(path.open("rb"), 0, 0)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read", "check its owner and mode", str(error)) from error


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _after_last_newline(file: BinaryIO, size: int) -> int:
    block = 1 << 16
    end = size
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
