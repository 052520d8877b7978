"""The rule by which two answers agree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, NamedTuple

_EXACT = re.compile(r"[<>|=]?(bool|u?int|str|string|bytes|U|S)\d*")
_FLOAT = re.compile(r"(b?float|double|half)\d*")

OPPOSITE = 2.0
"""The largest relative difference, that of opposite numbers; also used if a difference cannot be computed."""


class Match(NamedTuple):
    """Whether two answers agree, and the largest differences of their floating-point numbers.

    ``gap`` is ``|candidate - stable|``, ``relative`` that divided by the larger of ``|candidate|`` and ``|stable|``,
    0 if ``gap`` is within the absolute tolerance. Both are None if there are no such numbers, or if the two answers
    differ in shape.
    """

    agree: bool
    gap: float | None = None
    relative: float | None = None


@dataclass(frozen=True)
class Rule:
    """The tolerances within which a candidate's answer must match stable's.

    Strings, booleans and integers must be equal; a boolean is not a number. Floating-point numbers must satisfy
    ``|candidate - stable| <= atol + rtol * |stable|`` (numpy's ``isclose``). Lists and objects are compared element
    by element. A missing value agrees with a missing value only.

    Parameters
    ----------
    dtype
        NumPy's name of the answers' type. ``int…``, ``str`` and ``bool``: numbers too must be equal. ``float…``: the
        tolerance holds for every number, also for one that JSON writes without a fraction. Anything else (``object``):
        it holds if one of the two numbers is written with a fraction.
    rtol, atol
        Relative and absolute tolerance, the latter in the answers' unit.
    chosen
        The user set the tolerance: it holds for every number, whatever the type.
    """

    dtype: str
    rtol: float = 1e-6
    atol: float = 1e-9
    chosen: bool = False

    @classmethod
    def of(cls, dtype: str, relative: float | None, absolute: float | None) -> Rule:
        """Return a rule with the tolerances of the user; None: the default."""
        rtol = cls.rtol if relative is None else relative
        atol = cls.atol if absolute is None else absolute
        return cls(dtype, rtol, atol, chosen=relative is not None or absolute is not None)

    @property
    def exact(self) -> bool:
        return not self.chosen and _EXACT.fullmatch(self.dtype) is not None

    @property
    def floating(self) -> bool:
        return self.chosen or _FLOAT.fullmatch(self.dtype) is not None

    def compare(self, stable: Any, candidate: Any) -> Match:
        """Compare two JSON values: whether they agree, and by how much their numbers differ."""
        if isinstance(stable, list) and isinstance(candidate, list):
            if len(stable) != len(candidate):
                return Match(agree=False)
            return self.combine([self.compare(*pair) for pair in zip(stable, candidate, strict=True)])
        if isinstance(stable, dict) and isinstance(candidate, dict):
            if stable.keys() != candidate.keys():
                return Match(agree=False)
            return self.combine([self.compare(stable[key], candidate[key]) for key in stable])
        if _is_number(stable) and _is_number(candidate):
            return self._numbers(stable, candidate)
        return Match(agree=type(stable) is type(candidate) and stable == candidate)

    def _numbers(self, stable: float, candidate: float) -> Match:
        fractions = isinstance(stable, float) or isinstance(candidate, float)
        if self.exact or not (self.floating or fractions):
            return Match(agree=stable == candidate)
        if stable == candidate:
            return Match(agree=True, gap=0.0, relative=0.0)
        one, other = _as_float(stable), _as_float(candidate)
        gap = abs(other - one)
        if not isfinite(gap):
            return Match(agree=False, gap=gap, relative=OPPOSITE)
        relative = 0.0 if gap <= self.atol else gap / max(abs(one), abs(other))
        return Match(agree=gap <= self.atol + self.rtol * abs(one), gap=gap, relative=relative)

    @staticmethod
    def combine(matches: Sequence[Match]) -> Match:
        """Return the match of all parts of two answers: they agree if all do, and differ by the largest difference."""
        return Match(
            agree=all(match.agree for match in matches),
            gap=max((match.gap for match in matches if match.gap is not None), default=None),
            relative=max((match.relative for match in matches if match.relative is not None), default=None),
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON allows integers that no double holds
        return inf if value > 0 else -inf
