"""Requests that arrive as columns or arrays, of NumPy or Arrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from ..dispatch.parsed_request import ParsedRequest, Raw
from .column_table import LARGE, ColumnTable, is_numeric
from .json_values import to_json
from .msgspec_types import NoFastPath, RowStruct
from .validation import InvalidInstances


class LazyParsedRequest(ParsedRequest):
    """A parsed request whose ``inputs`` are converted for the record on first use, which is slow for many columns.

    The columns must not change in between.
    """

    __slots__ = ("_written",)

    def __init__(self, content: Any, rows: int, write: Callable[[], Raw | ColumnTable]) -> None:
        self.content = content
        self.rows = rows
        self._written: Callable[[], Raw | ColumnTable] | Raw | ColumnTable = write

    @property
    def inputs(self) -> Raw | ColumnTable:  # type: ignore[override]  # read-only
        if not isinstance(self._written, Raw | ColumnTable):
            self._written = self._written()
        return self._written


def plain(column: Any) -> list[Any]:
    """Return the JSON values of a column or an array; a list has them already."""
    if isinstance(column, list):
        return column
    values: list[Any] = to_json(column if isinstance(column, np.ndarray) else column.to_pylist())
    return values


def named(name: str, column: Any) -> list[Any]:
    """Return the JSON values of the column ``name``.

    Raises
    ------
    InvalidInstances
        Python has no object for a value of an Arrow array, such as a moment after the year 9999.
    """
    try:
        return plain(column)
    except Exception as error:  # pyarrow raises a class of its own for each type
        row = next(number for number, value in enumerate(column) if not _is_readable(value))
        message = f"is not a value that can be read: {error}"
        raise InvalidInstances([{"loc": ["instances", row, name], "msg": message}]) from error


def _is_readable(value: Any) -> bool:
    try:
        value.as_py()
    except Exception:  # noqa: BLE001  as above
        return False
    return True


def as_numpy(column: Any) -> np.ndarray[Any, Any]:
    """Return a column as a read-only array; nulls among numbers become NaN.

    Raises
    ------
    NoFastPath
        The conversion would need a Python object for each value.
    """
    if isinstance(column, np.ndarray):
        return column
    try:
        array: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    except Exception as error:  # Arrow has types that NumPy lacks
        raise NoFastPath(str(error)) from error
    return array


def length_of(columns: Mapping[str, Any]) -> int:
    """Return the number of rows of all columns.

    Raises
    ------
    InvalidInstances
        The columns have different lengths.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        (least, fewest), *_, (most, many) = sorted(lengths.items(), key=lambda item: item[1])
        message = f"all columns must have one length: '{least}' has {fewest}, '{most}' has {many}"
        raise InvalidInstances([{"loc": ["instances"], "msg": message}])
    return next(iter(lengths.values()), 0)


def rows_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows as objects of JSON values.

    Raises
    ------
    InvalidInstances
        As ``named``.
    """
    return [dict(zip(columns, row, strict=True)) for row in zip(*map(named, columns, columns.values()), strict=True)]


def record_of_columns(columns: Mapping[str, Any], rows: RowStruct) -> Raw | ColumnTable:
    """Return ``rows_of`` for the record; the columns have the names of complete ``rows``."""
    # NaN becomes null, as with to_json.
    if length_of(columns) * len(rows.names) >= LARGE:
        return ColumnTable({name: _recorded(columns[name]) for name in rows.names})
    values = (_listed(columns[name]) for name in rows.names)
    return Raw(msgspec.json.encode([rows.type(*row) for row in zip(*values, strict=True)]))


def record_of_array(array: np.ndarray[Any, Any]) -> Raw | ColumnTable:
    """Return the rows of an array of numbers for the record."""
    if array.size >= LARGE:
        return ColumnTable(array)
    return Raw(msgspec.json.encode(array.tolist()))


def _recorded(column: Any) -> Any:
    return column if is_numeric(column) else plain(column)


def _listed(column: Any) -> list[Any]:
    return column.tolist() if is_numeric(column) else plain(column)
