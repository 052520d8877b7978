"""Features by key at a capture: the keys of the example, and the proof that a lookup gives its features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.lookups import Lookup
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput
from jupyter_deploy.serving.agreement import differences
from jupyter_deploy.serving.connections import ResourceUnavailable
from jupyter_deploy.serving.features.lookup import FeatureLookup, ReleaseLookup
from jupyter_deploy.serving.features.schema import key_schema
from jupyter_deploy.serving.features.sources import LookupFailed
from jupyter_deploy.serving.values.codec import Codec, InvalidInstances, instances_of, to_json

from .examples import MOST_ROWS
from .frameworks import features_of
from .inspection import Inspected

CHECK = "feature-lookup"

_SHOWN = 10
_RTOL = 1e-9

_SKEW = (
    "make the query compute what the notebook computed: the same table, joins, time and units; or load the notebook's "
    "rows again, if the database has newer ones"
)


def lookups_of(value: Any) -> tuple[FeatureLookup, ...]:
    """Return the lookups that a deploy names: None, one, or several.

    Raises
    ------
    InvalidInput
        An object is no lookup.
    """
    several = value if isinstance(value, list | tuple) else [] if value is None else [value]
    for one in several:
        if not isinstance(one, FeatureLookup):
            raise InvalidInput(
                f"a {type(one).__name__} is no lookup of features", "name an object of jupyter_deploy.feature_lookup"
            )
    keys = [one.key for one in several]
    if len(set(keys)) < len(keys):
        raise InvalidInput(f"two lookups have the key '{keys[0]}'", "join them in one query")
    return tuple(several)


def without_keys(live: Live) -> tuple[Live, dict[str, list[Any]]]:
    """Return the live object with an example as the model takes it, and its keys by the name of the lookup's key.

    The key is a column of a table or its index, or an item of a dict. Columns that the model was fitted with stay. An
    example with keys has at most ``MOST_ROWS`` rows afterwards.
    """
    example, found = live.example, {}
    fitted = features_of(live.model) or ()
    if live.lookups and hasattr(example, "columns") and len(example) > MOST_ROWS:
        example = example[:MOST_ROWS]
    for lookup in live.lookups:
        keys = _keys_in(example, lookup.key)
        if keys is not None:
            found[lookup.key] = [to_json(key) for key in keys]
            if lookup.key not in fitted:
                example = _dropped(example, lookup.key)
    return (replace(live, example=example), found) if live.lookups else (live, found)


def _keys_in(example: Any, key: str) -> Sequence[Any] | None:
    if isinstance(example, dict):
        return None if key not in example else _as_list(example[key])
    if key in getattr(example, "columns", ()):
        return _as_list(example[key])
    index = getattr(example, "index", None)
    return _as_list(index) if index is not None and getattr(index, "name", None) == key else None


def _as_list(value: Any) -> list[Any]:
    if hasattr(value, "tolist") or hasattr(value, "to_list"):
        return list(value.tolist() if hasattr(value, "tolist") else value.to_list())
    return list(value) if isinstance(value, list | tuple) else [value]


def _dropped(example: Any, key: str) -> Any:
    if isinstance(example, dict):
        return {name: value for name, value in example.items() if name != key}
    if key not in example.columns:
        return example  # it is the index
    return example.drop(columns=key) if hasattr(example, "iloc") else example.drop(key)


def proved_lookups(live: Live, keys: dict[str, list[Any]], seen: Inspected) -> tuple[Lookup, ...]:
    """Look the example's keys up, compare the features with the example, and describe the lookups.

    Raises
    ------
    InvalidInput
        The definition does not fit the model.
    InvalidExample
        The resource is away, or the looked-up features differ from the example's.
    """
    return tuple(_proved(lookup, keys.get(lookup.key, []), seen) for lookup in live.lookups)


def _proved(lookup: FeatureLookup, keys: list[Any], seen: Inspected) -> Lookup:
    properties = seen.signature.instance_schema.get("properties", {})
    if not properties:
        raise InvalidInput(
            "the model's input has no named features, so none can be looked up",
            "deploy a model of a data frame, or a function with named parameters",
        )
    try:
        features, schema = lookup.features(), key_schema(keys)
    except (ResourceUnavailable, LookupFailed) as error:
        raise InvalidExample(str(error), "correct the lookup, or start its database") from error
    except ValueError as error:
        raise InvalidExample(f"of '{lookup.key}' in the example: {error}", "convert the column") from error
    _require_features(lookup, features, tuple(properties))
    described = Lookup(key=lookup.key, key_schema=schema, features=features, keys=tuple(keys))
    if keys:
        _require_equal(lookup, described, seen)
    return described


def _require_features(lookup: FeatureLookup, features: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in features if name not in known]
    if unknown or not features:
        raise InvalidInput(
            f"the lookup by {lookup.key} returns {', '.join(unknown) or 'no feature'}, which the model lacks",
            f"select features of the model: {', '.join(known)}",
        )
    lacking = [name for name in features if lookup.missing is not None and name not in lookup.missing]
    if lacking:
        raise InvalidInput(
            f"the lookup by {lookup.key} has no default of {', '.join(lacking)}",
            "name one for each feature: missing={…}, or leave missing out",
        )


def _require_equal(lookup: FeatureLookup, described: Lookup, seen: Inspected) -> None:
    """Refuse features that differ from the example's after the conversion that a request gets."""
    properties = seen.signature.instance_schema["properties"]
    release = ReleaseLookup(lookup, {name: properties[name] for name in described.features})
    try:
        found = release.values(described.keys)
    except (ResourceUnavailable, LookupFailed) as error:
        raise InvalidExample(str(error), "correct the lookup, or start its database") from error
    unknown = [key for key in described.keys if key not in found]
    if unknown:
        raise InvalidExample(
            f"the lookup by {lookup.key} has no row for {', '.join(map(repr, unknown[:_SHOWN]))} of the example", _SKEW
        )
    lines = list(_differing(described, found, seen))
    if lines:
        table = [("row", lookup.key, "feature", "notebook", "lookup"), *lines[:_SHOWN]]
        widths = [max(len(row[place]) for row in table) for place in range(5)]
        shown = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        more = [f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise InvalidExample(
            f"the lookup by {lookup.key} gives other features than the example has ({len(lines)} values)",
            _SKEW,
            "\n".join(f"  {line}" for line in (*shown, *more)),
        )


def _differing(
    described: Lookup, found: dict[Any, dict[str, Any]], seen: Inspected
) -> Iterator[tuple[str, str, str, str, str]]:
    signature = seen.signature
    codec = Codec(signature.model_dump(), seen.prototype)
    for number, key in enumerate(described.keys):
        notebooks = seen.instances[number]
        row = notebooks | found[key]
        with suppress(InvalidInstances):  # then the value itself is shown
            # As a request: a column of float32 rounds the database's value.
            (row,) = instances_of(codec.decode([row]), signature.container, signature.parameters, seen.prototype)
        for name in described.features:
            one, other = notebooks.get(name), row.get(name)
            if differences([one], [other], rtol=_RTOL):
                yield str(number), str(key), name, _short(one), _short(other)


def _short(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 30 else f"{text[:29]}…"


def lookup_findings(lookups: Sequence[Lookup]) -> Iterator[Finding]:
    """Yield a finding for each lookup that was not compared with the example."""
    for lookup in lookups:
        if not lookup.keys:
            yield Finding(
                check=CHECK,
                severity="warning",
                message=f"the example has no '{lookup.key}', so its features were not compared with the lookup's",
                remedy=f"keep '{lookup.key}' in the example, as a column or the index; the model does not get it",
            )
