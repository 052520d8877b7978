"""Gates on the comparison with stable: its figures and counts, and whether a gate on one of them holds. Pure.

``compare --require`` evaluates such a gate to a ``Requirement``; a gate on live traffic, which ``traffic`` and
``promote`` enforce, to a ``GateResult``. Both have the same text, the same checks and the same statistics.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, Literal

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate, Requirement
from jupyter_deploy.domain.expressions import error_at
from jupyter_deploy.domain.validation.validation import GateResult, Verdict

from .gate import STABLE, Gate
from .parser import GATE, Use, parse_gate

LIVE = "live traffic"
"""The origin of a gate that a comparison judges."""


def _relative(name: str) -> Callable[[Comparison], Estimate | None]:
    return lambda comparison: comparison.relative_difference.get(name)


FIGURES: dict[str, Callable[[Comparison], Estimate | None]] = {
    "agreement": lambda comparison: comparison.agreement,
    "coverage": lambda comparison: comparison.coverage,
    "error_rate": lambda comparison: comparison.sides["candidate"].error_rate,
    "error_rate_difference": lambda comparison: comparison.error_difference,
    "refusal_rate": lambda comparison: comparison.refusal_rate,
    "accuracy_difference": lambda comparison: comparison.accuracy_difference,
    "absolute_error_difference": lambda comparison: comparison.absolute_error_difference,
    "least_segment_agreement": lambda comparison: comparison.segments.least_agreement if comparison.segments else None,
    "slow_rate": lambda comparison: comparison.slow_rate,
    "latency_p50_difference_ms": lambda comparison: comparison.latency_difference_ms,
    **{f"relative_difference_{name}": _relative(name) for name in ("p50", "p90", "p99", "max")},
}
"""Figures with an interval, by name."""

COUNTS: dict[str, Callable[[Comparison], int]] = {
    "pairs": lambda comparison: comparison.pairs,
    "rows": lambda comparison: comparison.rows,
    "requests": lambda comparison: comparison.sides["candidate"].requests,
    "clusters": lambda comparison: comparison.clusters,
}
"""Counts of the comparison: pairs and rows of a shadow, the candidate's requests, clusters of requests."""

_NAMES = [*FIGURES, *COUNTS]
_SHARES = {
    "agreement",
    "coverage",
    "error_rate",
    "error_rate_difference",
    "refusal_rate",
    "slow_rate",
    "least_segment_agreement",
    "accuracy_difference",
}
_BY_TRUTH = {"accuracy_difference", "absolute_error_difference"}
_PAIRED = {
    "agreement",
    "coverage",
    "refusal_rate",
    "pairs",
    "rows",
    "absolute_error_difference",
    "least_segment_agreement",
}

REQUIREMENT = Use("requirement", "'agreement >= 0.99', 'agreement >= 99%' or 'latency_p50_difference_ms <= 5ms'")


def is_figure(gate: Gate) -> bool:
    """Whether the comparison has a figure or a count with the gate's name."""
    return gate.metric in FIGURES or gate.metric in COUNTS


def needs_pairs(gate: Gate) -> bool:
    """Whether the figure needs answers of both releases to the same requests, which only a shadow has."""
    return gate.metric in _PAIRED or gate.metric.startswith("relative_difference")


def parse_requirement(expression: str) -> Gate:
    """Parse a gate on a figure, such as ``agreement >= 99 %`` or ``latency_p50_difference_ms <= 5ms``.

    Raises
    ------
    InvalidInput
        The text is no gate, or no comparison can be judged by it; the message names the character.
    """
    gate = parse_gate(expression, REQUIREMENT)
    require_figure(gate, REQUIREMENT)
    return gate


def check_requirements(texts: Any) -> Any:
    """Check one text or several; they stay texts.

    Raises
    ------
    InvalidInput
        See ``parse_requirement``.
    """
    expressions = [texts] if isinstance(texts, str) else list(texts or [])
    for expression in expressions:
        parse_requirement(str(expression))
    return expressions


def require_figure(gate: Gate, use: Use = GATE) -> None:
    """Require that a comparison can be judged by the gate.

    Raises
    ------
    InvalidInput
        There is no such figure; the gate has a subgroup or names stable, since every comparison is with stable; or
        the bound is a share above 1, or a percentage of a count.
    """
    text, metric, offset = gate.expression, gate.metric, gate.bound.offset
    percent = text.find("%", gate.bound_at)
    if not is_figure(gate):
        raise error_at(use.noun, text, 0, f"there is no figure '{metric}'", f"{_hint(gate)}the figures are: {_known()}")
    if gate.group:
        remedy = "leave the subgroup out, or record it in a notebook"
        raise error_at(use.noun, text, text.index("["), "a comparison has no subgroups", remedy)
    if gate.needs_stable:
        at = text.index(STABLE, gate.bound_at)
        raise error_at(use.noun, text, at, f"{metric} compares with stable already", "write a number, such as 0.99")
    if metric in COUNTS and percent >= 0:
        raise error_at(use.noun, text, percent, f"{metric} is a count", "write it without %")
    if metric in _SHARES and percent < 0 and abs(offset) > 1:
        remedy = f"did you mean {offset:g}%?"
        raise error_at(use.noun, text, gate.bound_at, f"{metric} is a share of at most 1", remedy)


def unknown_figure(gate: Gate) -> InvalidInput:
    """The error of a gate that neither a comparison nor a notebook can be judged by."""
    return error_at(
        GATE.noun,
        gate.expression,
        0,
        f"live traffic has no figure '{gate.metric}', and no notebook is named that records it",
        f"{_hint(gate)}name the notebook with --validate NOTEBOOK; the figures of live traffic are: {_known()}",
    )


