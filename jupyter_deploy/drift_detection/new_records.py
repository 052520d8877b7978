"""The records of a release that a watch has not counted yet, each once, also after a compaction."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from jupyter_deploy.domain.drift.watch import WatchState
from jupyter_deploy.domain.evidence.inference import CountedRequest
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


class _Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    type: str
    message: str


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A line as releases write it: the fields of a record, of the same values to the last digit."""

    request_id: str
    pair_id: str | None
    moment: str = msgspec.field(name="ts")
    endpoint: str
    release: str
    role: str
    status: int
    latency_ms: float
    rows: int | None
    inputs: Any = None
    outputs: Any = None
    error: _Error | None = None
    redacted: tuple[str, ...] = ()
    sample: float = 1.0
    canary: str | None = None
    share: float | None = None
    cluster: str | None = None
    inputs_digest: str | None = None

    @property
    def ts(self) -> datetime:
        """The moment, without nanoseconds: msgspec would round them."""
        return datetime.fromisoformat(self.moment)


_DECODER = msgspec.json.Decoder(_Line)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6,9}Z")


class CompactedEarly(Exception):
    """A segment was compacted that was counted in part: the watch must be made again."""


def unread(folder: Path, state: WatchState, closed: Collection[str] = ()) -> Iterator[CountedRequest]:
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


def in_order(folder: Path, paths: list[Path], since: datetime | None = None) -> Iterator[CountedRequest]:
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


def _lines(segment: Segment, files: dict[str, int]) -> Iterator[CountedRequest]:
    """Yield the records of a segment's complete lines after the noted position, and note the new one."""
    with segment.path.open("rb") as file:
        file.seek(files.get(segment.stem, 0))
        for line in file:
            if not line.endswith(b"\n"):
                break
            files[segment.stem] = files.get(segment.stem, 0) + len(line)
            record = _counted(line)
            if record is not None:
                yield record


def _counted(line: bytes) -> CountedRequest | None:
    """Return the record of a line; None: it is none. Usual lines are decoded in a third of a record's time."""
    try:
        record = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # unusual: NaN, a table in columns, garbage
        return record_of_line(line)
    return record if _MOMENT.fullmatch(record.moment) and _is_moment(record) else record_of_line(line)


def _is_moment(record: _Line) -> bool:
    try:
        return bool(record.ts)
    except ValueError:  # the 31st of February
        return False
