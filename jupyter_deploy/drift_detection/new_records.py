"""The records of a release that a watch has not counted yet, each once, also after a compaction."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from jupyter_deploy.domain.drift.watch import WatchState
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.records.records import (
    AT,
    COLUMNS,
    FIELDS,
    VALID,
    as_record,
    database,
    in_utc,
    lines_of,
    record_of_line,
)
from jupyter_deploy.records.segments import Segment, is_closed, readable

COMPLETE = -1
_AT_ONCE = 500


class CompactedEarly(Exception):
    """A segment was compacted that was counted in part: the watch must be made again."""


def unread(folder: Path, state: WatchState, closed: Collection[str] = ()) -> Iterator[Record]:
    """Yield the records that the state has not counted, about by time, and note in ``state.files`` what was read.

    The caller holds the lock of the records' readers.

    Parameters
    ----------
    closed
        Stems of segments that this process holds the writer's lock of.

    Raises
    ------
    CompactedEarly
        See there; nothing was yielded.
    """
    segments = readable(folder)
    present = {segment.stem for segment in segments}
    files = {stem: position for stem, position in state.files.items() if stem in present}
    compacted = [segment for segment in segments if segment.form == "parquet"]
    if any(files.get(segment.stem, COMPLETE) != COMPLETE for segment in compacted):
        raise CompactedEarly
    state.files = files
    new = [segment for segment in compacted if segment.stem not in files]
    if new:
        yield from in_order(folder, [segment.path for segment in new])
        files.update(dict.fromkeys((segment.stem for segment in new), COMPLETE))
    lines = [s for s in segments if s.form == "jsonl" and files.get(s.stem, 0) != COMPLETE]
    # A segment is complete if it had no writer *before* it was read.
    ended = {segment.stem for segment in lines if segment.stem in closed or is_closed(segment)}
    yield from heapq.merge(*(_lines(segment, files) for segment in lines), key=lambda record: record.ts)
    # A new segment is empty for an instant before its writer has the lock; it is not complete.
    files.update(dict.fromkeys((stem for stem in ended if files.get(stem)), COMPLETE))


def in_order(folder: Path, paths: list[Path], since: datetime | None = None) -> Iterator[Record]:
    """Yield the valid records of files, oldest first.

    Raises
    ------
    StoreError
        A file cannot be read.
    """
    with database(folder) as connection:
        query = f"SELECT {FIELDS} FROM {lines_of(paths, COLUMNS)} WHERE {VALID} AND {AT} >= ? ORDER BY {AT}"
        result = connection.execute(query, [in_utc(since)])
        while rows := result.fetchmany(_AT_ONCE):
            for row in rows:
                record = as_record(dict(zip(COLUMNS, row, strict=True)), encoded=True)
                if record is not None:
                    yield record


def _lines(segment: Segment, files: dict[str, int]) -> Iterator[Record]:
    """Yield the records of a segment's complete lines after the noted position, and note the new one."""
    with segment.path.open("rb") as file:
        file.seek(files.get(segment.stem, 0))
        for line in file:
            if not line.endswith(b"\n"):
                break
            files[segment.stem] = files.get(segment.stem, 0) + len(line)
            record = record_of_line(line)
            if record is not None:
                yield record
