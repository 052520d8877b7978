"""R's arithmetic in a graph of 64-bit numbers; NA is NaN, and each value has n rows and one column."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .writer import GraphWriter

_LARGEST_WHOLE = float(2**31 - 1)
_SMALL = 0.5
"""Up to here exp(x) - 1 and log(1 + x) lose digits unless they are corrected (Kahan)."""

_COMPARISONS = {
    "<": ("Less", False),
    ">": ("Greater", False),
    "<=": ("LessOrEqual", False),
    ">=": ("GreaterOrEqual", False),
    "==": ("Equal", False),
    "!=": ("Equal", True),
}
_OPERATORS = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "^": "Pow"}
_UNARY = {"exp": "Exp", "sqrt": "Sqrt", "abs": "Abs", "sin": "Sin", "cos": "Cos", "log": "Log"}


class Arithmetic:
    """Adds computations to a graph."""

    def __init__(self, writer: GraphWriter) -> None:
        self._writer = writer
        self._numbers: dict[str, str] = {}

    def number(self, value: float) -> str:
        """Return a constant, which is the same one each time."""
        key = value.hex()
        if key not in self._numbers:
            self._numbers[key] = self._writer.constant("number", np.array([[value]]))
        return self._numbers[key]

    def operation(self, name: str, left: str, right: str | float) -> str:
        """Add ``+ - * / ^``."""
        return self._writer.node(_OPERATORS[name], [left, right if isinstance(right, str) else self.number(right)])

    def function(self, name: str, value: str) -> str:
        """Add a function of ONNX by R's name."""
        return self._writer.node(_UNARY[name], [value])

    def choose(self, condition: str, then: str, otherwise: str) -> str:
        """Add a choice by row."""
        return self._writer.node("Where", [condition, then, otherwise], version=9)

    def is_less(self, value: str, bound: float) -> str:
        """Add the condition ``value < bound``, which is false for NaN."""
        return self._writer.node("Less", [value, self.number(bound)])

    def is_more(self, value: str, bound: float) -> str:
        """Add the condition ``value > bound``, which is false for NaN."""
        return self._writer.node("Greater", [value, self.number(bound)])

    def at_least(self, value: str, bound: float) -> str:
        """Add ``pmax``: NaN stays."""
        return self.choose(self.is_less(value, bound), self.number(bound), value)

    def at_most(self, value: str, bound: float) -> str:
        """Add ``pmin``: NaN stays."""
        return self.choose(self.is_more(value, bound), self.number(bound), value)

    def negative(self, value: str) -> str:
        """Add ``-value``."""
        return self._writer.node("Neg", [value])

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Add a polynomial by Horner's rule; the coefficient of the highest power is the first."""
        made = self.operation("*", x, coefficients[0])
        for one in coefficients[1:-1]:
            made = self.operation("*", self.operation("+", made, one), x)
        return self.operation("+", made, coefficients[-1])

    def expm1(self, x: str) -> str:
        """Add exp(x) - 1, for small x by W. Kahan's (u - 1) * x / log(u) with u = exp(x)."""
        power = self.function("exp", x)
        less_one = self.operation("-", power, 1.0)
        corrected = self.operation("/", self.operation("*", less_one, x), self.function("log", power))
        near_one = self._writer.node("Equal", [power, self.number(1.0)])
        small = self.is_less(self.function("abs", x), _SMALL)
        return self.choose(small, self.choose(near_one, x, corrected), less_one)

    def log1p(self, x: str) -> str:
        """Add log(1 + x), for small x by W. Kahan's log(u) * x / (u - 1) with u = 1 + x."""
        more_one = self.operation("+", x, 1.0)
        log = self.function("log", more_one)
        corrected = self.operation("/", self.operation("*", log, x), self.operation("-", more_one, 1.0))
        near_one = self._writer.node("Equal", [more_one, self.number(1.0)])
        small = self.is_less(self.function("abs", x), _SMALL)
        return self.choose(small, self.choose(near_one, x, corrected), log)

    def compared(self, name: str, left: str, right: str) -> str:
        """Add a comparison as 0 or 1; NaN if either side is."""
        kind, turned = _COMPARISONS[name]
        condition = self._writer.node(kind, [left, right])
        one, zero = (self.number(value) for value in ((0.0, 1.0) if turned else (1.0, 0.0)))
        missing = self._writer.node("Or", [self._writer.node("IsNaN", [side]) for side in (left, right)])
        return self.choose(missing, self.number(math.nan), self.choose(condition, one, zero))

    def whole(self, value: str) -> str:
        """Add R's overflow of whole numbers: NA beyond 32 bits."""
        beyond = self.is_more(self.function("abs", value), _LARGEST_WHOLE)
        return self.choose(beyond, self.number(math.nan), value)

    def called(self, name: str, parts: Sequence[str]) -> str:
        """Add a call of one of R's functions (``FUNCTIONS``, operators and comparisons) with its arguments."""
        if name in _COMPARISONS:
            return self.compared(name, *parts)
        if name in _OPERATORS:
            return self.operation(name, *parts) if len(parts) > 1 else self.negative(parts[0])
        return FUNCTIONS[name](self, *parts)


def _log(math_: Arithmetic, x: str, base: str | None = None) -> str:
    log = math_.function("log", x)
    return log if base is None else math_.operation("/", log, math_.function("log", base))


def _plain(name: str) -> Callable[..., str]:
    return lambda math_, x: math_.function(name, x)


FUNCTIONS: Mapping[str, Callable[..., str]] = {
    **{name: _plain(name) for name in ("exp", "sqrt", "abs", "sin", "cos")},
    "log": _log,
    "log2": lambda math_, x: math_.operation("/", math_.function("log", x), math.log(2)),
    "log10": lambda math_, x: math_.operation("/", math_.function("log", x), math.log(10)),
    "log1p": Arithmetic.log1p,
    "expm1": Arithmetic.expm1,
    "scale": lambda math_, x, centre, size: math_.operation("/", math_.operation("-", x, centre), size),
}
"""Functions of R by name, with the arguments that ``design.R`` gives."""
