"""Records as a table in one file: a row for each instance, a column for each of its fields. CSV or Parquet.

DuckDB streams the rows into the file, and sorts them on disk where memory does not suffice.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.record_pages import RecordFilter

from .record_filter import condition, load_differing
from .records import AT, COLUMNS, VALID, database, fetch_rows, lines_of, quoted, segments
from .segments import data_folder, reading

Format = Literal["csv", "parquet"]

_TYPES = {"number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN", "string": "VARCHAR"}
_OWN = ("request_id", "row", "ts", "release", "role", "status", "latency_ms")
"""Columns of each row, before the instance's own; ``predicted`` and ``error`` come last."""

_FORMATS = {"csv": "FORMAT csv, HEADER", "parquet": "FORMAT parquet, COMPRESSION zstd"}


def export(
    home: Path,
    endpoint: str,
    record_filter: RecordFilter,
    path: Path,
    kind: Format,
    *,
    columns: Mapping[str, str],
    answer: str,
) -> int:
    """Write the records that match the filter, oldest first; return the number of rows.

    A record without data (``record: meta``, or a refusal) is one row. The file appears when it is complete.

    Parameters
    ----------
    columns
        The instance's fields with their JSON types; other fields stay out. Without any, an instance is one column of
        JSON, ``instance``. A field with the name of another column keeps it; the other column gets an underscore.
    answer
        The JSON type of an answer.

    Raises
    ------
    InvalidInput
        The file exists, or cannot be written.
    StoreError
        A segment cannot be read.
    """
    if path.exists():
        raise InvalidInput(f"{path} exists already", "name a file that does not exist")
    folder = data_folder(home, checked_name(endpoint))
    private = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    partial = private / path.name
    try:
        private.mkdir(mode=0o700)  # DuckDB gives its file the mode that others may read
        with reading(folder), database(folder) as connection:
            connection.execute("SET preserve_insertion_order = true")
            load_differing(connection, home, endpoint, record_filter)
            source = _rows(lines_of(segments(home, endpoint), COLUMNS), condition(record_filter), columns, answer)
            written = fetch_rows(connection, f"COPY ({source}) TO {quoted(str(partial))} ({_FORMATS[kind]})")
        partial.chmod(0o600)
        os.link(partial, path)
    except FileExistsError as error:
        raise InvalidInput(f"{path} exists already", "name a file that does not exist") from error
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}", "name a file in a writable folder") from error
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return int(written[0][0])


def _rows(lines: str, wanted: str, columns: Mapping[str, str], answer: str) -> str:
    """Return SQL for one row of each instance."""
    own = {name: _free(name, columns) for name in (*_OWN, "predicted", "error")}
    fields = [
        *(f"{_value(name)} AS {_named(own[name])}" for name in _OWN),
        *(f"{_cell('instance', name, kind)} AS {_named(name)}" for name, kind in columns.items()),
        *(() if columns else ("instance::VARCHAR AS instance",)),
        f"{_typed('prediction', answer)} AS {_named(own['predicted'])}",
        f"error::VARCHAR AS {_named(own['error'])}",
    ]
    lists = ", ".join(f"unnest({_items(name)}) AS {one}" for name, one in _LISTS.items())
    each = (
        f"SELECT *, {lists}, generate_subscripts({_items('inputs')}, 1) - 1 AS place "
        f"FROM (SELECT * EXCLUDE (rows) FROM {lines} WHERE {VALID} AND ({wanted}))"
    )
    return f"SELECT {', '.join(fields)} FROM ({each}) ORDER BY {AT}, request_id, release, place"


_LISTS = {"inputs": "instance", "outputs": "prediction"}


def _items(column: str) -> str:
    """Return SQL for a list of JSON values: a value that is no list is its only item, and so is a missing one."""
    return f"CASE WHEN json_type({column}) = 'ARRAY' THEN CAST({column} AS JSON[]) ELSE [{column}] END"


def _value(name: str) -> str:
    values = {"ts": f"strftime({AT}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%fZ')", "row": "place"}
    return values.get(name, name)


def _cell(source: str, name: str, kind: str) -> str:
    key = name.replace("\\", "\\\\").replace('"', '\\"')
    path = quoted(f'$."{key}"')
    return _typed(f"json_extract({source}, {path})", kind)


def _typed(json: str, kind: str) -> str:
    """Return SQL for a JSON value as a value of SQL; a value of another type is null, and a nested one stays JSON."""
    text = f"CASE WHEN json_type({json}) = 'NULL' THEN NULL ELSE json_extract_string({json}, '$') END"
    known = _TYPES.get(kind)
    return text if known in (None, "VARCHAR") else f"TRY_CAST({text} AS {known})"


def _named(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _free(name: str, columns: Sequence[str] | Mapping[str, str]) -> str:
    while name in columns:
        name += "_"
    return name
