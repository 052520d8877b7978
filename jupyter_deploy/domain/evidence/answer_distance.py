"""How far two answers to one request are from each other, to order requests by it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

OTHER = 1.0
"""The distance of two values that are not both numbers and not equal, such as two labels."""


def distance(one: Any, other: Any) -> float:
    """Return the largest distance of two values at the same place of two answers.

    Two numbers are as far apart as the absolute value of their difference, in the answers' unit; other values 0 if
    they are equal, else 1. Lists and objects have the largest distance of their items: of probabilities that is the
    one that moved most. If their lengths or keys differ, it is at least 1.

    Parameters
    ----------
    one, other
        Values of JSON.
    """
    if _is_number(one) and _is_number(other):
        size = abs(one - other)
        return size if isfinite(size) else OTHER
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        items = [distance(one[key], other[key]) for key in one.keys() & other.keys()]
        return max([*items, 0.0 if one.keys() == other.keys() else OTHER])
    if _is_list(one) and _is_list(other):
        items = [distance(*pair) for pair in zip(one, other, strict=False)]
        return max([*items, 0.0 if len(one) == len(other) else OTHER])
    return 0.0 if one == other and type(one) is type(other) else OTHER


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
