"""JSON Schema of examples: the narrowest schema that fits, and statistics of the values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

Schema = dict[str, Any]

SEEN = "x-seen"
"""The annotation with statistics of the example's values. It is shown, never validated."""

WHOLE = "x-whole"
"""An annotation of ``number``: integers and floats both occurred, so 1 stays an integer; without it 1 means 1.0."""


def infer_schema(values: Iterable[Any], *, fixed_lengths: bool = False) -> Schema:
    """Return the narrowest JSON Schema (of the subset used here) that all ``values`` satisfy.

    Parameters
    ----------
    values
        JSON values: None, bool, int, float, str, list, dict.
    fixed_lengths
        Whether lists whose lengths are all equal must keep that length.
    """
    types: dict[str, None] = {}
    items: list[Any] = []
    lengths: set[int] = set()
    objects: list[dict[str, Any]] = []
    for value in values:
        types[_json_type(value)] = None
        if isinstance(value, list):
            items.extend(value)
            lengths.add(len(value))
        elif isinstance(value, dict):
            objects.append(value)
    is_mixed = "number" in types and types.pop("integer", "") is None
    names = sorted(types, key=lambda name: (name == "null", name))
    if not names:
        return {}
    schema: Schema = {"type": names[0] if len(names) == 1 else names}
    if is_mixed:
        schema[WHOLE] = True
    if "array" in types:
        schema["items"] = infer_schema(items, fixed_lengths=fixed_lengths)
        if fixed_lengths and len(lengths) == 1:
            schema["minItems"] = schema["maxItems"] = lengths.pop()
    if objects:
        keys = dict.fromkeys(key for value in objects for key in value)
        schema["properties"] = {
            key: infer_schema((v[key] for v in objects if key in v), fixed_lengths=fixed_lengths) for key in keys
        }
        schema["required"] = [key for key in keys if all(key in value for value in objects)]
        schema["additionalProperties"] = False
    return schema


def types_of(schema: Schema) -> set[str]:
    """Return the JSON types that a schema allows (empty: any)."""
    branches = schema.get("anyOf", schema.get("oneOf"))
    if branches:
        types = [types_of(branch) for branch in branches]
        return set().union(*types) if all(types) else set()
    declared = schema.get("type", [])
    return {declared} if isinstance(declared, str) else set(declared)


_REF = "#/$defs/"


def resolved(schema: Schema, named: Schema) -> Schema:
    """Resolve a ``$ref`` by the named schemas; an unknown reference allows anything."""
    seen = set()
    while (reference := schema.get("$ref")) and reference not in seen:
        seen.add(reference)
        schema = named.get(reference.removeprefix(_REF), {})
    return schema


def branches(schema: Schema) -> list[Schema]:
    """Return the alternatives of a schema, each with one type."""
    if alternatives := schema.get("anyOf", schema.get("oneOf")):
        return [branch for inner in alternatives for branch in branches(inner)]
    types = schema.get("type")
    if not isinstance(types, list):
        return [schema]
    return [
        schema | {"type": name} if name != "null" else {"type": "null"}
        for name in types
    ]  # fmt: skip


def closed(properties: dict[str, Schema], required: Iterable[str] | None = None) -> Schema:
    """Return the schema of an object with exactly these properties; all are required unless ``required`` is given."""
    names = list(properties if required is None else required)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def nullable(schema: Schema) -> Schema:
    """Return the schema extended by null."""
    if not schema or "null" in types_of(schema):
        return schema
    if "type" not in schema:
        branches = schema.get("anyOf")
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", SEEN)}
        annotation = {SEEN: schema[SEEN]} if SEEN in schema else {}
        return {"anyOf": [*(branches or [rest]), {"type": "null"}], **(rest if branches else {}), **annotation}
    declared = schema["type"]
    wider = schema | {"type": [*([declared] if isinstance(declared, str) else declared), "null"]}
    return wider | {"enum": [*schema["enum"], None]} if "enum" in schema else wider


def with_seen(schema: Schema, values: Sequence[Any]) -> Schema:
    """Annotate ``schema``, at each type of plain values, with statistics of ``values``, which satisfy it.

    ``count``, ``missing`` (if not 0), ``minimum`` and ``maximum`` of numbers, dates and moments, ``minLength``,
    ``maxLength`` and ``distinct`` of strings.
    """
    some = [value for value in values if value is not None]
    result = dict(schema)
    if lists := [value for value in some if isinstance(value, list)]:
        prefix = schema.get("prefixItems", [])
        if prefix:
            result["prefixItems"] = [
                with_seen(position_schema, [value[at] for value in lists if at < len(value)])
                for at, position_schema in enumerate(prefix)
            ]
        elif isinstance(schema.get("items"), dict):
            result["items"] = with_seen(schema["items"], [item for value in lists for item in value])
    if objects := [value for value in some if isinstance(value, dict)]:
        if "properties" in schema:
            result["properties"] = {
                name: with_seen(inner, [value[name] for value in objects if name in value])
                for name, inner in schema["properties"].items()
            }
        elif isinstance(schema.get("additionalProperties"), dict):
            inner = [item for value in objects for item in value.values()]
            result["additionalProperties"] = with_seen(schema["additionalProperties"], inner)
    plain = [value for value in some if not isinstance(value, (list, dict, bool))]
    statistics = _seen(plain, schema) if plain and "enum" not in schema and "const" not in schema else {}
    if statistics:
        missing = len(values) - len(some)
        result[SEEN] = {"count": len(values), **({"missing": missing} if missing else {}), **statistics}
    return result


def without_seen(schema: Any) -> Any:
    """Return the schema without statistics."""
    if isinstance(schema, dict):
        return {key: without_seen(inner) for key, inner in schema.items() if key != SEEN}
    return [without_seen(inner) for inner in schema] if isinstance(schema, list) else schema


def _seen(plain: list[Any], schema: Schema) -> dict[str, Any]:
    numbers = [value for value in plain if not isinstance(value, str)]
    texts = [value for value in plain if isinstance(value, str)]
    statistics: dict[str, Any] = {}
    if numbers:
        statistics |= {"minimum": min(numbers), "maximum": max(numbers)}
    if not texts or "contentEncoding" in schema:
        return statistics
    if schema.get("format") == "date-time":  # UTC offsets differ: as text the order would differ
        return statistics | {"minimum": min(texts, key=_moment), "maximum": max(texts, key=_moment)}
    if schema.get("format") in ("date", "time"):
        return statistics | {"minimum": min(texts), "maximum": max(texts)}
    lengths = [len(text) for text in texts]
    return statistics | {"minLength": min(lengths), "maxLength": max(lengths), "distinct": len(set(texts))}


def _moment(text: str) -> tuple[float, str]:
    try:
        moment = datetime.fromisoformat(text)
        return (moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=UTC).timestamp(), text)
    except (ValueError, OverflowError):
        return 0.0, text


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def with_null(schema: Schema, column: str) -> Schema | None:
    """Return a schema of objects that allows null in a column too; None: it has no such column, or a reference there.

    A schema that allows null already is returned as it is.
    """
    properties = schema.get("properties", {})
    known = properties.get(column)
    if not isinstance(known, dict) or "$ref" in known:
        return None
    wider = dict(known)
    if "null" not in types_of(known):
        if "anyOf" in known:
            wider["anyOf"] = [*known["anyOf"], {"type": "null"}]
        elif "type" in known:
            kinds = known["type"]
            wider["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), "null"]
            if "enum" in known:
                wider["enum"] = [*known["enum"], None]
        else:
            return None
    return {**schema, "properties": {**properties, column: wider}}
