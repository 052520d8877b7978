"""Tables of a translated model: NumPy arrays by column instead of a data frame, so that pandas is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from .arrays import ConversionError, invalid_rows, to_array
from .batches import Batches
from .codec import Codec
from .columns import as_numpy, plain
from .msgspec_types import NoFastPath, msgspec_type, row_struct
from .numeric import Numbers, are_numbers
from .plain_table_types import TEXT, TableTypes

Table = dict[str, np.ndarray[Any, Any]]
"""Arrays of n values by column: numbers, or objects that are texts or None."""


def table_of(rows: Sequence[Mapping[str, Any]], prototype: TableTypes) -> Table:
    """Return the table of validated rows.

    Raises
    ------
    InvalidInstances
        A column's dtype cannot hold a value; the errors name rows and column.
    """
    table = {}
    for name, kind in prototype.types.items():
        values = [row.get(name) for row in rows]
        try:
            table[name] = _column(values, kind)
        except ConversionError as error:
            raise invalid_rows(values, partial(_one, kind=kind), error, name) from error
    return table


def _column(values: Sequence[Any], kind: str) -> np.ndarray[Any, Any]:
    if kind == TEXT:
        column = np.empty(len(values), object)
        column[:] = values
        return column
    if None in values and np.dtype(kind).kind != "f":
        raise ConversionError(f"must not be missing: a column of {np.dtype(kind)} cannot hold missing values")
    return to_array(values, kind)


def _one(value: Any, kind: str) -> None:
    _column([value], kind)


class PlainTables(Batches):
    """Contents that are tables; for a graph with one input for all columns, an array of n rows and all columns."""

    def __init__(self, codec: Codec) -> None:
        self._types = codec.prototype.types
        properties = codec.schema.get("properties", {})
        self._numbers = {
            name: Numbers(np.dtype(kind))
            for name, kind in self._types.items()
            if kind != TEXT and are_numbers(properties.get(name, {}), np.dtype(kind))
        }
        kinds = set(self._types.values())
        one = codec.prototype.matrix and len(kinds) == 1 and len(self._numbers) == len(self._types)
        self._matrix = Numbers(np.dtype(kinds.pop())) if one else None
        self._width: int | None = None
        if one and not codec.defaults and not any("null" in properties[name]["type"] for name in self._types):
            self._width = len(self._types)
        self._lists: dict[str, Any] = {}
        super().__init__(codec)

    def content(self, instances: list[Any]) -> Any:
        values = self.rows.values(instances)  # type: ignore[union-attr]
        if self._matrix is not None:
            return self._matrix.array(values, self._width)
        columns = zip(self._types, zip(*values, strict=True), strict=True)
        return {name: self._of_values(name, column) for name, column in columns}

    def content_of(self, rows: list[Any]) -> Any:
        table = self._codec.build(rows)
        return table if self._matrix is None else np.column_stack(list(table.values()))

    def content_of_columns(self, columns: Mapping[str, Any]) -> Any:
        if self.rows is None or set(columns) != set(self._types):
            raise NoFastPath("other columns")
        properties = self._codec.schema["properties"]
        table = {}
        for name in self._types:
            if name in self._numbers:
                table[name] = self._numbers[name].of_array(as_numpy(columns[name]), properties[name])
            else:
                values = msgspec.convert(plain(columns[name]), self._lists[name], strict=True)
                table[name] = _column(values, self._types[name])
        return table if self._matrix is None else np.column_stack(list(table.values()))

    def _of_values(self, name: str, values: Sequence[Any]) -> np.ndarray[Any, Any]:
        return self._numbers[name].array(values) if name in self._numbers else _column(values, self._types[name])

    def _joined(self, contents: Sequence[Any]) -> Any:
        if self._matrix is not None:
            return np.concatenate(contents)
        return {name: np.concatenate([one[name] for one in contents]) for name in self._types}

    def _msgspec_type(self) -> Any:
        def column(name: str, schema: Mapping[str, Any]) -> Any:
            if name in self._numbers:
                return self._numbers[name].type(schema)
            kind = msgspec_type(schema)
            self._lists[name] = GenericAlias(list, kind)
            return kind

        self.rows = row_struct(self._codec.schema, list(self._types), column=column, absent=self._codec.defaults.get)
        return self.rows.type
