"""Compatibility of JSON Schemas: whether one accepts all values of the other, and the reasons if not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .schema import Schema, branches, resolved, types_of


@dataclass(frozen=True)
class SchemaOwners:
    """Names of the two schemas' owners for messages."""

    source: str
    target: str


def incompatibilities(source: Schema, target: Schema, where: str, owners: SchemaOwners) -> list[str]:
    """Return a line for each location where ``target`` rejects values of ``source``; an empty schema allows all."""
    return _Acceptance(source.get("$defs", {}), target.get("$defs", {}), owners).check(source, target, where)


class _Acceptance:
    """Two schemas with their named definitions."""

    def __init__(self, source: Schema, target: Schema, owners: SchemaOwners) -> None:
        self._source_definitions, self._target_definitions, self._owners = source, target, owners
        self._under_way: set[tuple[str, str]] = set()

    def check(self, source: Schema, target: Schema, where: str) -> list[str]:
        pair = (str(source.get("$ref", "")), str(target.get("$ref", "")))
        if all(pair):
            if pair in self._under_way:  # a recursive schema
                return []
            self._under_way.add(pair)
        source, target = (
            resolved(source, self._source_definitions),
            resolved(target, self._target_definitions),
        )
        if not source or not target:
            return []
        if types_of(source) and types_of(target) and (wrong := self._types(source, target, where)):
            return wrong
        left, right = branches(source), branches(target)
        if len(left) > 1 or len(right) > 1:
            return self._choices(left, right, where)
        return self._one(left[0], right[0], where)

    def _types(self, source: Schema, target: Schema, where: str) -> list[str]:
        widened = types_of(target) | ({"integer"} if "number" in types_of(target) else set())
        if types_of(source) - widened:
            return [
                f"{where}: {self._owners.source} has {_in_words(source)}, {self._owners.target} {_in_words(target)}"
            ]
        return []

    def _choices(self, left: list[Schema], right: list[Schema], where: str) -> list[str]:
        """Require for each branch of ``source`` a branch of ``target`` that accepts it, or report the closest one."""
        wrong: list[str] = []
        for one in left:
            tried: list[list[str]] = [self.check(one, other, where) for other in right if _may_meet(one, other)]
            if not tried:
                wrong.append(f"{where}: {self._owners.target} does not take {_in_words(one)}")
            elif all(tried):
                shortest = min(map(len, tried))
                wrong += next(lines for lines in tried if len(lines) == shortest)
        return list(dict.fromkeys(wrong))

    def _one(self, source: Schema, target: Schema, where: str) -> list[str]:
        reasons = [f"{where}: {line}" for line in _narrowed(source, target, self._owners)]
        for at, (left, right) in enumerate(_item_pairs(source, target)):
            reasons += self.check(left, right, f"{where}[{at}]")
        if isinstance(source.get("items"), dict) and isinstance(target.get("items"), dict):
            reasons += self.check(source["items"], target["items"], f"{where}[]")
        return list(dict.fromkeys(reasons + self._properties(source, target, where)))

    def _properties(self, source: Schema, target: Schema, where: str) -> list[str]:
        left, right = source.get("properties", {}), target.get("properties", {})
        needed = [name for name in target.get("required", []) if name not in source.get("required", [])]
        reasons = [
            f"{where}: {self._owners.target} needs '{name}', which {self._owners.source} lacks" for name in needed
        ]
        others = target.get("additionalProperties", not right)
        unknown = [name for name in left if name not in right and others is False]
        if right and "additionalProperties" not in target:
            unknown = [name for name in left if name not in right]
        reasons += [
            f"{where}: {self._owners.target} does not know '{name}', which {self._owners.source} has"
            for name in unknown
        ]
        for name in left:
            if name in right:
                reasons += self.check(left[name], right[name], f"{where}.{name}")
            elif isinstance(others, dict):
                reasons += self.check(left[name], others, f"{where}.{name}")
        if isinstance(source.get("additionalProperties"), dict):
            if isinstance(others, dict):
                reasons += self.check(source["additionalProperties"], others, f"{where}.*")
            elif others is False:
                reasons.append(
                    f"{where}: {self._owners.source} has any key, {self._owners.target} only {', '.join(right)}"
                )
        return reasons


