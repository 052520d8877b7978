"""When two answers are the same answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import Any

_EXACT = re.compile(r"[<>|=]?(bool|u?int|str|string|bytes|U|S)\d*")
_FLOAT = re.compile(r"(b?float|double|half)\d*")


@dataclass(frozen=True)
class Rule:
    """How a candidate's answer must match stable's.

    Strings, booleans and integers must be equal; a boolean is no number. Floating-point numbers must satisfy
    ``|candidate - stable| <= atol + rtol * |stable|`` (numpy's ``isclose``). Lists and objects are compared element
    by element. A missing value agrees with a missing value only.

    Parameters
    ----------
    dtype
        NumPy's name of the answers' type. ``int…``, ``str`` and ``bool``: numbers too must be equal. ``float…``: the
        tolerance holds for every number, also for one that JSON shows without a fraction. Anything else (``object``):
        it holds where one of the two numbers is written with a fraction.
    rtol, atol
        Relative and absolute tolerance, the latter in the answers' unit.
    """

    dtype: str
    rtol: float = 1e-6
    atol: float = 1e-9

    @property
    def exact(self) -> bool:
        return _EXACT.fullmatch(self.dtype) is not None

    @property
    def floating(self) -> bool:
        return _FLOAT.fullmatch(self.dtype) is not None

    def compare(self, stable: Any, candidate: Any) -> tuple[bool, float | None]:
        """Whether two JSON values agree, and the largest ``|candidate - stable|`` of their floating-point numbers.

        The latter is None where there are none, or where the two differ in their shape.
        """
        if isinstance(stable, list) and isinstance(candidate, list):
            if len(stable) != len(candidate):
                return False, None
            return self._all(list(zip(stable, candidate, strict=True)))
        if isinstance(stable, dict) and isinstance(candidate, dict):
            if stable.keys() != candidate.keys():
                return False, None
            return self._all([(stable[key], candidate[key]) for key in stable])
        if _is_number(stable) and _is_number(candidate):
            return self._numbers(stable, candidate)
        return type(stable) is type(candidate) and stable == candidate, None

    def _numbers(self, stable: float, candidate: float) -> tuple[bool, float | None]:
        fractions = isinstance(stable, float) or isinstance(candidate, float)
        if self.exact or not (self.floating or fractions):
            return stable == candidate, None
        if stable == candidate:
            return True, 0.0
        gap = abs(_as_float(candidate) - _as_float(stable))
        return gap < inf and gap <= self.atol + self.rtol * abs(_as_float(stable)), gap

    def _all(self, pairs: list[tuple[Any, Any]]) -> tuple[bool, float | None]:
        found = [self.compare(stable, candidate) for stable, candidate in pairs]
        agree = all(same for same, _ in found)
        gaps = [gap for _, gap in found if gap is not None]
        return agree, max(gaps, default=None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON allows integers that no double holds
        return inf if value > 0 else -inf
