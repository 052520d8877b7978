"""JSON Schemas of instances whose features may be replaced by keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_CHARACTERS = 1000
"""The longest text that is a key."""

_INTEGERS = {"minimum": -(2**63), "maximum": 2**63 - 1}
"""Databases know no larger ones."""

_KEYS: dict[str, dict[str, Any]] = {
    "integer": {"type": "integer", **_INTEGERS},
    "string": {"type": "string", "maxLength": MOST_CHARACTERS},
}


def key_schema(keys: Sequence[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a key; without examples of keys, of a whole number or a text.

    Raises
    ------
    ValueError
        The keys are neither whole numbers nor texts.
    """
    if not keys:
        return {"anyOf": [_KEYS["integer"], _KEYS["string"]]}
    if all(isinstance(key, str) for key in keys):
        return _KEYS["string"]
    if all(isinstance(key, int) and not isinstance(key, bool) for key in keys):
        return _KEYS["integer"]
    other = next(key for key in keys if isinstance(key, bool) or not isinstance(key, int))
    raise ValueError(f"{other!r} is no key: keys are whole numbers, or texts")


def partial_schema(schema: Mapping[str, Any], lookups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the schema of an instance that may lack each looked-up feature and each key.

    Parameters
    ----------
    schema
        The JSON Schema of one complete instance.
    lookups
        ``key``, ``key_schema`` and ``features`` of each lookup, as in ``snapshot.json``.
    """
    left_out = {feature for lookup in lookups for feature in lookup["features"]}
    keys = {lookup["key"]: lookup["key_schema"] for lookup in lookups}
    return {
        **schema,
        "properties": {**keys, **schema["properties"]},
        "required": [name for name in schema.get("required", ()) if name not in left_out],
    }


def request_schema(schema: Mapping[str, Any], lookups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the schema of an instance in which each lookup's features may be replaced by its key."""
    if not lookups:
        return dict(schema)
    required = schema.get("required", ())
    either = [
        {
            "anyOf": [
                {"required": [lookup["key"]]},
                {"required": [name for name in lookup["features"] if name in required]},
            ]
        }
        for lookup in lookups
    ]
    return {**partial_schema(schema, lookups), "allOf": either}
