"""Whether one JSON Schema accepts all that another one does, and if not, why, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .schema import Schema, branches, resolved, types_of


@dataclass(frozen=True)
class Sides:
    """Who is asked to accept what, in words."""

    given: str
    by: str


def not_accepted(given: Schema, by: Schema, where: str, sides: Sides) -> list[str]:
    """What satisfies ``given`` and not ``by``, one line a place. An empty schema is one of which nothing is known."""
    return _Acceptance(given.get("$defs", {}), by.get("$defs", {}), sides).found(given, by, where)


class _Acceptance:
    """Two schemas with what their ``$ref`` mean."""

    def __init__(self, given: Schema, by: Schema, sides: Sides) -> None:
        self._given, self._by, self._sides = given, by, sides
        self._under_way: set[tuple[str, str]] = set()

    def found(self, given: Schema, by: Schema, where: str) -> list[str]:
        pair = (str(given.get("$ref", "")), str(by.get("$ref", "")))
        if all(pair):
            if pair in self._under_way:  # a tree within itself
                return []
            self._under_way.add(pair)
        given, by = resolved(given, self._given), resolved(by, self._by)
        if not given or not by:
            return []
        if types_of(given) and types_of(by) and (wrong := self._types(given, by, where)):
            return wrong
        ours, theirs = branches(given), branches(by)
        if len(ours) > 1 or len(theirs) > 1:
            return self._choices(ours, theirs, where)
        return self._one(ours[0], theirs[0], where)

    def _types(self, given: Schema, by: Schema, where: str) -> list[str]:
        widened = types_of(by) | ({"integer"} if "number" in types_of(by) else set())
        if types_of(given) - widened:
            return [f"{where}: {self._sides.given} has {_in_words(given)}, {self._sides.by} {_in_words(by)}"]
        return []

    def _choices(self, ours: list[Schema], theirs: list[Schema], where: str) -> list[str]:
        """Each of our branches must be accepted by one of theirs; what keeps the nearest from it is told."""
        wrong: list[str] = []
        for one in ours:
            tried: list[list[str]] = [self.found(one, other, where) for other in theirs if _may_meet(one, other)]
            if not tried:
                wrong.append(f"{where}: {self._sides.by} does not take {_in_words(one)}")
            elif all(tried):
                shortest = min(map(len, tried))
                wrong += next(lines for lines in tried if len(lines) == shortest)
        return list(dict.fromkeys(wrong))

    def _one(self, given: Schema, by: Schema, where: str) -> list[str]:
        found = [f"{where}: {line}" for line in _narrowed(given, by, self._sides)]
        for at, (ours, theirs) in enumerate(_places(given, by)):
            found += self.found(ours, theirs, f"{where}[{at}]")
        if isinstance(given.get("items"), dict) and isinstance(by.get("items"), dict):
            found += self.found(given["items"], by["items"], f"{where}[]")
        return list(dict.fromkeys(found + self._properties(given, by, where)))

    def _properties(self, given: Schema, by: Schema, where: str) -> list[str]:
        ours, theirs = given.get("properties", {}), by.get("properties", {})
        needed = [name for name in by.get("required", []) if name not in given.get("required", [])]
        found = [f"{where}: {self._sides.by} needs '{name}', which {self._sides.given} lacks" for name in needed]
        others = by.get("additionalProperties", not theirs)
        unknown = [name for name in ours if name not in theirs and others is False]
        if theirs and "additionalProperties" not in by:
            unknown = [name for name in ours if name not in theirs]
        found += [
            f"{where}: {self._sides.by} does not know '{name}', which {self._sides.given} has" for name in unknown
        ]
        for name in ours:
            if name in theirs:
                found += self.found(ours[name], theirs[name], f"{where}.{name}")
            elif isinstance(others, dict):
                found += self.found(ours[name], others, f"{where}.{name}")
        if isinstance(given.get("additionalProperties"), dict):
            if isinstance(others, dict):
                found += self.found(given["additionalProperties"], others, f"{where}.*")
            elif others is False:
                found.append(f"{where}: {self._sides.given} has any key, {self._sides.by} only {', '.join(theirs)}")
        return found


def _may_meet(given: Schema, by: Schema) -> bool:
    if "$ref" in given or "$ref" in by:
        return True
    ours, theirs = types_of(given), types_of(by)
    return not ours or not theirs or bool(ours & theirs) or (ours == {"integer"} and "number" in theirs)


def _places(given: Schema, by: Schema) -> list[tuple[Schema, Schema]]:
    ours, theirs = given.get("prefixItems", []), by.get("prefixItems", [])
    longest = max(len(ours), len(theirs))
    return [(_place(given, ours, at), _place(by, theirs, at)) for at in range(longest)]


def _place(schema: Schema, places: list[Schema], at: int) -> Schema:
    if at < len(places):
        return places[at]
    rest = schema.get("items")
    return rest if isinstance(rest, dict) else {}


def _allowed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return None if values is None else [value for value in values if value is not None]


def _narrowed(given: Schema, by: Schema, sides: Sides) -> list[str]:
    """Values of the right type that ``by`` does not know: another list of words, format, pattern, length or range."""
    found = []
    ours, theirs = _allowed(given), _allowed(by)
    if theirs is not None and (ours is None or any(value not in theirs for value in ours)):
        found.append(f"{sides.by} knows only {by.get('enum', theirs)}")
    formats = [name for name in ("format", "contentEncoding") if by.get(name) and given.get(name) != by[name]]
    found += [f"{sides.by} takes only a {by[name]}" for name in formats]
    if "pattern" in by and given.get("pattern") != by["pattern"]:
        found.append(f"{sides.by} takes only what matches {by['pattern']}")
    if by.get("multipleOf") and not _is_multiple(given.get("multipleOf"), by["multipleOf"]):
        found.append(f"{sides.by} takes only multiples of {by['multipleOf']}")
    if not _within(given, by, "minItems", "maxItems"):
        had, wanted = (_length_in_words(side, "minItems", "maxItems") for side in (given, by))
        found.append(f"{sides.given} has {had} items, {sides.by} {wanted}")
    if not _within(given, by, "minLength", "maxLength"):
        had, wanted = (_length_in_words(side, "minLength", "maxLength") for side in (given, by))
        found.append(f"{sides.given} has strings of {had} characters, {sides.by} of {wanted}")
    if not _in_range(given, by):
        found.append(f"{sides.by} takes only numbers {_range_in_words(by)}")
    return found


def _is_multiple(given: float | None, by: float) -> bool:
    return given is not None and math.isclose(given / by, round(given / by))


def _within(given: Schema, by: Schema, low: str, high: str) -> bool:
    return bool(given.get(low, 0) >= by.get(low, 0) and given.get(high, math.inf) <= by.get(high, math.inf))


def _length_in_words(schema: Schema, low: str, high: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if least is None and most is None:
        return "any number of"
    if least == most:
        return str(least)
    return f"{least or 0} to {most}" if most is not None else f"at least {least}"


def _in_range(given: Schema, by: Schema) -> bool:
    """Whether numbers of ``given`` are within those of ``by``; an excluded end is lower than an included one."""
    low, high = _ends(given)
    least, most = _ends(by)
    return low >= least and high <= most


def _ends(schema: Schema) -> tuple[tuple[float, bool], tuple[float, bool]]:
    """The lower end (value, whether it is excluded) and the upper end (value, whether it is included)."""
    low = max((schema.get("minimum", -math.inf), False), (schema.get("exclusiveMinimum", -math.inf), True))
    high = min((schema.get("maximum", math.inf), True), (schema.get("exclusiveMaximum", math.inf), False))
    # Where an end is not given, infinity is neither in nor out.
    return (low[0], low[1] and low[0] != -math.inf), (high[0], high[1] or high[0] == math.inf)


def _range_in_words(schema: Schema) -> str:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    words = [f"from {low} to {high}"] if "minimum" in schema or "maximum" in schema else []
    words += [f"above {schema['exclusiveMinimum']}"] if "exclusiveMinimum" in schema else []
    words += [f"below {schema['exclusiveMaximum']}"] if "exclusiveMaximum" in schema else []
    return " and ".join(words)


def _in_words(schema: Schema) -> str:
    return " or ".join(sorted(types_of(schema))) or "anything"
