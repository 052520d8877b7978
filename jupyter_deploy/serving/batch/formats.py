"""Tables in files: Parquet, CSV, JSON lines and Arrow, read and written in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

import msgspec
import pyarrow as pa
from pyarrow import csv, fs

from .places import PlaceError

BATCH_ROWS = 65_536
_BLOCK_BYTES = 8 * 1024 * 1024

SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
}

_CSV_TYPES = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "string": pa.string()}


def format_of(path: str) -> str:
    """Return the format of a file by the end of its name.

    Raises
    ------
    PlaceError
        The end is none of ``SUFFIXES``.
    """
    for suffix, kind in SUFFIXES.items():
        if path.lower().removesuffix(".gz").endswith(suffix):
            return kind
    raise PlaceError(f"{path} has none of the endings {', '.join(SUFFIXES)}")


def row_groups_of(system: fs.FileSystem, path: str) -> list[int]:
    """Return the rows of each row group of a Parquet file."""
    from pyarrow import parquet

    with system.open_input_file(path) as file:
        metadata = parquet.ParquetFile(file).metadata
        return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


def column_names(system: fs.FileSystem, path: str) -> list[str]:
    """Return the names of a file's columns."""
    kind = format_of(path)
    if kind == "parquet":
        from pyarrow import parquet

        with system.open_input_file(path) as file:
            return list(parquet.ParquetFile(file).schema_arrow.names)
    if kind == "arrow":
        with system.open_input_file(path) as file:
            return list(pa.ipc.open_file(file).schema.names)
    for batch in read(system, path, None, None, {}):
        return list(batch.schema.names)
    return []


def read(
    system: fs.FileSystem,
    path: str,
    row_groups: Sequence[int] | None,
    columns: Sequence[str] | None,
    schemas: Mapping[str, Mapping[str, Any]],
) -> Iterator[pa.Table]:
    """Yield the rows of a file in batches.

    Parameters
    ----------
    row_groups
        Of a Parquet file: the numbers of the row groups to read; None: all.
    columns
        The columns to read; None: all.
    schemas
        The JSON Schema of each feature, by which a CSV file's texts are numbers.
    """
    kind = format_of(path)
    if kind == "parquet":
        from pyarrow import parquet

        with system.open_input_file(path) as file:
            reader = parquet.ParquetFile(file)
            for batch in reader.iter_batches(
                BATCH_ROWS, row_groups=row_groups, columns=None if columns is None else list(columns), use_threads=False
            ):
                yield pa.Table.from_batches([batch])
        return
    if kind == "arrow":
        with system.open_input_file(path) as file:
            stored = pa.ipc.open_file(file)
            for number in range(stored.num_record_batches):
                table = pa.Table.from_batches([stored.get_batch(number)])
                table = table if columns is None else table.select(list(columns))
                for begin in range(0, table.num_rows, BATCH_ROWS):
                    yield table.slice(begin, BATCH_ROWS)
        return
    with system.open_input_stream(path) as stream:
        yield from (_csv if kind == "csv" else _json_lines)(stream, columns, schemas)


def _csv(stream: Any, columns: Sequence[str] | None, schemas: Mapping[str, Mapping[str, Any]]) -> Iterator[pa.Table]:
    types = {name: kind for name, schema in schemas.items() if (kind := _csv_type(schema)) is not None}
    if schemas:  # an id such as 00123 stays as it is
        types |= {name: pa.string() for name in columns or () if name not in schemas}
    options = csv.ConvertOptions(
        column_types=types, include_columns=None if columns is None else list(columns), strings_can_be_null=True
    )
    with csv.open_csv(
        stream, read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False), convert_options=options
    ) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _csv_type(schema: Mapping[str, Any]) -> Any:
    """Return the type of a CSV column; None: pyarrow finds it."""
    declared = schema.get("type")
    kinds = [kind for kind in (declared if isinstance(declared, list) else [declared]) if kind != "null"]
    if not kinds and "anyOf" in schema:
        kinds = [one.get("type") for one in schema["anyOf"] if one.get("type") != "null"]
    return _CSV_TYPES.get(str(kinds[0])) if len(kinds) == 1 else None


def _json_lines(stream: Any, columns: Sequence[str] | None, _: Mapping[str, Mapping[str, Any]]) -> Iterator[pa.Table]:
    from pyarrow import json as arrow_json

    with arrow_json.open_json(
        stream, read_options=arrow_json.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    ) as reader:
        for batch in reader:
            table = pa.Table.from_batches([batch])
            yield table if columns is None else table.select(list(columns))


class Writer(Protocol):
    """Writes tables of one schema into a file."""

    def write_table(self, table: pa.Table) -> None: ...


def writer(stream: Any, schema: pa.Schema, kind: str) -> AbstractContextManager[Writer]:
    """Return a writer of a format."""
    made: AbstractContextManager[Writer]
    if kind == "parquet":
        from pyarrow import parquet

        made = parquet.ParquetWriter(stream, schema)
    elif kind == "csv":
        made = csv.CSVWriter(stream, schema)
    elif kind == "arrow":
        made = pa.ipc.new_file(stream, schema)
    else:
        made = _JsonLines(stream)
    return made


class _JsonLines:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def write_table(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            self._stream.write(msgspec.json.encode(row, enc_hook=str) + b"\n")  # NaN becomes null
