"""The records of releases, under ``<home>/records/<endpoint>/<version>/``: JSON lines, later Parquet.

Both are read as one table. A segment may end in a torn line (its writer was killed) and may hold garbage anywhere.
Valid lines are read, callers count the others, and all lines stay on disk.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from duckdb.sqltypes import BOOLEAN, VARCHAR
from pydantic import ValidationError

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.serving.values.column_table import table_of
from jupyter_deploy.system.temp import scratch_folder

from .segments import FEEDBACK, LEDGER, RECORDS, readable, release_folders

MEMORY_LIMIT = os.environ.get("NBDEPLOY_RECORDS_MEMORY") or "2GB"
"""Beyond this DuckDB spills to disk, which leaves memory to notebooks on the same machine; a pod has less."""

MOST_THREADS = 4

USUAL_LINE, LONGEST_LINE = 16 * 1024 * 1024, 256 * 1024 * 1024
"""Bytes. DuckDB holds twice this in memory for each thread, so the longest line is allowed only after a query fails."""

# Types are given, never inferred: one odd line must not change a column's type.
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
    "redacted": "JSON",
    "sample": "DOUBLE",
    "canary": "VARCHAR",
    "share": "DOUBLE",
    "cluster": "VARCHAR",
    "inputs_digest": "VARCHAR",
}
_TABLES = {"inputs": "input_table", "outputs": "output_table"}
"""Fields of a JSON line, and the fields that large tables have in their place (``serving/values/column_table.py``)."""

LEDGER_COLUMNS = {
    "ts": "VARCHAR",
    "pair_id": "VARCHAR",
    "request_id": "VARCHAR",
    "endpoint": "VARCHAR",
    "release": "VARCHAR",
    "role": "VARCHAR",
    # Envoy writes numbers or texts, depending on its log format.
    "status": "VARCHAR",
    "flags": "VARCHAR",
    "duration_ms": "DOUBLE",
    "method": "VARCHAR",
    "path": "VARCHAR",
    "record": "VARCHAR",
}
FEEDBACK_COLUMNS = {
    "ts": "VARCHAR",
    "item": "BIGINT",
    "endpoint": "VARCHAR",
    "request_id": "VARCHAR",
    "row": "BIGINT",
    "actual": "JSON",
}
AT = "ts"
# DuckDB returns a line that is not a JSON object as a row of NULLs, and a field of a wrong type as NULL.
VALID = f"""({AT} IS NOT NULL AND request_id IS NOT NULL AND endpoint IS NOT NULL AND release IS NOT NULL
    AND role IS NOT NULL AND status IS NOT NULL AND latency_ms IS NOT NULL)"""
FIELDS = ", ".join("ts::VARCHAR || 'Z'" if name == "ts" else name for name in COLUMNS)
"""The columns in the form that ``as_record`` expects."""

LEDGER_VALID = "(pair_id IS NOT NULL)"

FEEDBACK_VALID = f"({AT} IS NOT NULL AND endpoint IS NOT NULL AND request_id IS NOT NULL AND row IS NOT NULL)"


@contextmanager
def database(*folders: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB that spills into a private folder and never uses the network.

    Parameters
    ----------
    folders
        The folders that queries read; if a query fails, they are searched for a damaged Parquet file.

    Raises
    ------
    StoreError
        A file cannot be read (it is damaged or was removed), or the disk is full.
    """
    with scratch_folder("spill") as spill:  # 0700: it may hold the contents of records
        settings = {
            "temp_directory": str(spill),
            "memory_limit": MEMORY_LIMIT,
            "autoinstall_known_extensions": "false",
            "preserve_insertion_order": "false",  # every query has its own order
        }
        try:
            with duckdb.connect(config=settings) as connection:
                connection.execute("SET enable_progress_bar = false")  # it would corrupt the document on stdout
                connection.execute(f"SET VARIABLE longest_line = {USUAL_LINE}")
                threads = connection.execute("SELECT current_setting('threads')").fetchone()
                connection.execute(f"SET threads = {min(MOST_THREADS, int(threads[0]))}")
                connection.create_function(
                    "rows_of_table", _rows_of_table, [VARCHAR], VARCHAR, exception_handling="return_null"
                )
                connection.create_function("is_table", _is_table, [VARCHAR], BOOLEAN)
                yield connection
        except duckdb.OutOfMemoryException as error:
            raise _unreadable(error) from error
        except (duckdb.Error, UnicodeDecodeError) as error:  # the latter: a damaged file's bytes are in the message
            # DuckDB has no error class for damage, and does not always name the file.
            damaged = _damaged(_suspects(folders, error))
            if not damaged and not isinstance(error, duckdb.IOException | UnicodeDecodeError):
                raise
            raise _unreadable(error, damaged) from error


