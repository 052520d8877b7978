"""msgspec types from JSON Schema, for decoding instances directly from bytes.

Only schemas that both interpret alike are supported. A type may refuse documents that the schema allows (``3.0`` for a
whole number); it never accepts one that the schema refuses, and it gives the same values as ``Validator``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import GenericAlias
from typing import Annotated, Any, Literal, Union

import msgspec

from .pydantic_schemas import allowed_values

# Keywords that do not restrict values, or that this module reads.
_ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "deprecated", "x-seen", "contentEncoding", "contentMediaType")
)
_BOUNDS = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}
_LENGTHS = {"min_length": "minItems", "max_length": "maxItems"}
_SIZES = {"min_length": "minLength", "max_length": "maxLength"}

Range = tuple[float, float]
EVERY_FLOAT: Range = (-sys.float_info.max, sys.float_info.max)
INT64: Range = (-(2**63), 2**63 - 1)


class NoFastPath(ValueError):
    """msgspec cannot check the whole schema, or the values need a check each."""


class RowStruct:
    """Objects with fixed keys, decoded as structs, which are smaller and faster than dicts.

    Parameters
    ----------
    types
        The types by key, in the order of ``values``.
    absent
        The defaults of optional keys.

    Raises
    ------
    NoFastPath
        A key cannot be a field of a struct.
    """

    def __init__(self, types: Mapping[str, Any], absent: Mapping[str, Any]) -> None:
        if not types:
            raise NoFastPath("objects without keys")
        self.names = tuple(types)
        self.complete = not absent
        # Optional keys last, as structs require.
        order = sorted(types, key=lambda name: name in absent)
        fields = [(f"f{at}", types[name], *_default(name, absent)) for at, name in enumerate(order)]
        renamed = {f"f{at}": name for at, name in enumerate(order)}
        try:
            self.type = msgspec.defstruct("Row", fields, rename=renamed, forbid_unknown_fields=True, gc=False)
        except (TypeError, ValueError) as error:
            raise NoFastPath(str(error)) from error
        self._order = None if order == list(self.names) else [order.index(name) for name in self.names]

    def values(self, rows: Iterable[msgspec.Struct]) -> list[tuple[Any, ...]]:
        """Return each row's values in the order of ``names``."""
        tuples = list(map(msgspec.structs.astuple, rows))
        if self._order is None:
            return tuples
        return [tuple(row[at] for at in self._order) for row in tuples]

    def objects(self, rows: Iterable[msgspec.Struct]) -> list[dict[str, Any]]:
        """Return each row as a dict, without the keys that were left out."""
        objects = [dict(zip(self.names, row, strict=True)) for row in self.values(rows)]
        if self.complete:
            return objects
        return [{name: value for name, value in row.items() if value is not msgspec.UNSET} for row in objects]


def _default(name: str, absent: Mapping[str, Any]) -> tuple[Any, ...]:
    return (absent[name],) if name in absent else ()


def msgspec_type(
    schema: Mapping[str, Any], floats: Range = EVERY_FLOAT, ints: Range = INT64, *, whole: bool = False
) -> Any:
    """Return the type of values that are not objects and hold none.

    Parameters
    ----------
    floats, ints
        Ranges of accepted numbers, in addition to the schema's bounds.
    whole
        Whether whole numbers may be floats; the caller checks that they are whole.

    Raises
    ------
    NoFastPath
        The schema has further restrictions.
    """
    declared = schema.get("type")
    names = [declared] if isinstance(declared, str) else list(declared or ())
    some = [name for name in names if name != "null"]
    either = len(some) > 1 and ("array" in some or allowed_values(schema))
    if not some or either or {"integer", "number"} <= set(some):
        raise NoFastPath("several readings of one value")
    kinds: list[Any] = [None] if len(some) < len(names) else []
    for name in some:
        match name:
            case "array":
                kinds.append(_array(schema, floats, ints, whole=whole))
            case "integer" | "number" | "string" | "boolean":
                kinds += _scalar(name, schema, floats, ints, whole=whole)
            case _:
                raise NoFastPath(f"the type {name}")
    return Union[tuple(kinds)]  # noqa: UP007  the members are known at run time only


