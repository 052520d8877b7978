"""``Gate``: a metric or a figure, an operator and a bound. Pure.

A validation, a gate on live traffic and ``compare --require`` use the same value; ``parser`` reads it from a text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Operator = Literal[">=", ">", "<=", "<"]

STABLE = "stable"

WORD = re.compile(r"[^\W\d]\w*|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
"""A group's name or value that needs no quotes."""

_COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Bound:
    """``factor * stable + offset``; with the factor 0 a number."""

    offset: float
    factor: float = 0.0

    def __str__(self) -> str:
        if not self.factor:
            return _number(self.offset)
        multiple = STABLE if self.factor == 1 else f"{_number(self.factor)} * {STABLE}"
        if not self.offset:
            return multiple
        return f"{multiple} {'-' if self.offset < 0 else '+'} {_number(abs(self.offset))}"


@dataclass(frozen=True)
class Gate:
    """A condition on a metric of a validation, or on a figure of the comparison on live traffic.

    Attributes
    ----------
    expression
        The text as its author wrote it, with single spaces; ``str(gate)`` is the canonical text.
    metric
        The name of the metric or of the figure.
    group
        The subgroup of rows that the metric is of; empty: all rows.
    minimum_rows
        The number of rows that the metric needs (``over 200``).
    bound_at
        The bound's position in ``expression``, for errors.
    """

    expression: str
    metric: str
    operator: Operator
    bound: Bound
    group: Mapping[str, str] = field(default_factory=dict)
    minimum_rows: int | None = None
    bound_at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        rows = "" if self.minimum_rows is None else f" over {self.minimum_rows}"
        return f"{self.label} {self.operator} {self.bound}{rows}"

    @property
    def needs_stable(self) -> bool:
        """Whether the gate compares with the stable release."""
        return self.bound.factor != 0

    @property
    def operator_sign(self) -> str:
        """The operator as one character, for sentences."""
        return {">=": "≥", "<=": "≤"}.get(self.operator, self.operator)

    @property
    def label(self) -> str:
        """The metric with its subgroup: ``accuracy[sex=F]``."""
        return metric_label(self.metric, self.group)

    @property
    def meaning(self) -> tuple[object, ...]:
        """The meaning without the spelling: equal for gates that demand the same."""
        return self.label, self.operator, self.bound, self.minimum_rows

    def holds(self, value: float) -> bool:
        """Whether a value lies on the right side of ``bound.offset``.

        If the gate needs stable, ``value`` is the metric's distance from ``bound.factor`` times stable's metric.
        """
        return bool(_COMPARE[self.operator](value, self.bound.offset))

    def holds_over(self, low: float, high: float) -> bool | None:
        """Whether the gate holds over a whole interval; None: it holds at one end alone, so nothing is decided."""
        ends = {self.holds(low), self.holds(high)}
        return ends.pop() if len(ends) == 1 else None


def metric_label(metric: str, group: Mapping[str, str]) -> str:
    """``accuracy[sex=F]`` as a gate spells it, with quotes around anything that is not one word."""
    inside = ", ".join(f"{_quoted(name)}={_quoted(value)}" for name, value in group.items())
    return f"{metric}[{inside}]" if inside else metric


def _quoted(text: str) -> str:
    if WORD.fullmatch(text):
        return text
    return f"'{text}'" if "'" not in text else f'"{text}"'


def _number(value: float) -> str:
    """The shortest text that reads as the same number; without a sign for a zero."""
    return repr(value + 0.0).removesuffix(".0")