def fetch_rows(connection: duckdb.DuckDBPyConnection, query: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Return the rows of a query that reads ``lines_of`` records, also with very long lines.

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
    """Return SQL for the lines of JSONL and Parquet files as rows of ``columns``, with the ``filename``.

    A line that cannot be read is a row of NULLs, or one without ``ts``. ``ts`` is a TIMESTAMP_NS, in UTC. Tables in
    columns become rows.
    """
    names = ", ".join(columns)
    kinds = {**columns, "ts": "TIMESTAMP_NS", "filename": "VARCHAR"}
    no_rows = f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in kinds.items())} WHERE false"
    parts = []
    lines = [path for path in files if path.suffix != ".parquet"]
    if lines:
        tables = {field: table for field, table in _TABLES.items() if field in columns}
        types = ", ".join(
            f"{name}: '{kind}'" for name, kind in {**columns, **dict.fromkeys(tables.values(), "VARCHAR")}.items()
        )
        readable_line = " AND ".join(f"({table} IS NULL OR is_table({table}))" for table in tables.values()) or "true"
        values = "".join(
            f", CASE WHEN {table} IS NULL THEN {field} ELSE rows_of_table({table})::JSON END AS {field}"
            for field, table in tables.items()
        )
        parts.append(
            f"SELECT {names}, filename FROM (SELECT * REPLACE "
            f"(CASE WHEN {readable_line} THEN TRY_CAST(ts AS TIMESTAMP_NS) END AS ts{values}) "
            f"FROM read_json({listed(lines)}, format='newline_delimited', compression='uncompressed', "
            f"ignore_errors=true, filename=true, maximum_object_size=getvariable('longest_line'), columns={{{types}}}))"
        )
    compacted = [path for path in files if path.suffix == ".parquet"]
    if compacted:
        parts.append(f"SELECT {names}, filename FROM read_parquet({listed(compacted)}, filename=true)")
    if not parts:
        parts.append(no_rows)
    return f"({' UNION ALL '.join(parts)})"


def segments(home: Path, endpoint: str, versions: Sequence[str] | None = None) -> list[Path]:
    """Return the files of an endpoint's records, of all or of some releases; none if the folder is missing.

    Raises
    ------
    InvalidName
        ``endpoint`` is not a valid name.
    StoreError
        A newer version of this package wrote one of them.
    """
    checked_name(endpoint)
    folders = [folder for folder in release_folders(home, endpoint) if versions is None or folder.name in versions]
    return [segment.path for folder in folders for segment in readable(folder)]


_LONG_AGO = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)


