"""Conversion between bytes and Arrow tables, within the limit whatever sizes a body declares."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..asgi.body import too_large
from ..asgi.problems import Problem
from .arrow_messages import announced, announced_in_file
from .media_types import FILE, PARQUET
from .parquet_pages import announced_in_pages

_TYPES = pa.types

# Empty batches cost time and no bytes.
_MAX_BATCHES = 10_000


def table_in(content: bytes, kind: str, limit: int) -> pa.Table:
    """Read the table in a body; each column holds plain values, lists or structs.

    Raises
    ------
    Problem
        400: the body is not a table. 413: its values need more than ``limit`` bytes. 422: a column has another type.
    """
    name = "Parquet" if kind == PARQUET else "an Arrow IPC file" if kind == FILE else "an Arrow IPC stream"
    try:
        read = _parquet if kind == PARQUET else _file if kind == FILE else _stream
        schema, batches = read(content, limit)
        kept = []
        left = limit
        for batch in batches:
            batch.validate(full=True)
            left -= sum(_dense_bytes(array, field.name) for field, array in zip(schema, batch.columns, strict=True))
            if left < 0:
                raise too_large(limit)
            kept.append(batch)
            if len(kept) > _MAX_BATCHES:
                raise Problem(413, f"the table has more than {_MAX_BATCHES} batches; send larger ones")  # noqa: TRY301
        return dense(pa.Table.from_batches(kept, schema))
    except Problem:
        raise
    # The errors that pyarrow raises for malformed bytes.
    except (pa.ArrowException, LookupError, OSError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Problem(
            400, f"the body is not {name}: {str(error).splitlines()[0][:200] if str(error) else error}"
        ) from error


def written(table: pa.Table, kind: str) -> bytes:
    """Write a table in the media type ``kind``."""
    sink = io.BytesIO()
    if kind == PARQUET:
        from pyarrow import parquet  # only where it is spoken

        parquet.write_table(table, sink)
        return sink.getvalue()
    with (pa.ipc.new_file if kind == FILE else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _file(content: bytes, limit: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if announced_in_file(content) > limit:
        raise too_large(limit)
    reader = pa.ipc.open_file(pa.py_buffer(content))
    return reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))


def _stream(content: bytes, limit: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    buffer = pa.py_buffer(content)
    left = limit
    for message in _until_end(pa.ipc.MessageReader.open_stream(buffer)):
        left -= announced(message.metadata, message.body)
        if left < 0:
            raise too_large(limit)
    reader = pa.ipc.open_stream(buffer)
    return reader.schema, iter(reader)


def _until_end(messages: Any) -> Iterator[Any]:
    while True:
        try:
            yield messages.read_next_message()
        except StopIteration:
            return


def _parquet(content: bytes, limit: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    from pyarrow import parquet

    # Objects for the metadata of a row group or a column are not made: if it is malformed, they end the process.
    source = pa.BufferReader(content)
    file = parquet.ParquetFile(source)
    if announced_in_pages(content) > limit:
        raise too_large(limit)
    columns, texts, widths = file.schema, [], 0
    for at, field in enumerate(file.schema_arrow):
        if _TYPES.is_nested(field.type):
            raise _other_type(field.name, field.type, "lists in Parquet are not supported; send Arrow")
        if isinstance(field.type, pa.BaseExtensionType):  # its values may be nested
            raise _other_type(field.name, field.type, "this column type is not supported; send plain values")
        column = columns.column(at)
        widths += max(1, _width(field.type), column.length)
        if column.physical_type == "BYTE_ARRAY":
            if _TYPES.is_decimal(field.type):
                raise _other_type(field.name, field.type, "decimals of any length are not supported; send floats")
            texts.append(field.name)
    if file.metadata.num_rows * widths > limit:
        raise too_large(limit)
    if texts:  # they keep their dictionary until their decoded length is known
        file = parquet.ParquetFile(source, metadata=file.metadata, read_dictionary=texts)
    return file.schema_arrow, file.iter_batches(use_threads=False)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        _TYPES.is_string(kind) or _TYPES.is_large_string(kind) or _TYPES.is_binary(kind) or _TYPES.is_large_binary(kind)
    )


def _width(kind: pa.DataType) -> int:
    try:
        return int(kind.bit_width) // 8
    except ValueError:
        return 0


def _other_type(name: str, kind: pa.DataType, words: str) -> Problem:
    message = f"is a column of {str(kind)[:80]}: {words}"
    return Problem(
        422, f"the table does not fit: {name[:80]}: {message}", [{"loc": ["instances", name[:80]], "msg": message}]
    )


def _dense_bytes(array: pa.Array, name: str) -> int:
    """Return the bytes of an array's values without dictionaries and views, counting at least one byte a value."""
    return len(array) + _content_bytes(array, name)


def _content_bytes(array: pa.Array, name: str) -> int:
    kind = array.type
    if _TYPES.is_null(kind):
        return 0
    if _TYPES.is_primitive(kind) or _is_text(kind) or _TYPES.is_decimal(kind) or _TYPES.is_fixed_size_binary(kind):
        return int(array.nbytes)
    if _TYPES.is_dictionary(kind):
        return _dictionary_bytes(array, name)
    if _TYPES.is_string_view(kind) or _TYPES.is_binary_view(kind):
        lengths = np.frombuffer(array.buffers()[1] or b"", np.int32)[::4][array.offset : array.offset + len(array)]
        return int(lengths.sum(dtype=np.int64))
    if _TYPES.is_list(kind) or _TYPES.is_large_list(kind) or _TYPES.is_fixed_size_list(kind):
        return _dense_bytes(array.flatten(), name)
    if _TYPES.is_struct(kind):
        return sum(_dense_bytes(inner, name) for inner in array.flatten())
    raise _other_type(name, kind, "this column type is not supported; send plain values, lists or structs")


def _dictionary_bytes(array: pa.Array, name: str) -> int:
    values = array.dictionary
    if not _is_text(values.type):
        return len(array) * _width(values.type) + _dense_bytes(values, name)
    lengths = pc.take(pc.cast(pc.binary_length(values), pa.int64()), array.indices)
    return int(pc.sum(lengths).as_py() or 0)


def dense(table: pa.Table) -> pa.Table:
    """Replace dictionaries and views with plain values."""
    for at, field in enumerate(table.schema):
        if _TYPES.is_dictionary(field.type):
            plain = field.type.value_type
        elif _TYPES.is_string_view(field.type):
            plain = pa.large_string()
        elif _TYPES.is_binary_view(field.type):
            plain = pa.large_binary()
        else:
            continue
        table = table.set_column(at, field.name, table.column(at).cast(plain))
    return table
