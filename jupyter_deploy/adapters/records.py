"""The records that the releases write: JSONL segments under ``<home>/records/<endpoint>/<version>/``.

A segment may end in a torn line (its writer was killed) and may hold garbage anywhere. The good lines are read, the
others counted by whoever needs the count, and all of them stay on disk as they are.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from pydantic import ValidationError

from jupyter_deploy.domain.artifacts import checked_name
from jupyter_deploy.domain.errors import InvalidInput, StoreError
from jupyter_deploy.domain.inference import Record

from .scratch import scratch_folder

MEMORY_LIMIT = "2GB"
"""Beyond this DuckDB spills to disk instead of taking the memory of the notebook beside it."""

MOST_THREADS = 4

USUAL_LINE, LONGEST_LINE = 16 * 1024 * 1024, 256 * 1024 * 1024
"""Bytes. DuckDB holds twice this in memory for each thread, so room for the longest is made only when one is met."""

# Types are given, never guessed: one odd line must not change what a column is.
COLUMNS = {
    "request_id": "VARCHAR",
    "pair_id": "VARCHAR",
    "ts": "VARCHAR",
    "endpoint": "VARCHAR",
    "release": "VARCHAR",
    "role": "VARCHAR",
    "status": "BIGINT",
    "latency_ms": "DOUBLE",
    "rows": "BIGINT",
    "inputs": "JSON",
    "outputs": "JSON",
    "error": "JSON",
}
AT = "TRY_CAST(ts AS TIMESTAMP_NS)"
# A line that is no JSON object comes out of DuckDB as a row of NULLs: so does each field of a wrong type.
VALID = f"""({AT} IS NOT NULL AND request_id IS NOT NULL AND endpoint IS NOT NULL AND release IS NOT NULL
    AND role IS NOT NULL AND status IS NOT NULL AND latency_ms IS NOT NULL)"""


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that spills into a private folder and fetches nothing from the network.

    Raises
    ------
    StoreError
        A file cannot be read (or went away in between), or the disk is full.
    """
    with scratch_folder("spill") as spill:  # 0700: what spills is what the records hold
        settings = {
            "temp_directory": str(spill),
            "memory_limit": MEMORY_LIMIT,
            "autoinstall_known_extensions": "false",
            "preserve_insertion_order": "false",  # every query says its own order
        }
        try:
            with duckdb.connect(config=settings) as connection:
                connection.execute(f"SET VARIABLE longest_line = {USUAL_LINE}")
                threads = connection.execute("SELECT current_setting('threads')").fetchone()
                connection.execute(f"SET threads = {min(MOST_THREADS, int(threads[0]))}")
                yield connection
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise _unreadable(error) from error


def fetched(connection: duckdb.DuckDBPyConnection, query: str, values: Any = None) -> list[tuple[Any, ...]]:
    """The rows of a query that reads ``lines_of`` records, be a line as long as it may.

    Raises
    ------
    StoreError
        A line is longer than ``LONGEST_LINE``.
    """
    try:
        return list(connection.execute(query, values).fetchall())
    except duckdb.InvalidInputException as error:
        if "maximum_object_size" not in str(error):
            raise
    connection.execute(f"SET VARIABLE longest_line = {LONGEST_LINE}")
    connection.execute("SET threads = 1")
    try:
        return list(connection.execute(query, values).fetchall())
    except duckdb.InvalidInputException as error:
        raise _unreadable(error) from error


def lines_of(files: Sequence[Path], columns: dict[str, str]) -> str:
    """SQL for the lines of JSONL files as rows of ``columns``, with the ``filename``; no files, no rows.

    A line that cannot be read is a row of NULLs.
    """
    if not files:
        empty = ", ".join(f"NULL::{kind} AS {name}" for name, kind in [*columns.items(), ("filename", "VARCHAR")])
        return f"(SELECT {empty} WHERE false)"
    paths = ", ".join(_quoted(re.sub(r"([*?\[])", r"[\1]", str(path))) for path in files)  # no path is a pattern
    types = ", ".join(f"{name}: '{kind}'" for name, kind in columns.items())
    return (
        f"read_json([{paths}], format='newline_delimited', compression='uncompressed', ignore_errors=true, "
        f"filename=true, maximum_object_size=getvariable('longest_line'), columns={{{types}}})"
    )


def segments(home: Path, endpoint: str, versions: Sequence[str] | None = None) -> list[Path]:
    """An endpoint's segment files, all or those of some releases; none where there is no such folder.

    Raises
    ------
    InvalidName
        ``endpoint`` cannot be an endpoint's name.
    """
    folder = home / "records" / checked_name(endpoint)
    names = _listed(folder) if versions is None else versions
    return [folder / name / file for name in names for file in _listed(folder / name) if file.endswith(".jsonl")]