def _may_meet(source: Schema, target: Schema) -> bool:
    if "$ref" in source or "$ref" in target:
        return True
    left, right = types_of(source), types_of(target)
    return not left or not right or bool(left & right) or (left == {"integer"} and "number" in right)


def _item_pairs(source: Schema, target: Schema) -> list[tuple[Schema, Schema]]:
    left, right = source.get("prefixItems", []), target.get("prefixItems", [])
    longest = max(len(left), len(right))
    return [(_item(source, left, at), _item(target, right, at)) for at in range(longest)]


def _item(schema: Schema, items: list[Schema], at: int) -> Schema:
    if at < len(items):
        return items[at]
    rest = schema.get("items")
    return rest if isinstance(rest, dict) else {}


def _allowed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return None if values is None else [value for value in values if value is not None]


def _narrowed(source: Schema, target: Schema, owners: SchemaOwners) -> list[str]:
    """Compare values of an equal type: enumeration, format, pattern, length and range."""
    reasons = []
    left, right = _allowed(source), _allowed(target)
    if right is not None and (left is None or any(value not in right for value in left)):
        reasons.append(f"{owners.target} knows only {target.get('enum', right)}")
    formats = [name for name in ("format", "contentEncoding") if target.get(name) and source.get(name) != target[name]]
    reasons += [f"{owners.target} takes only a {target[name]}" for name in formats]
    if "pattern" in target and source.get("pattern") != target["pattern"]:
        reasons.append(f"{owners.target} takes only what matches {target['pattern']}")
    if target.get("multipleOf") and not _is_multiple(source.get("multipleOf"), target["multipleOf"]):
        reasons.append(f"{owners.target} takes only multiples of {target['multipleOf']}")
    if not _within(source, target, "minItems", "maxItems"):
        actual, allowed = (_length_in_words(side, "minItems", "maxItems") for side in (source, target))
        reasons.append(f"{owners.source} has {actual} items, {owners.target} {allowed}")
    if not _within(source, target, "minLength", "maxLength"):
        actual, allowed = (_length_in_words(side, "minLength", "maxLength") for side in (source, target))
        reasons.append(f"{owners.source} has strings of {actual} characters, {owners.target} of {allowed}")
    if not _in_range(source, target):
        reasons.append(f"{owners.target} takes only numbers {_range_in_words(target)}")
    return reasons


def _is_multiple(source: float | None, target: float) -> bool:
    return source is not None and math.isclose(source / target, round(source / target))


def _within(source: Schema, target: Schema, low: str, high: str) -> bool:
    return bool(source.get(low, 0) >= target.get(low, 0) and source.get(high, math.inf) <= target.get(high, math.inf))


def _length_in_words(schema: Schema, low: str, high: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if least is None and most is None:
        return "any number of"
    if least == most:
        return str(least)
    return f"{least or 0} to {most}" if most is not None else f"at least {least}"


def _in_range(source: Schema, target: Schema) -> bool:
    """Whether numbers of ``source`` are within those of ``target``; an excluded end is below an included one."""
    low, high = _ends(source)
    least, most = _ends(target)
    return low >= least and high <= most


def _ends(schema: Schema) -> tuple[tuple[float, bool], tuple[float, bool]]:
    """Return the lower end (value, whether it is excluded) and the upper end (value, whether it is included)."""
    low = max((schema.get("minimum", -math.inf), False), (schema.get("exclusiveMinimum", -math.inf), True))
    high = min((schema.get("maximum", math.inf), True), (schema.get("exclusiveMaximum", math.inf), False))
    # A missing end is infinite, neither included nor excluded.
    return (low[0], low[1] and low[0] != -math.inf), (high[0], high[1] or high[0] == math.inf)


def _range_in_words(schema: Schema) -> str:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    words = [f"from {low} to {high}"] if "minimum" in schema or "maximum" in schema else []
    words += [f"above {schema['exclusiveMinimum']}"] if "exclusiveMinimum" in schema else []
    words += [f"below {schema['exclusiveMaximum']}"] if "exclusiveMaximum" in schema else []
    return " and ".join(words)


def _in_words(schema: Schema) -> str:
    return " or ".join(sorted(types_of(schema))) or "anything"
