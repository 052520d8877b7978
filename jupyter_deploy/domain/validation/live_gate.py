"""Gates on figures of the comparison on live traffic, such as ``agreement >= 0.99``. Pure."""

from __future__ import annotations

import difflib
from dataclasses import replace

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.evidence.requirement import (
    COUNTS,
    FIGURES,
    Required,
    evaluate,
    is_of_pairs,
    parse_requirement,
)

from .gate import Gate
from .validation import GateResult, Verdict

LIVE = "live traffic"
"""Where a gate stands that a comparison has just been judged by."""


def is_figure(gate: Gate) -> bool:
    """Whether a comparison has a figure or a count of that name."""
    return gate.metric in FIGURES or gate.metric in COUNTS


def required(gate: Gate) -> Required:
    """A gate on a figure of the comparison as what is required of it.

    Raises
    ------
    InvalidInput
        It names stable, which every comparison is with already, or a subgroup, which none has.
    """
    if gate.needs_stable:
        raise InvalidInput(
            f"'{gate.expression}': {gate.metric} compares with stable already", "write a number, such as 0.99"
        )
    if gate.group:
        raise InvalidInput(f"'{gate.expression}': a comparison has no subgroups", "record it in a notebook")
    parsed = parse_requirement(f"{gate.metric} {gate.sign} {gate.offset!r}")
    return replace(parsed, expression=gate.expression)


def judged_live(gate: Gate, comparison: Comparison) -> GateResult:
    """A gate, judged by a comparison of live traffic: see ``domain.requirement``.

    Raises
    ------
    InvalidInput
        A canary is asked for what only a shadow has.
    """
    outcome = evaluate(required(gate), comparison)
    rows = comparison.rows if comparison.paired else comparison.sides["candidate"].rows
    if gate.least is not None and rows < gate.least:
        return undecided(gate, f"{rows} of {gate.least} rows so far", outcome.value)
    verdict: Verdict = {"met": "pass", "not met": "fail", "undecided": "inconclusive"}[outcome.outcome]  # type: ignore[assignment]
    if outcome.value is None:
        return undecided(gate, outcome.why)
    span = f" [{outcome.interval.low:.3g}, {outcome.interval.high:.3g}]" if outcome.interval else ""
    why = f" ({outcome.why})" if outcome.why else ""
    return GateResult(
        expression=gate.expression,
        origin=LIVE,
        verdict=verdict,
        sentence=f"{gate.metric} {outcome.value:.4g}{span} {gate.sign_shown} {gate.offset:g} on live traffic: "
        f"{verdict}{why}",
        method=f"comparison of {comparison.pairs} pairs" if comparison.paired else "unpaired comparison",
        value=outcome.value,
        interval=outcome.interval,
        threshold=gate.offset,
        n=rows,
    )


def of_pairs(gate: Gate) -> bool:
    """Whether only a shadow, which is asked what stable is asked, can be judged by it."""
    return is_of_pairs(gate.metric)


def said_of(result: GateResult, when: str) -> GateResult:
    """What was found before, and when."""
    sentence = f"{result.sentence} ({when})"
    return result.model_copy(update={"origin": f"{LIVE}, {when}", "sentence": sentence})


def undecided(gate: Gate, why: str, value: float | None = None) -> GateResult:
    """A gate that cannot be judged yet, with the reason why."""
    sentence = f"{gate.metric} {gate.sign_shown} {gate.offset:g} on live traffic: inconclusive, {why}"
    return GateResult(
        expression=gate.expression,
        origin=LIVE,
        verdict="inconclusive",
        sentence=sentence,
        value=value,
        threshold=gate.offset,
    )


def unknown_figure(gate: Gate) -> InvalidInput:
    """What is said of a gate on what neither a comparison nor a notebook knows."""
    known = [*FIGURES, *COUNTS]
    near = difflib.get_close_matches(gate.metric, known)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return InvalidInput(
        f"'{gate.expression}': live traffic has no figure '{gate.metric}', and no notebook is named that records it",
        f"{hint}name the notebook with --validate NOTEBOOK; the figures of live traffic are: {', '.join(known)}",
    )
