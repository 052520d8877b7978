"""The places of features: a query on a DB-API connection, and hashes of Redis."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..connections import query
from ..values.json_values import to_json

KEYS = "{keys}"
"""The part of a query that stands for the list of keys."""

AS_OF = "{as_of}"
"""The part of a query that stands for the moment of which the features are."""

KEY = "{key}"
"""The part of a hash's name that stands for the key."""

MOST_KEYS = 8192
"""Keys of one query; SQLite takes 32,766 parameters, PostgreSQL 65,535."""

Features = dict[str, Any]
"""JSON values by the name of the feature."""


class LookupFailed(RuntimeError):
    """The lookup's definition does not fit the resource, or the query failed."""


def by_sql(
    connection: Any, statement: str, key: str, keys: Sequence[Any], as_of: datetime | None = None
) -> tuple[tuple[str, ...], dict[Any, Features]]:
    """Run a query for some keys.

    Parameters
    ----------
    connection
        A connection of DB-API 2.0, or DuckDB's.
    statement
        Has ``{keys}`` where the list of keys goes, and ``{as_of}`` where the moment goes.
    key
        The column of the result that has the key.
    keys
        At most ``MOST_KEYS``, none twice.

    Returns
    -------
    tuple of str, dict
        The names of the features, and the values by key; keys without a row are left out.

    Raises
    ------
    LookupFailed
        The connection has no cursor, or the result has no such column, a column twice, or two rows of one key.
    Exception
        The driver's own.
    """
    if not callable(getattr(connection, "cursor", None)):
        kind = f"{type(connection).__module__}.{type(connection).__qualname__}"
        raise LookupFailed(f"{kind} is no connection of DB-API 2.0: return one, such as engine.raw_connection()")
    # The last key is repeated up to a power of two, so that a server prepares few statements.
    count = 1 << max(0, len(keys) - 1).bit_length()
    names, rows = query(connection, *_bound(connection, statement, [*keys, *[keys[-1]] * (count - len(keys))], as_of))
    if key not in names:
        raise LookupFailed(f"the query returns {', '.join(names)}, and no column '{key}': select the key AS {key}")
    if len(set(names)) < len(names):
        raise LookupFailed(f"the query returns a column twice: {', '.join(names)}")
    place = names.index(key)
    features = tuple(name for name in names if name != key)
    found: dict[Any, Features] = {}
    for row in rows:
        values = dict(zip(names, map(to_json, row), strict=True))
        its_key = values.pop(key)
        if its_key in found:
            raise LookupFailed(f"the query returns several rows for {key} {row[place]!r}: it must return one")
        found[its_key] = values
    return features, found


_PLACES = re.compile(f"({re.escape(KEYS)}|{re.escape(AS_OF)})")


def _bound(connection: Any, statement: str, keys: Sequence[Any], as_of: datetime | None) -> tuple[str, list[Any]]:
    """Return the statement with the placeholders of the connection's driver, and its parameters in their order."""
    name = type(connection).__module__.partition(".")[0].lstrip("_")
    style = getattr(sys.modules.get(name), "paramstyle", "format")
    moment: Any = as_of
    if name == "sqlite3" and as_of is not None:  # it has moments as texts, which it compares as such
        moment = (as_of if as_of.tzinfo is None else as_of.astimezone(UTC)).isoformat(" ")
    words: list[str] = []
    parameters: list[Any] = []
    for part in _PLACES.split(statement):
        values = {KEYS: keys, AS_OF: [moment]}.get(part)
        if values is None:
            words.append(part)
            continue
        places = range(len(parameters) + 1, len(parameters) + len(values) + 1)
        parameters += values
        if style == "qmark":
            marks = ["?"] * len(values)
        elif style in ("numeric", "named"):  # drivers with names take positions too
            marks = [f":{place}" for place in places]
        else:
            marks = ["%s"] * len(values)
        words.append(", ".join(marks))
    return "".join(words), parameters


def by_redis(client: Any, name: str, fields: Sequence[str], keys: Sequence[Any]) -> dict[Any, Features]:
    """Read the hashes of some keys in one round trip.

    Parameters
    ----------
    name
        The name of a hash, with ``{key}`` in it.

    Returns
    -------
    dict
        The texts by key; keys without one of the fields are left out.

    Raises
    ------
    LookupFailed
        The connection is no client of Redis.
    Exception
        The client's own.
    """
    if not callable(getattr(client, "pipeline", None)):
        raise LookupFailed(f"{type(client).__module__}.{type(client).__qualname__} is no client of Redis")
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.hmget(name.replace(KEY, str(key)), list(fields))
    return {
        key: dict(zip(fields, map(_text, values), strict=True))
        for key, values in zip(keys, pipeline.execute(), strict=True)
        if any(value is not None for value in values)
    }


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def as_schema(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value in the JSON type of its feature if the source has none for it, else as it is.

    Redis has texts alone, and SQLite and MySQL no booleans.
    """
    kinds = schema.get("type", ())
    types = {kinds} if isinstance(kinds, str) else set(kinds)
    if isinstance(value, str) and types and "string" not in types:
        return _read(value, types)
    if types - {"null"} == {"boolean"} and type(value) is int and value in (0, 1):
        return bool(value)
    return value


def _read(text: str, types: set[str]) -> Any:
    lower = text.strip().lower()
    if not lower and "null" in types:
        return None
    if "boolean" in types and lower in _BOOLEANS:
        return _BOOLEANS[lower]
    for kind, convert in (("integer", int), ("number", float)):
        if kind in types:
            try:
                return to_json(convert(lower))
            except ValueError:
                continue
    return text


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
