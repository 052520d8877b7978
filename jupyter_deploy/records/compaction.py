"""Compaction of closed segments to Parquet: smaller, typed and sorted by time, so that a comparison reads few bytes.

One segment becomes one file of the same stem; nothing is merged, so that no list of sources is needed.
The steps, of which each may be the last one of a killed process:

1. ``.part-STEM.v1.rejected`` and ``.part-STEM.v1.parquet`` are written; readers ignore them.
2. They are renamed into place. From then on readers skip the segment.
3. The segment is removed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from jupyter_deploy.domain.errors import StoreError

from . import segments
from .records import (
    AT,
    COLUMNS,
    FEEDBACK_COLUMNS,
    FEEDBACK_VALID,
    LEDGER_COLUMNS,
    LEDGER_VALID,
    VALID,
    database,
    fetch_rows,
    lines_of,
    quoted,
)
from .segments import LEDGER, VERSION, Segment

_ROW_GROUP = 50_000
"""Rows. A query for one moment or one request decompresses at most one row group."""

_BLANK = b" \t\r\n"
"""The bytes of a blank line, which DuckDB skips."""


@dataclass(frozen=True)
class LineFormat:
    """Columns of a folder's lines. ``valid``: SQL condition for a line that could be read."""

    columns: dict[str, str]
    valid: str


RECORD_FORMAT = LineFormat(COLUMNS, VALID)
FEEDBACK_FORMAT = LineFormat(FEEDBACK_COLUMNS, FEEDBACK_VALID)
LEDGER_FORMAT = LineFormat(LEDGER_COLUMNS, f"({LEDGER_VALID} AND {AT} IS NOT NULL)")


def compact_all(home: Path) -> list[str]:
    """Compact every closed segment and every rotated file of the ledger; return the messages of failures."""
    with segments.maintenance_lock(home):
        failures = [failure for endpoint in segments.endpoints(home) for failure in compact_endpoint(home, endpoint)]
        failures += [
            failure for endpoint in segments.with_feedback(home) for failure in compact_feedback(home, endpoint)
        ]
        return failures + compact_ledger(home)


def compact_endpoint(home: Path, endpoint: str, before: Callable[[Segment], None] = lambda _: None) -> list[str]:
    """Compact an endpoint's closed segments; the caller holds ``maintenance_lock``.

    ``before`` gets each segment before it is compacted; its writer has ended.
    """
    guard = segments.data_folder(home, endpoint)
    folders = segments.release_folders(home, endpoint)
    return [failure for folder in folders for failure in _compact(folder, guard, RECORD_FORMAT, before)]


def compact_feedback(home: Path, endpoint: str) -> list[str]:
    """Compact an endpoint's feedback; the caller holds ``maintenance_lock``."""
    folder = segments.feedback_folder(home, endpoint)
    return _compact(folder, folder, FEEDBACK_FORMAT)


def compact_ledger(home: Path) -> list[str]:
    """Compact the ledger's files that the gateway no longer writes; the caller holds ``maintenance_lock``."""
    return _compact(home / LEDGER, home / LEDGER, LEDGER_FORMAT)


def waiting(folder: Path) -> list[Segment]:
    """Return the segments that are still JSON lines, of a version that can be compacted."""
    segments_found = [s for s in segments.segments_in(folder) if s.form == "jsonl" and s.version <= VERSION]
    return [s for s in segments_found if s.stem not in segments.LIVE_LOGS]


def replace_with(query: str, target: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Write a query's rows as ``temporary(target)``."""
    connection.execute(
        f"COPY ({query}) TO {quoted(str(segments.temporary(target)))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
    )
    segments.temporary(target).chmod(0o600)


def _compact(
    folder: Path, guard: Path, line_format: LineFormat, before: Callable[[Segment], None] = lambda _: None
) -> list[str]:
    with segments.swapping(guard):
        segments.sweep(folder)
    closed_segments = waiting(folder)
    failures = []
    if not closed_segments:
        return []
    with database() as connection:
        # In this order a row's number is the number of its line.
        connection.execute("SET threads = 1")
        connection.execute("SET preserve_insertion_order = true")
        for segment in closed_segments:
            with segments.claimed(segment) as closed:
                if not closed:
                    continue
                try:
                    before(segment)
                    _compact_segment(connection, segment, guard, line_format)
                except (StoreError, OSError, duckdb.Error) as error:
                    segments.sweep(folder)
                    failures.append(f"{segment.path} is not compacted: {error}")
    return failures


def _compact_segment(
    connection: duckdb.DuckDBPyConnection, segment: Segment, guard: Path, line_format: LineFormat
) -> None:
    before = segment.path.stat()
    if before.st_size == 0:
        segment.path.unlink()
        return
    parquet, rejected = segment.sibling("parquet"), segment.sibling("rejected")
    unreadable = _write(connection, segment.path, parquet, line_format)
    if unreadable:
        lines = _select_lines(segment.path, unreadable)
        segments.write_private(segments.temporary(rejected), b"".join(line.rstrip(b"\n") + b"\n" for line in lines))
    # A file's time is the time of its last record, so that the age limit opens no file.
    os.utime(segments.temporary(parquet), ns=(before.st_mtime_ns, before.st_mtime_ns))
    segments.put_in_place(guard, *([rejected] if unreadable else []), parquet)
    segment.path.unlink()  # no reader uses it any more


def _write(connection: duckdb.DuckDBPyConnection, source: Path, target: Path, line_format: LineFormat) -> list[int]:
    """Write the readable lines as Parquet; return the numbers of the others, from 1, without blank lines.

    Raises
    ------
    StoreError
        Not every line was written; nothing may be removed.
    """
    names = ", ".join(line_format.columns)
    fetch_rows(
        connection,
        f"CREATE OR REPLACE TEMP TABLE read AS SELECT row_number() OVER () AS line, {names} "
        f"FROM {lines_of([source], line_format.columns)}",
    )
    rows, good = connection.execute(f"SELECT count(*), count(*) FILTER ({line_format.valid}) FROM read").fetchone()
    lines = _count(source)
    if rows != lines:
        raise StoreError(f"{rows} of {lines} lines were read")
    replace_with(f"SELECT {names} FROM read WHERE {line_format.valid} ORDER BY {AT}, line", target, connection)
    written = connection.execute(
        f"SELECT count(*) FROM read_parquet({quoted(str(segments.temporary(target)))})"
    ).fetchone()[0]
    if written != good:
        raise StoreError(f"{written} of {good} records were written")
    return [row for (row,) in connection.execute(f"SELECT line FROM read WHERE NOT {line_format.valid}").fetchall()]


def _count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip(_BLANK))


def _select_lines(path: Path, numbers: Sequence[int]) -> list[bytes]:
    numbers_of_lines = set(numbers)
    with path.open("rb") as file:
        lines = (line for line in file if line.strip(_BLANK))
        return [line for number, line in enumerate(lines, start=1) if number in numbers_of_lines]