def evaluate(gate: Gate, comparison: Comparison) -> Requirement:
    """Evaluate a gate by the whole interval of its figure.

    Intervals hold at every look, so a gate is met wrongly in at most 5 % of the cases, however often one looks.

    Raises
    ------
    InvalidInput
        The gate needs pairs and the candidate is a canary, which never has any.
    """
    if needs_pairs(gate) and not comparison.paired:
        raise InvalidInput(
            f"a canary has no {gate.metric}: it answers other requests than stable",
            "make it a shadow, or require error_rate_difference or latency_p50_difference_ms",
        )
    outcome = _outcome(gate, comparison)
    if missing := missing_rows(gate, comparison):
        return outcome.model_copy(update={"outcome": "undecided", "why": missing})
    return outcome


def _outcome(gate: Gate, comparison: Comparison) -> Requirement:
    """The outcome without regard to ``over 200``."""
    if gate.metric in COUNTS:
        return _outcome_of_count(gate, COUNTS[gate.metric](comparison), comparison)
    figure = FIGURES[gate.metric](comparison)
    if figure is None:
        return Requirement(expression=gate.expression, outcome="undecided", why=_why_undecided(gate, comparison))
    holds = gate.holds_over(figure.interval.low, figure.interval.high)
    return Requirement(
        expression=gate.expression,
        outcome="undecided" if holds is None else "met" if holds else "not met",
        value=figure.value,
        interval=figure.interval,
    )


def _outcome_of_count(gate: Gate, count: int, comparison: Comparison) -> Requirement:
    """A count only grows: one that is too small may still be reached, one that is too large stays too large."""
    outcome: Literal["met", "not met", "undecided"] = "met"
    if not gate.holds(count):
        outcome = "undecided" if gate.operator in (">=", ">") else "not met"
    why = _why_undecided(gate, comparison) if outcome == "undecided" else ""
    return Requirement(expression=gate.expression, outcome=outcome, value=count, why=why)


def missing_rows(gate: Gate, comparison: Comparison) -> str:
    """``150 of 200 rows so far``; empty: the comparison has as many rows as the gate needs."""
    rows = _rows(comparison)
    if gate.minimum_rows is None or rows >= gate.minimum_rows:
        return ""
    return f"{rows} of {gate.minimum_rows} rows so far"


def _rows(comparison: Comparison) -> int:
    return comparison.rows if comparison.paired else comparison.sides["candidate"].rows


def _why_undecided(gate: Gate, comparison: Comparison) -> str:
    if gate.metric.startswith("relative_difference") and comparison.rows:
        return "the answers hold no floating-point numbers"
    if gate.metric in _BY_TRUTH:
        return "too little ground truth so far, or none of this kind: send it with 'feedback'"
    if gate.metric == "least_segment_agreement" and comparison.segments is None:
        return "no segments are declared: 'nbdeploy traffic NAME --segment COLUMN' declares them"
    without_answers = comparison.pairs and not comparison.rows
    if needs_pairs(gate) and without_answers and gate.metric not in ("coverage", "refusal_rate"):
        return "no answers were recorded: 'nbdeploy traffic NAME --record full' starts that"
    return "too few requests so far"


_VERDICTS: dict[str, Verdict] = {"met": "pass", "not met": "fail", "undecided": "inconclusive"}


def judge_live(gate: Gate, comparison: Comparison) -> GateResult:
    """Judge a gate by a comparison of live traffic.

    Raises
    ------
    InvalidInput
        See ``require_figure`` and ``evaluate``.
    """
    require_figure(gate)
    outcome = evaluate(gate, comparison)
    if missing := missing_rows(gate, comparison):
        return undecided(gate, missing, outcome.value)
    if outcome.value is None:
        return undecided(gate, outcome.why)
    verdict = _VERDICTS[outcome.outcome]
    interval = f" [{outcome.interval.low:.3g}, {outcome.interval.high:.3g}]" if outcome.interval else ""
    why = f" ({outcome.why})" if outcome.why else ""
    return GateResult(
        expression=gate.expression,
        origin=LIVE,
        verdict=verdict,
        sentence=f"{gate.metric} {outcome.value:.4g}{interval} {_condition(gate)}: {verdict}{why}",
        method=f"comparison of {comparison.pairs} pairs" if comparison.paired else "unpaired comparison",
        value=outcome.value,
        interval=outcome.interval,
        threshold=gate.bound.offset,
        n=_rows(comparison),
    )


def undecided(gate: Gate, why: str, value: float | None = None) -> GateResult:
    """The result of a gate on live traffic that cannot be judged yet, with the reason."""
    return GateResult(
        expression=gate.expression,
        origin=LIVE,
        verdict="inconclusive",
        sentence=f"{gate.metric} {_condition(gate)}: inconclusive, {why}",
        value=value,
        threshold=gate.bound.offset,
    )


def dated(result: GateResult, when: str) -> GateResult:
    """An earlier result on live traffic, with its date."""
    sentence = f"{result.sentence} ({when})"
    return result.model_copy(update={"origin": f"{LIVE}, {when}", "sentence": sentence})


def _condition(gate: Gate) -> str:
    return f"{gate.operator_sign} {gate.bound.offset:g} on live traffic"


def _known() -> str:
    return ", ".join(_NAMES)


def _hint(gate: Gate) -> str:
    near = difflib.get_close_matches(gate.metric, _NAMES)
    return f"did you mean {' or '.join(near)}? " if near else ""
