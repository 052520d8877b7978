"""Conversion of table rows to the model's instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..asgi.problems import Problem


class Rows:
    """Converts rows to objects by column name, to lists, or to single values.

    Attributes
    ----------
    names
        The model's columns in their order; empty if an instance is not an object.
    kinds
        The JSON Schema of each column, and of each key of a lookup.
    """

    def __init__(self, schema: Mapping[str, Any], keys: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> None:
        declared = schema.get("type")
        if "$ref" in schema:
            schema = schema["$defs"].get(schema["$ref"].rpartition("/")[2], {})
            declared = schema.get("type")
        self.kinds: dict[str, Mapping[str, Any]] = dict(schema.get("properties", {}))
        self.names = list(self.kinds)
        self.kinds = {**keys, **self.kinds}
        self.item: Mapping[str, Any] = (schema.get("items") or {}) if declared == "array" else schema
        self._objects = bool(self.names) or declared == "object"
        self._lists = declared == "array"

    @property
    def by_name(self) -> bool:
        """Whether a row is an object."""
        return self._objects

    def schema_of(self, name: str) -> Mapping[str, Any]:
        """Return the JSON Schema of a column; empty if the model has no such column."""
        return self.kinds.get(name, {} if self._objects else self.item)

    def instances(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Any]:
        """Convert the rows of a table with these column names.

        Raises
        ------
        Problem
            422: a name is repeated, or there are several columns and an instance is a single value.
        """
        if self._objects:
            if len(set(names)) != len(names):
                repeated = next(name for at, name in enumerate(names) if name in names[:at])
                raise invalid_form(["instances"], f"the column '{repeated}' is repeated")
            return [dict(zip(names, row, strict=True)) for row in rows]
        if self._lists:
            return [list(row) for row in rows]
        if len(names) != 1:
            raise invalid_form(["instances"], f"must have one column, not {len(names)}: an instance is a single value")
        return [row[0] for row in rows]


def invalid_form(loc: list[str | int], words: str) -> Problem:
    """Return the problem for a document of another form."""
    place = ".".join(map(str, loc))
    message = f"{place}: {words}" if place else words
    return Problem(422, f"the request does not have the expected form: {message}", [{"loc": loc, "msg": words}])