def in_utc(moment: datetime | None) -> datetime:
    """A moment as DuckDB compares it: naive, UTC. A naive one is local time; None is long ago."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else datetime(1970, 1, 1)  # noqa: DTZ001


def read(
    home: Path, endpoint: str, *, since: datetime | None, role: str | None, status: int | None, limit: int | None
) -> list[Record]:
    """Records by time, oldest first; with ``limit`` the last so many.

    Raises
    ------
    InvalidInput
        ``limit`` is negative.
    StoreError
        A segment cannot be read.
    """
    if limit is not None and limit < 0:
        raise InvalidInput(f"{limit} is no number of records", "give a limit of 0 or more")
    wanted = [VALID]
    values: list[Any] = []
    for condition, value in (
        (f"{AT} >= ?", since and in_utc(since)),
        ("role = ?", role),
        ("status = ?", status),
    ):
        if value is not None:
            wanted.append(condition)
            values.append(value)
    names = ", ".join(COLUMNS)
    query = (
        f"SELECT {names} FROM {lines_of(segments(home, endpoint), COLUMNS)} WHERE {' AND '.join(wanted)} "  # noqa: S608
        f"ORDER BY {AT} DESC, request_id DESC {'LIMIT ?' if limit is not None else ''}"
    )
    if limit is not None:
        values.append(limit)
    with database() as connection:
        rows = fetched(connection, query, values)
    found = (_record(dict(zip(COLUMNS, row, strict=True)), encoded=True) for row in reversed(rows))
    return [record for record in found if record]


class Tail:
    """What is appended to an endpoint's segments from now on, new segments and new releases included."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self._home, self._endpoint = home, endpoint
        self._seen: dict[Path, tuple[int, int]] = {}
        for path in segments(home, endpoint):
            size = _size(path)
            self._seen[path] = (_after_last_newline(path, size), size)

    def new(self) -> list[Record]:
        """Records since the last call, by time. A line without its end is left until it has one."""
        found: list[Record] = []
        paths = segments(self._home, self._endpoint)
        for path in paths:
            position, seen = self._seen.get(path, (0, 0))
            size = _size(path)
            if size == seen:
                continue  # nothing was written: an idle look costs one stat a segment
            position, records = _complete_lines(path, position if size >= position else 0)
            self._seen[path] = (position, size)
            found += records
        for gone in self._seen.keys() - set(paths):
            del self._seen[gone]
        return sorted(found, key=lambda record: record.ts)


def follow(tail: Tail, *, role: str | None, status: int | None, every: float) -> Iterator[Record]:
    """The records of ``tail``, for ever; looks again ``every`` so many seconds."""
    while True:
        for record in tail.new():
            if role in (None, record.role) and status in (None, record.status):
                yield record
        time.sleep(every)


def _unreadable(error: duckdb.Error) -> StoreError:
    remedy = "run it again; if it persists, look at the file that is named"
    return StoreError("the records cannot be read", remedy, str(error))


def _complete_lines(path: Path, position: int) -> tuple[int, list[Record]]:
    records = []
    try:
        with path.open("rb") as file:
            file.seek(position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                position += len(line)
                if record := _parsed(line):
                    records.append(record)
    except FileNotFoundError:
        pass  # purged or compacted since it was listed
    except OSError as error:
        raise StoreError(f"{path} cannot be read", "look at its owner and mode", str(error)) from error
    return position, records


def _parsed(line: bytes) -> Record | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return _record(fields, encoded=False) if isinstance(fields, dict) else None


def _record(fields: dict[str, Any], *, encoded: bool) -> Record | None:
    """A record from a line's fields; None if it is none. ``encoded``: JSON columns are still text."""
    known = {name: fields[name] for name in COLUMNS if name in fields}
    if encoded:
        for name in ("inputs", "outputs", "error"):
            known[name] = None if known[name] is None else json.loads(known[name])
    try:
        return Record.model_validate({"pair_id": None, "rows": None} | known)
    except ValidationError:
        return None


def _after_last_newline(path: Path, size: int) -> int:
    block = 1 << 16
    try:
        with path.open("rb") as file:
            end = size
            while end > 0:
                start = max(0, end - block)
                file.seek(start)
                at = file.read(end - start).rfind(b"\n")
                if at >= 0:
                    return start + at + 1
                end = start
    except OSError:
        return size
    return 0


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{folder} cannot be read", "look at its owner and mode", str(error)) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