def in_utc(moment: datetime | None) -> datetime:
    """Return a moment for DuckDB: naive, in UTC. A naive argument is local time; None is long ago."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else _LONG_AGO


def _unreadable(error: Exception, damaged: Sequence[Path] = ()) -> StoreError:
    if damaged:
        names = ", ".join(map(str, damaged))
        moved = "; ".join(f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.damaged')}" for path in damaged)
        remedy = f"the content of a damaged file is lost: move it away to read the others: {moved}"
        return StoreError(f"the records cannot be read: {names} is damaged", remedy, str(error))
    remedy = "try again; if the error persists, check the named file"
    return StoreError("the records cannot be read", remedy, str(error))


def _suspects(folders: Sequence[Path], error: Exception) -> list[Path]:
    """Return the Parquet files that the error names, else all."""
    files = [path for folder in folders for path in sorted(folder.rglob("[!.]*.parquet"))]
    return [path for path in files if str(path) in str(error)] or files


def _damaged(paths: Iterable[Path]) -> list[Path]:
    """Return the files whose values cannot be read, or that lack columns."""
    with duckdb.connect() as connection:  # one for all: opening it takes longer than reading a file
        return [path for path in paths if _is_damaged(path, connection)]


def _is_damaged(path: Path, connection: duckdb.DuckDBPyConnection) -> bool:
    # <home>/records/ENDPOINT/VERSION/FILE, <home>/feedback/ENDPOINT/FILE, <home>/ledger/FILE
    *_, above, folder, _ = path.parts
    columns = LEDGER_COLUMNS if folder == LEDGER and above not in (RECORDS, FEEDBACK) else COLUMNS
    columns = FEEDBACK_COLUMNS if above == FEEDBACK else columns
    try:
        # A hash needs every value; counts are in the metadata.
        values = f"SELECT max(hash({', '.join(columns)})) FROM read_parquet({listed([path])})"
        # A query with a condition may read a column's Bloom filter, and fail there alone. A probe's value is whatever
        # can be cast to the column's type.
        probed = {name: "2000-01-01" if name == AT else "1" for name in columns}
        filters = [
            f"SELECT count(*) FROM parquet_bloom_probe({quoted(str(path))}, {quoted(name)}, {quoted(value)})"
            for name, value in probed.items()
        ]
        connection.execute(f"SELECT {', '.join(f'({query})' for query in (values, *filters))}").fetchall()
    except (duckdb.Error, UnicodeDecodeError):
        return path.exists()
    return False


def _rows_of_table(table: str) -> str:
    return table_of(json.loads(table)).json().decode("utf-8")


def _is_table(table: str) -> bool:
    try:
        table_of(json.loads(table))
    except (ValueError, RecursionError):
        return False
    return True


def record_of_line(line: bytes) -> Record | None:
    """Return the record of a segment's line; None: it is none."""
    try:
        return Record.model_validate_json(line)  # pydantic parses and checks at once, in half of the time
    except ValidationError:
        pass  # a table in columns, or fields that a line may omit or add
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return as_record(fields, encoded=False) if isinstance(fields, dict) else None


def as_record(fields: dict[str, Any], *, encoded: bool) -> Record | None:
    """Return a record from a line's fields; None if they are not a record. ``encoded``: JSON columns are still text."""
    known = {name: fields[name] for name in COLUMNS if name in fields}
    for name, table in _TABLES.items():
        if fields.get(table) is not None:
            try:
                known[name] = json.loads(table_of(fields[table]).json())
            except ValueError:  # the line is damaged
                return None
    if encoded:
        for name in ("inputs", "outputs", "error", "redacted"):
            known[name] = None if known[name] is None else json.loads(known[name])
    try:
        # Lines omit default values.
        usual = {"redacted": known.get("redacted") or (), "sample": known.get("sample") or 1.0}
        return Record.model_validate({"pair_id": None, "rows": None} | known | usual)
    except ValidationError:
        return None


def as_records(rows: Iterable[Sequence[Any]]) -> list[Record]:
    """Return the records in rows of ``FIELDS``, without invalid ones."""
    records = (as_record(dict(zip(COLUMNS, row, strict=True)), encoded=True) for row in rows)
    return [record for record in records if record]


def listed(paths: Sequence[Path]) -> str:
    """Return files as a list in SQL."""
    names = ", ".join(quoted(re.sub(r"([*?\[])", r"[\1]", str(path))) for path in paths)  # paths are not patterns
    return f"[{names}]"


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
