"""Closed segments become Parquet: smaller, typed and sorted by time, so that a comparison reads few of the bytes.

One segment, one file of the same stem; nothing is merged, so no list has to say which segments a file holds.
The steps, each of which may be the last one of a killed process:

1. ``.part-STEM.v1.rejected`` and ``.part-STEM.v1.parquet`` are written: no reader looks at them.
2. They are renamed into place. From then on readers pass over the segment.
3. The segment is removed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    fetched,
    lines_of,
    quoted,
)
from .segments import LEDGER, VERSION, Segment

_ROW_GROUP = 50_000
"""Rows. A query for one moment or one request unpacks no more than one group of them."""

_BLANK = b" \t\r\n"
"""What a line that DuckDB passes over is made of."""


@dataclass(frozen=True)
class Kind:
    """What the lines of a folder are. ``valid``: SQL that holds for a line that could be read."""

    columns: dict[str, str]
    valid: str


RECORD = Kind(COLUMNS, VALID)
FEEDBACK_LINE = Kind(FEEDBACK_COLUMNS, FEEDBACK_VALID)
LEDGER_LINE = Kind(LEDGER_COLUMNS, f"({LEDGER_VALID} AND {AT} IS NOT NULL)")


def compact_all(home: Path) -> list[str]:
    """Compact every closed segment and every rotated file of the ledger; returns what failed, in words."""
    with segments.tending(home):
        failures = [failure for endpoint in segments.endpoints(home) for failure in compact_endpoint(home, endpoint)]
        failures += [
            failure for endpoint in segments.with_feedback(home) for failure in compact_feedback(home, endpoint)
        ]
        return failures + compact_ledger(home)


def compact_endpoint(home: Path, endpoint: str) -> list[str]:
    """Compact an endpoint's closed segments; the caller holds ``tending``."""
    guard = segments.data_folder(home, endpoint)
    folders = segments.release_folders(home, endpoint)
    return [failure for folder in folders for failure in _compact(folder, guard, RECORD)]


def compact_feedback(home: Path, endpoint: str) -> list[str]:
    """Compact what was told of an endpoint's answers; the caller holds ``tending``."""
    folder = segments.feedback_folder(home, endpoint)
    return _compact(folder, folder, FEEDBACK_LINE)


def compact_ledger(home: Path) -> list[str]:
    """Compact the ledger's files that the gateway no longer writes; the caller holds ``tending``."""
    return _compact(home / LEDGER, home / LEDGER, LEDGER_LINE)


def waiting(folder: Path) -> list[Segment]:
    """Segments that are still JSON lines and of a version that can be compacted."""
    found = [s for s in segments.segments_in(folder) if s.form == "jsonl" and s.version <= VERSION]
    return [s for s in found if s.stem not in segments.LIVE_LOGS]


def replace_with(query: str, target: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Write a query's rows as ``temporary(target)``."""
    connection.execute(
        f"COPY ({query}) TO {quoted(str(segments.temporary(target)))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
    )
    segments.temporary(target).chmod(0o600)


def _compact(folder: Path, guard: Path, kind: Kind) -> list[str]:
    with segments.swapping(guard):
        segments.sweep(folder)
    todo = waiting(folder)
    failures = []
    if not todo:
        return []
    with database() as connection:
        # In this order a row's number is its line's.
        connection.execute("SET threads = 1")
        connection.execute("SET preserve_insertion_order = true")
        for segment in todo:
            with segments.claimed(segment) as closed:
                if not closed:
                    continue
                try:
                    _compact_segment(connection, segment, guard, kind)
                except (StoreError, OSError, duckdb.Error) as error:
                    segments.sweep(folder)
                    failures.append(f"{segment.path} is not compacted: {error}")
    return failures


def _compact_segment(connection: duckdb.DuckDBPyConnection, segment: Segment, guard: Path, kind: Kind) -> None:
    before = segment.path.stat()
    if before.st_size == 0:
        segment.path.unlink()
        return
    parquet, rejected = segment.beside("parquet"), segment.beside("rejected")
    odd = _write(connection, segment.path, parquet, kind)
    if odd:
        lines = _chosen(segment.path, odd)
        segments.write_private(segments.temporary(rejected), b"".join(line.rstrip(b"\n") + b"\n" for line in lines))
    # A file's time is that of its last record: the age limit needs to open nothing.
    os.utime(segments.temporary(parquet), ns=(before.st_mtime_ns, before.st_mtime_ns))
    segments.put_in_place(guard, *([rejected] if odd else []), parquet)
    segment.path.unlink()  # nobody reads it any more


def _write(connection: duckdb.DuckDBPyConnection, source: Path, target: Path, kind: Kind) -> list[int]:
    """Write the readable lines as Parquet; the numbers of the others, from 1, not counting blank lines.

    Raises
    ------
    StoreError
        Not every line came out: then nothing may be removed.
    """
    names = ", ".join(kind.columns)
    fetched(
        connection,
        f"CREATE OR REPLACE TEMP TABLE read AS SELECT row_number() OVER () AS line, {names} "  # noqa: S608
        f"FROM {lines_of([source], kind.columns)}",
    )
    rows, good = connection.execute(f"SELECT count(*), count(*) FILTER ({kind.valid}) FROM read").fetchone()  # noqa: S608
    lines = _count(source)
    if rows != lines:
        raise StoreError(f"{rows} of {lines} lines were read")
    replace_with(f"SELECT {names} FROM read WHERE {kind.valid} ORDER BY {AT}, line", target, connection)  # noqa: S608
    written = connection.execute(
        f"SELECT count(*) FROM read_parquet({quoted(str(segments.temporary(target)))})"  # noqa: S608
    ).fetchone()[0]
    if written != good:
        raise StoreError(f"{written} of {good} records were written")
    return [row for (row,) in connection.execute(f"SELECT line FROM read WHERE NOT {kind.valid}").fetchall()]  # noqa: S608


def _count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip(_BLANK))


def _chosen(path: Path, numbers: Sequence[int]) -> list[bytes]:
    wanted = set(numbers)
    with path.open("rb") as file:
        lines = (line for line in file if line.strip(_BLANK))
        return [line for number, line in enumerate(lines, start=1) if number in wanted]
