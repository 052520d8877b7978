"""Examples that are made from a JSON Schema, so that a description shows no value of the notebook's data."""

from __future__ import annotations

from typing import Any

_DEPTH = 8
"""Levels of a schema that names itself."""

_TEXTS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "email": "name@example.org",
    "uri": "https://example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}


def example_of(schema: dict[str, Any], named: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """Return a value that satisfies a schema of the subset that captures write, as far as it can be made.

    Patterns of texts are not satisfied. ``named`` has the schemas that ``#/$defs/NAME`` names (default: the schema's).
    """
    named = schema.get("$defs", {}) if named is None else named
    if "$ref" in schema:
        inner = named.get(schema["$ref"].rpartition("/")[2], {})
        return example_of(inner, named, depth + 1) if depth < _DEPTH else None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return example_of(_first(schema[key]), named, depth + 1)
    types = schema.get("type")
    kind = next((one for one in types if one != "null"), "null") if isinstance(types, list) else types
    return _of_type(str(kind), schema, named, depth)


def _first(branches: list[dict[str, Any]]) -> dict[str, Any]:
    return next((branch for branch in branches if branch.get("type") != "null"), branches[0])


def _of_type(kind: str, schema: dict[str, Any], named: dict[str, Any], depth: int) -> Any:
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "string":
        return _text(schema)
    if kind == "array":
        return _array(schema, named, depth)
    if kind == "object":
        properties = schema.get("properties", {})
        return (
            {name: example_of(inner, named, depth + 1) for name, inner in properties.items()} if depth < _DEPTH else {}
        )
    return False if kind == "boolean" else None


def _array(schema: dict[str, Any], named: dict[str, Any], depth: int) -> list[Any]:
    first = [example_of(inner, named, depth + 1) for inner in schema.get("prefixItems", ())]
    items = schema.get("items")
    missing = min(max(schema.get("minItems", 1), 1), schema.get("maxItems", 1 << 30)) - len(first)
    if not isinstance(items, dict) or depth >= _DEPTH:
        return first
    return first + [example_of(items, named, depth + 1)] * max(missing, 0)


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    """Return 1, else the number next to it that the bounds allow."""
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = step
    if low is not None and (value < low or value == schema.get("exclusiveMinimum")):
        value = low if "minimum" in schema else low + step
    if high is not None and (value > high or value == schema.get("exclusiveMaximum")):
        value = high if "maximum" in schema else high - step
    if not whole and low is not None and high is not None and not low <= value <= high:
        value = (low + high) / 2
    return int(value) if whole else float(value)


def _text(schema: dict[str, Any]) -> str:
    if "contentEncoding" in schema:
        return "AA=="
    if schema.get("format") in _TEXTS:
        return _TEXTS[schema["format"]]
    text = "text".ljust(schema.get("minLength", 0), "t")
    return text[: schema.get("maxLength", len(text))]