def row_struct(
    schema: Mapping[str, Any],
    names: Sequence[str] | None = None,
    *,
    column: Callable[[str, Mapping[str, Any]], Any] = lambda _, schema: msgspec_type(schema),
    absent: Callable[[str], Any] = lambda _: msgspec.UNSET,
) -> RowStruct:
    """Return the struct of objects that hold no objects.

    Parameters
    ----------
    names
        The order of the keys; default: the schema's.
    column
        Returns the type of a key's values from its name and schema.
    absent
        Returns the default of an optional key.

    Raises
    ------
    NoFastPath
        The schema has further restrictions, or other keys.
    """
    _only(schema, "properties", "required", "additionalProperties")
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    names = list(properties) if names is None else list(names)
    if schema.get("type") != "object" or schema.get("additionalProperties", True) is not False:
        raise NoFastPath("not an object with known keys alone")
    if set(names) != set(properties) or len(set(names)) < len(names) or not required <= set(properties):
        raise NoFastPath("other keys")
    types = {name: column(name, properties[name]) for name in names}
    return RowStruct(types, {name: absent(name) for name in names if name not in required})


def _array(schema: Mapping[str, Any], floats: Range, ints: Range, *, whole: bool) -> Any:
    _only(schema, "items", "minItems", "maxItems")
    kind = GenericAlias(list, msgspec_type(schema.get("items") or {}, floats, ints, whole=whole))
    lengths = {ours: schema[theirs] for ours, theirs in _LENGTHS.items() if theirs in schema}
    return Annotated[kind, msgspec.Meta(**lengths)] if lengths else kind


def _scalar(name: str, schema: Mapping[str, Any], floats: Range, ints: Range, *, whole: bool) -> list[Any]:
    allowed = allowed_values(schema)
    if allowed:
        _only(schema, "enum", "const")
        if {type(value) for value in allowed} != {{"integer": int, "string": str}.get(name)}:
            raise NoFastPath("a choice of such values")
        return [Literal[tuple(allowed)]]
    match name:
        case "boolean":
            _only(schema)
            return [bool]
        case "string":
            _only(schema, "minLength", "maxLength")
            sizes = {ours: schema[theirs] for ours, theirs in _SIZES.items() if theirs in schema}
            return [Annotated[str, msgspec.Meta(**sizes)] if sizes else str]
        case "integer":
            number = _number(int, schema, ints)
            return [number, _number(float, schema, EVERY_FLOAT)] if whole else [number]
        case _:
            number = _number(float, schema, floats)
            return [_number(int, schema, ints), number] if schema.get("x-whole") else [number]


def _number(kind: type, schema: Mapping[str, Any], within: Range) -> Any:
    _only(schema, *_BOUNDS, "x-whole")
    bounds: dict[str, Any] = {ours: schema[theirs] for theirs, ours in _BOUNDS.items() if theirs in schema}
    low, high = within
    if "gt" not in bounds:
        bounds["ge"] = max(low, bounds.get("ge", low))
    if "lt" not in bounds:
        bounds["le"] = min(high, bounds.get("le", high))
    if len(bounds) > 2 or not all(low <= bound <= high and isinstance(bound, (kind, int)) for bound in bounds.values()):
        raise NoFastPath("bounds that the type does not reach")
    return Annotated[kind, msgspec.Meta(**bounds)]


def _only(schema: Mapping[str, Any], *known: str) -> None:
    """Raise NoFastPath if the schema of a type has further restrictions."""
    if unknown := set(schema) - _ANNOTATIONS - {"type", *known}:
        raise NoFastPath(f"{sorted(unknown)}")
