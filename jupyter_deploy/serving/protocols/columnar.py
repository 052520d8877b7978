"""Bodies and responses as Arrow IPC streams and files, and as Parquet, if pyarrow is installed."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..dispatch.json_answers import numbers_of
from ..dispatch.parsed_request import ParsedRequest
from ..dispatch.predictions import Predictions
from ..values.columns import named
from ..values.decoding import Decoder
from .media_types import JSON, PARQUET, TABLES
from .request import Request
from .tables import Rows

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN = "prediction"

# Older versions execute code from an IPC body (CVE-2023-47248), or crash on malformed Parquet pages.
_OLDEST, _OLDEST_PARQUET = (14, 0, 1), (19, 0, 1)


class Columnar:
    """Tables as requests and responses of one model.

    Parameters
    ----------
    container
        The signature's container.
    """

    def __init__(self, decoder: Decoder, container: str, rows: Rows) -> None:
        self._decoder = decoder
        self._container = container
        self._rows = rows

    def parse(self, content: bytes, request: Request) -> ParsedRequest:
        """Parse a table.

        Raises
        ------
        Problem
            415: pyarrow is not installed. 400: the body is not a table. 413: the table is too large. 422: it has
            another form.
        """
        _require_pyarrow(request.media_type)
        from .arrow import table_in  # pyarrow only where tables are sent

        return self.of_table(table_in(content, request.media_type, request.limit))

    def of_table(self, table: pa.Table) -> ParsedRequest:
        """Parse a table of plain values, lists and structs.

        Raises
        ------
        Problem, InvalidInstances
            422: the table has another form.
        """
        names = table.column_names
        if self._container == "frame":
            return self.of_columns(names, [_values(column) for column in table.columns])
        if self._container in ("array", "tensor"):
            array = _array(table)
            if array is not None:
                return self._decoder.array(array)
        return self._of_rows(names, table.columns)

    def of_columns(self, names: Sequence[str], columns: Sequence[Any]) -> ParsedRequest:
        """Parse columns: NumPy or Arrow arrays, or lists of JSON values.

        Raises
        ------
        Problem, InvalidInstances
            422: the columns have another form.
        """
        if self._container == "frame":
            self._rows.instances(names, ())  # rejects repeated names
            return self._decoder.columns(dict(zip(names, columns, strict=True)))
        if self._container in ("array", "tensor") and columns and all(isinstance(c, np.ndarray) for c in columns):
            return self._decoder.array(np.column_stack(columns))
        return self._of_rows(names, columns)

    def _of_rows(self, names: Sequence[str], columns: Sequence[Any]) -> ParsedRequest:
        lists = [named(name, column) for name, column in zip(names, columns, strict=True)]
        if len(names) == 1 and not self._rows.by_name:  # a list a row, or a value a row
            return self._decoder.instances(lists[0])
        return self._decoder.instances(self._rows.instances(names, list(zip(*lists, strict=True))))

    def answer(self, native: Any, predictions: Predictions, request: Request) -> Response | None:
        """Return the answer as a table if the client asks for one, or sent one and does not ask for JSON; else None."""
        accept = request.headers.get(b"accept", b"")
        if b"vnd.apache" not in accept and request.headers.get(b"content-type") == b"application/json":
            return None  # the common case; the negotiation below is slow
        sent = request.media_type
        default = sent if sent in TABLES else JSON
        kind = request.preferred([default, *(kind for kind in (*TABLES, JSON) if kind != default)]) or default
        if kind == JSON:
            return None
        _require_pyarrow(kind)
        from .arrow import written

        return Response(200, written(table_of(native, predictions), kind), kind)


@cache
def _version() -> tuple[int, ...]:
    """Return the version of the installed pyarrow; empty if there is none."""
    try:
        version = importlib.metadata.version("pyarrow")
    except importlib.metadata.PackageNotFoundError:
        return ()
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())


def _require_pyarrow(kind: str) -> None:
    oldest, name = (_OLDEST_PARQUET, "Parquet") if kind == PARQUET else (_OLDEST, "Arrow")
    if _version() < oldest:
        least = ".".join(map(str, oldest))
        raise Problem(
            415,
            f"{name} needs pyarrow {least} or newer, which this release lacks: send and accept JSON, or run "
            f"`pip install 'pyarrow>={least}'` in the notebook's environment and deploy again",
        )


def _values(column: pa.ChunkedArray) -> Any:
    """Return a column of plain numbers as a NumPy array, any other as an Arrow array."""
    array = column.combine_chunks()
    if array.null_count == 0 and _is_number(array.type):
        return array.to_numpy(zero_copy_only=False)
    return array


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _array(table: pa.Table) -> np.ndarray[Any, Any] | None:
    """Return the numbers of the rows: those of all columns, or a single column's lists; None: others."""
    import pyarrow as pa

    columns = [column.combine_chunks() for column in table.columns]
    if any(column.null_count for column in columns):
        return None
    if len(columns) == 1 and pa.types.is_fixed_size_list(columns[0].type):
        sizes, inner = [], columns[0]
        while pa.types.is_fixed_size_list(inner.type):
            sizes.append(inner.type.list_size)
            inner = inner.flatten()
        if not _is_number(inner.type) or inner.null_count:
            return None
        flat: np.ndarray[Any, Any] = inner.to_numpy(zero_copy_only=False)
        return flat.reshape(len(columns[0]), *sizes)
    if columns and all(_is_number(column.type) for column in columns):
        return np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
    return None


def table_of(native: Any, predictions: Predictions) -> pa.Table:
    """Return the answer as a table: a frame's columns, or a column ``prediction``."""
    import pyarrow as pa

    if hasattr(native, "to_arrow"):  # polars
        return native.to_arrow()
    if hasattr(native, "iloc") and hasattr(native, "columns"):  # pandas
        return pa.Table.from_pandas(native, preserve_index=False)
    numbers = numbers_of(native)
    if numbers is not None:
        return pa.table({COLUMN: _nested(numbers)})
    values = json.loads(predictions.json)
    if values and all(isinstance(value, Mapping) and value.keys() == values[0].keys() for value in values):
        return pa.table({name: _column([value[name] for value in values]) for name in values[0]})
    return pa.table({COLUMN: _column(values)})


def _nested(array: np.ndarray[Any, Any]) -> Any:
    import pyarrow as pa

    nested = pa.array(np.ascontiguousarray(array).ravel())
    for size in reversed(array.shape[1:]):
        nested = pa.FixedSizeListArray.from_arrays(nested, size)
    return nested


def _column(values: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):  # mixed types: each value as JSON
        return pa.array([json.dumps(value, ensure_ascii=False) for value in values])
