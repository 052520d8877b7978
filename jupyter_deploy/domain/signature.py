"""What a model is asked and answers, as JSON Schema, and whether a successor can take its place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .base import Value

Schema = dict[str, Any]

Container = Literal["frame", "array", "tensor", "list", "call"]


class Signature(Value):
    """How requests become the model's arguments and its answer becomes predictions.

    Attributes
    ----------
    container
        What the model is called with. ``frame`` (pandas), ``array`` (numpy), ``tensor`` (torch)
        and ``list`` (rows or texts) take a whole batch, an instance being one row;
        with ``call`` one instance is one call.
    parameters
        The function's parameter names (``call`` only). With one, the instance is its value.
    instance_schema, answer_schema
        JSON Schema of one instance and of one answer.
    answer_dtype
        NumPy's name of the answers' type (``int64``, ``float32``, ``str``, …); it decides how
        closely a replay must agree.
    """

    container: Container
    parameters: tuple[str, ...] = ()
    instance_schema: Schema
    answer_schema: Schema
    answer_dtype: str

    def mismatches(self, successor: Signature) -> list[str]:
        """Why ``successor`` cannot stand in for this signature; empty when it can.

        A successor may accept more (a number where stable takes an integer, a missing value where stable takes none)
        and answer less (an integer where stable answers a number), but not the other way round.
        """
        found = _not_accepted(self.instance_schema, successor.instance_schema, "instance", _ASKING)
        # Clients understand what stable answers; less than that they understand too.
        answers = _not_accepted(successor.answer_schema, self.answer_schema, "answer", _ANSWERING)
        return found + answers


def infer_schema(values: Iterable[Any], *, fixed_lengths: bool = False) -> Schema:
    """The narrowest JSON Schema (of the subset used here) that all ``values`` satisfy.

    Parameters
    ----------
    values
        JSON values: None, bool, int, float, str, list, dict.
    fixed_lengths
        Whether lists of one length everywhere are required to keep that length.
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
    if "number" in types:
        types.pop("integer", None)
    names = sorted(types, key=lambda name: (name == "null", name))
    if not names:
        return {}
    schema: Schema = {"type": names[0] if len(names) == 1 else names}
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
    """The JSON types that a schema allows (empty: any)."""
    declared = schema.get("type", [])
    return {declared} if isinstance(declared, str) else set(declared)


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


@dataclass(frozen=True)
class _Sides:
    """Who is asked to accept what, in words."""

    given: str
    by: str


_ASKING = _Sides("stable", "the candidate")
_ANSWERING = _Sides("the candidate", "stable")


def _not_accepted(given: Schema, by: Schema, where: str, sides: _Sides) -> list[str]:
    """What satisfies ``given`` and not ``by``, in words. An empty schema is one of which nothing is known."""
    if not given or not by:
        return []
    widened = types_of(by) | ({"integer"} if "number" in types_of(by) else set())
    if types_of(given) - widened:
        return [f"{where}: {sides.given} has {_in_words(given)}, {sides.by} {_in_words(by)}"]
    found = _narrowed(given, by, where, sides)
    if "items" in given and "items" in by:
        found += _not_accepted(given["items"], by["items"], f"{where}[]", sides)
    return list(dict.fromkeys(found + _properties(given, by, where, sides)))


def _narrowed(given: Schema, by: Schema, where: str, sides: _Sides) -> list[str]:
    """Values of the right type that ``by`` does not know: another list of words, format, length or range."""
    found = []
    if "enum" in by and ("enum" not in given or not set(given["enum"]) <= {*by["enum"], None}):
        found.append(f"{where}: {sides.by} knows only {by['enum']}")
    if by.get("format") and given.get("format") != by["format"]:
        found.append(f"{where}: {sides.by} takes only a {by['format']}")
    if "minItems" in by and (given.get("minItems"), given.get("maxItems")) != (by["minItems"], by["maxItems"]):
        had = given.get("minItems", "any number of")
        found.append(f"{where}: {sides.given} has {had} items, {sides.by} {by['minItems']}")
    low, high = by.get("minimum", -math.inf), by.get("maximum", math.inf)
    if given.get("minimum", -math.inf) < low or given.get("maximum", math.inf) > high:
        found.append(f"{where}: {sides.by} takes only numbers from {low} to {high}")
    return found


def _properties(given: Schema, by: Schema, where: str, sides: _Sides) -> list[str]:
    ours, theirs = given.get("properties", {}), by.get("properties", {})
    if not ours and not theirs:
        return []
    needed = [name for name in by.get("required", []) if name not in given.get("required", [])]
    found = [f"{where}: {sides.by} needs '{name}', which {sides.given} lacks" for name in needed]
    unknown = [name for name in ours if name not in theirs]
    found += [f"{where}: {sides.by} does not know '{name}', which {sides.given} has" for name in unknown]
    for name in ours:
        if name in theirs:
            found += _not_accepted(ours[name], theirs[name], f"{where}.{name}", sides)
    return found


def _in_words(schema: Schema) -> str:
    return " or ".join(sorted(types_of(schema))) or "anything"
