"""Structured answers, field by field: which fields of two answers differ. Pure.

A field is a scalar at a path: ``address.city``, ``[0]``. A list is compared as it is (``order``), as a set and by its
length; if it has at most ``MOST_POSITIONS`` scalars, each position is a field too. Of probabilities the position of the
largest is compared too (``argmax``): if it changes, so does the class.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isclose
from threading import Lock
from typing import Any, NamedTuple

from .agreement import Match, Rule
from .answer_differences import Aspect, FieldChange

MOST_FIELDS = 20
"""Fields in a comparison, and changed fields of a row."""

MOST_POSITIONS = 20
MOST_TRACKED = 62
"""Fields whose rows are counted: bits of a 64-bit integer with a sign, but one."""

MOST_CHARACTERS = 200
"""The length of one value in a ``FieldChange``."""

_DEEPEST = 4
_SUM = 1e-3


class Field(NamedTuple):
    """A path and what is compared at it."""

    path: str
    aspect: Aspect


class _Absent:
    """The value of a field that an answer does not have."""


ABSENT = _Absent()


class FieldTracker:
    """Compares answers by a rule and gives each field a bit, in the order in which they appear.

    DuckDB calls it from several threads.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._bits: dict[Field, int] = {}
        self._lock = Lock()

    @property
    def fields(self) -> dict[Field, int]:
        """Return the position of each field's bit."""
        return dict(self._bits)

    def compare(self, stable: Any, candidate: Any) -> tuple[Match, int]:
        """Return the match of two answers, as ``Rule.compare`` does, and the bits of the fields that differ."""
        mask = 0

        def note(path: str, aspect: Aspect, differ: bool, _: Any, __: Any) -> None:
            nonlocal mask
            bit = self._bit(Field(path, aspect))
            if differ and bit is not None:
                mask |= 1 << bit

        return Walk(self._rule, note).visit(stable, candidate), mask

    def _bit(self, field: Field) -> int | None:
        bit = self._bits.get(field)
        if bit is None and len(self._bits) < MOST_TRACKED:
            with self._lock:
                bit = self._bits.setdefault(field, len(self._bits))
        return bit


def changes(rule: Rule, stable: Any, candidate: Any) -> list[FieldChange]:
    """Return the fields that differ, at most ``MOST_FIELDS``; none of scalars, and none of a missing answer."""
    found: list[FieldChange] = []

    def note(path: str, aspect: Aspect, differ: bool, one: Any, other: Any) -> None:
        of_parts = aspect == "order" and isinstance(one, list) and isinstance(other, list) and _positions(one, other)
        if differ and path and aspect in ("value", "order") and not of_parts and len(found) < MOST_FIELDS:
            found.append(FieldChange(field=path, stable=_text(one), candidate=_text(other)))

    if _is_nested(stable) and type(stable) is type(candidate):
        Walk(rule, note).visit(stable, candidate)
    return found


def is_probabilities(values: Any) -> bool:
    """Return whether a list, or an object's values, are two or more probabilities: they sum to 1, and one is a float.

    A one-hot list of integers is none.
    """
    numbers = list(values.values()) if isinstance(values, dict) else values
    return (
        isinstance(numbers, list)
        and len(numbers) > 1
        and all(isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n <= 1 for n in numbers)
        and any(isinstance(n, float) for n in numbers)
        and isclose(sum(numbers), 1, abs_tol=_SUM)
    )


def members(values: list[Any]) -> set[str]:
    """Return a list's members as JSON, so that they can be compared as a set."""
    return {json.dumps(value, sort_keys=True) for value in values}


class Walk:
    """Compares two values as ``Rule.compare`` does, and notes each field of them.

    Parameters
    ----------
    note
        Takes a path, an aspect, whether the two differ, stable's value and the candidate's.
    """

    def __init__(self, rule: Rule, note: Callable[[str, Aspect, bool, Any, Any], None]) -> None:
        self._rule = rule
        self._note = note

    def visit(self, stable: Any, candidate: Any, path: str = "", depth: int = 0) -> Match:
        """Compare the values at a path."""
        if depth < _DEEPEST:
            if isinstance(stable, dict) and isinstance(candidate, dict):
                return self._objects(stable, candidate, path, depth)
            if isinstance(stable, list) and isinstance(candidate, list):
                return self._lists(stable, candidate, path)
        match = self._rule.compare(stable, candidate)
        self._note(path, "value", not match.agree, stable, candidate)
        return match

    def _objects(self, stable: dict[str, Any], candidate: dict[str, Any], path: str, depth: int) -> Match:
        if is_probabilities(stable) and is_probabilities(candidate):
            keys = [max(one, key=one.__getitem__) for one in (stable, candidate)]
            self._note(path, "argmax", keys[0] != keys[1], *keys)
        matches = []
        for key in {**stable, **candidate}:
            inner = f"{path}.{key}" if path else key
            if key in stable and key in candidate:
                matches.append(self.visit(stable[key], candidate[key], inner, depth + 1))
            else:
                self._note(inner, "value", True, stable.get(key, ABSENT), candidate.get(key, ABSENT))
        return Match(agree=False) if stable.keys() != candidate.keys() else self._rule.combine(matches)

    def _lists(self, stable: list[Any], candidate: list[Any], path: str) -> Match:
        floats = any(isinstance(value, float) for value in (*stable, *candidate))
        positions = _positions(stable, candidate)
        alike = len(stable) == len(candidate)
        if floats and is_probabilities(stable) and is_probabilities(candidate):
            places = [one.index(max(one)) for one in (stable, candidate)]
            self._note(path, "argmax", places[0] != places[1], *places)
        matches = [self._rule.compare(*pair) for pair in zip(stable, candidate, strict=False)] if positions else []
        match = self._rule.combine(matches) if positions and alike else self._rule.compare(stable, candidate)
        if not (floats and positions and alike):
            self._note(path, "order", not match.agree, stable, candidate)
            self._note(path, "length", not alike, stable, candidate)
        if not floats:
            self._note(path, "set", members(stable) != members(candidate), stable, candidate)
        for place in range(positions):
            one, other = (values[place] if place < len(values) else ABSENT for values in (stable, candidate))
            differ = place >= len(matches) or not matches[place].agree
            self._note(f"{path}[{place}]", "value", differ, one, other)
        return match


def _positions(stable: list[Any], candidate: list[Any]) -> int:
    """Return how many positions of two lists are fields: all, if they have few and scalar members, else none."""
    longest = max(len(stable), len(candidate))
    if longest > MOST_POSITIONS or any(_is_nested(value) for value in (*stable, *candidate)):
        return 0
    return longest


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _text(value: Any) -> str:
    if value is ABSENT:
        return ""
    # No more of a long value is encoded than is shown.
    parts, length = [], 0
    for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        parts.append(part)
        length += len(part)
        if length > MOST_CHARACTERS:
            break
    # Half of a surrogate pair is no text that UTF-8 could carry.
    text = "".join(parts)[: MOST_CHARACTERS + 1].encode("utf-8", "backslashreplace").decode()
    return text if length <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
