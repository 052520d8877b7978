"""Large tables of records in columns: numbers as base64, since their JSON takes longer than most models.

A record's line has such a table as ``input_table`` or ``output_table`` in place of ``inputs`` or ``outputs``; readers
convert it to the same rows. Its JSON is ``{"columns": {NAME: COLUMN, …}}`` for rows that are objects, and a single
``COLUMN`` for the rows of an array. A ``COLUMN`` is a list of JSON values, or ``{"dtype", "shape", "data"}``: numbers
of NumPy in C order.
"""

from __future__ import annotations

import binascii
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..dispatch.parsed_request import Raw

if TYPE_CHECKING:  # NumPy starts threads at its import; a pool first chooses their number, and forks without any
    import numpy as np

    Column = np.ndarray[Any, Any] | list[Any]

LARGE = 4096
"""Values from which a table is recorded in columns; a smaller one is recorded in JSON rows, which people can read."""

_DTYPE = re.compile(r"\|[biu]1|<[iuf][248]")

_encode = msgspec.json.encode


class ColumnTable:
    """A table whose rows are written as JSON only where they are read.

    Parameters
    ----------
    columns
        Columns of one length by name, if a row is an object; an array, if a row is an item of it. Arrays hold numbers
        (``is_numeric``) and must not change; lists hold JSON values.
    """

    def __init__(self, columns: Mapping[str, Column] | np.ndarray[Any, Any]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        columns = self._columns
        return len(next(iter(columns.values()), ())) if isinstance(columns, Mapping) else len(columns)

    def without(self, names: Collection[str]) -> ColumnTable | list[Any]:
        """Return the rows without some columns; rows of an array stay."""
        if not isinstance(self._columns, Mapping):
            return self
        return self._named({name: column for name, column in self._columns.items() if name not in names})

    def only(self, names: Collection[str]) -> ColumnTable | list[Any]:
        """Return the rows with these columns alone; rows of an array, whose values have no names, become None."""
        if not isinstance(self._columns, Mapping):
            return [None] * len(self)
        return self._named({name: column for name, column in self._columns.items() if name in names})

    def json(self) -> Raw:
        """Return the rows in JSON; NaN becomes null."""
        return Raw(_encode(_rows(self._columns)))

    def encoded(self) -> bytes:
        """Return the columns in JSON, on one line."""
        if not isinstance(self._columns, Mapping):
            return _encoded(self._columns)
        columns = b",".join(_encode(name) + b":" + _encoded(column) for name, column in self._columns.items())
        return b'{"columns":{' + columns + b"}}"

    def _named(self, columns: dict[str, Column]) -> ColumnTable | list[Any]:
        return ColumnTable(columns) if columns else [{} for _ in range(len(self))]


def is_numeric(value: Any) -> bool:
    """Return whether a value is an array of booleans or numbers of at most 8 bytes each."""
    numpy = sys.modules.get("numpy")  # an array exists only after its import
    if numpy is None or not isinstance(value, numpy.ndarray):
        return False
    return bool(value.ndim > 0 and value.dtype.kind in "biuf" and value.itemsize <= 8)


def table_of(document: Any) -> ColumnTable:
    """Return an ``encoded`` table from its parsed JSON.

    Raises
    ------
    ValueError
        The document is damaged.
    """
    try:
        if "columns" not in document:
            return ColumnTable(_numbers(document))
        return ColumnTable(_of_one_length({name: _decoded(column) for name, column in document["columns"].items()}))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the table of a record is damaged: {error!r}") from error


def _of_one_length(columns: dict[str, Column]) -> dict[str, Column]:
    if len({len(column) for column in columns.values()}) != 1:
        raise ValueError("its columns have different lengths")
    return columns


def _rows(columns: Mapping[str, Column] | np.ndarray[Any, Any]) -> list[Any]:
    if not isinstance(columns, Mapping):
        return _listed(columns)
    values = zip(*map(_listed, columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _listed(column: Column) -> list[Any]:
    return column if isinstance(column, list) else list(column.tolist())


def _encoded(column: Column) -> bytes:
    if isinstance(column, list):
        return _encode(column)
    import numpy as np

    array = np.ascontiguousarray(column, column.dtype.newbyteorder("<"))
    about = _encode({"dtype": array.dtype.str, "shape": array.shape})[:-1]
    return b"".join((about, b',"data":"', binascii.b2a_base64(array.data, newline=False), b'"}'))


def _decoded(column: Any) -> Column:
    return column if isinstance(column, list) else _numbers(column)


def _numbers(column: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    shape: Sequence[int] = column["shape"]
    if not _DTYPE.fullmatch(column["dtype"]):
        raise ValueError(f"unknown dtype {column['dtype']!r}")
    import numpy as np

    data = binascii.a2b_base64(column["data"], strict_mode=True)
    array: np.ndarray[Any, Any] = np.frombuffer(data, column["dtype"]).reshape(shape)
    if not array.ndim:
        raise ValueError("it has no rows")
    return array
