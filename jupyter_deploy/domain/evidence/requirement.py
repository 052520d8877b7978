"""Requirements of a comparison by a user or a CI job, such as ``agreement >= 0.99``. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_deploy.domain.errors import InvalidInput

from .inference import Comparison, Estimate, Requirement

_EXPRESSION = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*(?P<sign>[<>]=?)\s*(?P<number>[^\s%]+)\s*(?P<percent>%?)\s*")


def _relative(name: str) -> Callable[[Comparison], Estimate | None]:
    return lambda comparison: comparison.relative_difference.get(name)


FIGURES: dict[str, Callable[[Comparison], Estimate | None]] = {
    "agreement": lambda comparison: comparison.agreement,
    "coverage": lambda comparison: comparison.coverage,
    "error_rate": lambda comparison: comparison.sides["candidate"].error_rate,
    "error_rate_difference": lambda comparison: comparison.error_difference,
    "refusal_rate": lambda comparison: comparison.refusal_rate,
    "latency_p50_difference_ms": lambda comparison: comparison.latency_difference_ms,
    **{f"relative_difference_{name}": _relative(name) for name in ("p50", "p90", "p99", "max")},
}
"""Figures with an interval, by their name in an expression."""

COUNTS: dict[str, Callable[[Comparison], int]] = {
    "pairs": lambda comparison: comparison.pairs,
    "rows": lambda comparison: comparison.rows,
    "requests": lambda comparison: comparison.sides["candidate"].requests,
}
"""Counts of a comparison: pairs and rows of a shadow, the candidate's requests."""

_SHARES = {"agreement", "coverage", "error_rate", "error_rate_difference", "refusal_rate"}
_PAIRED = {"agreement", "coverage", "refusal_rate", "pairs", "rows"}


@dataclass(frozen=True)
class Required:
    """A figure or count, a sign and a number."""

    expression: str
    name: str
    sign: Literal[">=", ">", "<=", "<"]
    number: float


def parse_requirement(expression: str) -> Required:
    """Parse ``NAME SIGN NUMBER``, such as ``agreement >= 99%`` or ``latency_p50_difference_ms <= 2``.

    Raises
    ------
    InvalidInput
        The form is wrong, or the figure is unknown; the message names the known ones.
    """
    match = _EXPRESSION.fullmatch(expression)
    number = _number(match["number"]) if match else None
    if match is None or number is None:
        raise InvalidInput(
            f"'{expression}' is no requirement",
            "write a figure, one of >=, >, <=, < and a number, such as 'agreement >= 0.99' or 'agreement >= 99%'",
        )
    known = [*FIGURES, *COUNTS]
    if match["name"] not in known:
        near = difflib.get_close_matches(match["name"], known)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InvalidInput(f"there is no figure '{match['name']}'", f"{hint}the figures are: {', '.join(known)}")
    if match["name"] in COUNTS and match["percent"]:
        raise InvalidInput(f"'{expression}': {match['name']} is a count", "write it without %")
    if match["name"] in _SHARES and not match["percent"] and abs(number) > 1:
        raise InvalidInput(f"'{expression}': {match['name']} is a share of at most 1", f"did you mean {number:g}%?")
    sign: Any = match["sign"]
    return Required(expression.strip(), match["name"], sign, number / 100 if match["percent"] else number)


def parse_requirements(given: Any) -> Any:
    """Check one expression or several; they stay texts.

    Raises
    ------
    InvalidInput
        See ``parse_requirement``.
    """
    expressions = [given] if isinstance(given, str) else list(given or [])
    for expression in expressions:
        parse_requirement(str(expression))
    return expressions


def evaluate(required: Required, comparison: Comparison) -> Requirement:
    """Evaluate a requirement by its whole interval, at every look: ``met`` is wrong in at most 5 % of cases.

    Raises
    ------
    InvalidInput
        A canary is required to have a figure that only a shadow has: waiting for it would never end.
    """
    if is_of_pairs(required.name) and not comparison.paired:
        raise InvalidInput(
            f"a canary has no {required.name}: it answers other requests than stable",
            "make it a shadow, or require error_rate_difference or latency_p50_difference_ms",
        )
    if required.name in COUNTS:
        return _of_count(required, COUNTS[required.name](comparison), comparison)
    figure = FIGURES[required.name](comparison)
    if figure is None:
        return Requirement(expression=required.expression, outcome="undecided", why=_why(required, comparison))
    low, high = figure.interval.low, figure.interval.high
    outcome: Literal["met", "not met", "undecided"] = "undecided"
    if _holds(low, required) and _holds(high, required):
        outcome = "met"
    elif not _holds(low, required) and not _holds(high, required):
        outcome = "not met"
    return Requirement(expression=required.expression, outcome=outcome, value=figure.value, interval=figure.interval)


def _of_count(required: Required, count: int, comparison: Comparison) -> Requirement:
    """Evaluate a count, which only grows: a minimum may still be reached, an exceeded maximum is final."""
    outcome: Literal["met", "not met", "undecided"] = "met"
    if not _holds(count, required):
        outcome = "undecided" if required.sign in (">=", ">") else "not met"
    why = _why(required, comparison) if outcome == "undecided" else ""
    return Requirement(expression=required.expression, outcome=outcome, value=count, why=why)


def _why(required: Required, comparison: Comparison) -> str:
    if required.name.startswith("relative_difference") and comparison.rows:
        return "the answers hold no floating-point numbers"
    if (
        is_of_pairs(required.name)
        and comparison.pairs
        and not comparison.rows
        and required.name not in ("coverage", "refusal_rate")
    ):
        return "no answers were recorded: 'traffic NAME --record full' starts that"
    return "too few requests so far"


def is_of_pairs(name: str) -> bool:
    """Return whether a figure or count needs answers of both releases to the same requests, as of a shadow."""
    return name in _PAIRED or name.startswith("relative_difference")


def _holds(value: float, required: Required) -> bool:
    match required.sign:
        case ">=":
            return value >= required.number
        case ">":
            return value > required.number
        case "<=":
            return value <= required.number
        case "<":
            return value < required.number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
