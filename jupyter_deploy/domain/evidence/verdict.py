"""The verdict on a comparison: a word, a sentence and a recommendation. Pure.

The thresholds are about the size of a difference, not only its certainty: with enough requests the smallest
difference is certain. The evidence holds at every look (see ``sequential``), so repeated looks do not make a verdict
wrong more often: over all looks together, at most 5 % of the candidates without a ground for it are called ``differs``,
and at most 5 % of those that are not good enough ``agrees``. The first 5 % are split over the possible grounds; the
second verdict needs all its conditions at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .inference import Estimate
from .sequential import LEVEL, Difference, Mean

AGREEMENT = 0.99
LEAST_COVERAGE = 0.95
MARGIN = 0.01
MOST_ANSWERS = 20
"""The number of most frequent labels that are compared."""

_OF_THREE = 1 - (1 - LEVEL) / 3  # a shadow: errors, refusals, answers
_OF_TWO = 1 - (1 - LEVEL) / 2  # a canary: errors, shares of answers
_OF_ANSWERS = 1 - (1 - LEVEL) / 2 / MOST_ANSWERS


class Judgement(NamedTuple):
    """``recommendation``: see ``Comparison``."""

    verdict: Literal["inconclusive", "agrees", "differs"]
    reason: str
    recommendation: Literal["promote", "stop", "decide", "wait"]


@dataclass(frozen=True)
class PairedFigures:
    """The figures of a shadow against stable on the same requests.

    Attributes
    ----------
    rows, flips
        Rows that both answered with 200, and those on which they disagree.
    agreement
        Each request's share of rows that agree.
    errors
        The candidate's error rate minus stable's.
    refused
        Pairs in which stable answered with 200 and the candidate refused the input (400, 413, 415, 422).
    floats
        Quantiles of the relative differences, if flips are of floating-point numbers and no tolerance was set.
    """

    pairs: int
    rows: int
    flips: int
    mirrored: int
    agreement: Mean
    coverage: Mean
    errors: Mean
    refused: Mean
    floats: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    stochastic: bool = False
    unwindowed_overflow: bool = False


@dataclass(frozen=True)
class UnpairedFigures:
    """The figures of a canary and of stable, on different requests.

    ``errors`` and ``shares`` (of each frequent answer) are the candidate's minus stable's.
    """

    stable: int
    candidate: int
    errors: Difference
    shares: Mapping[str, Difference] = field(default_factory=dict)
    stochastic: bool = False


def judge_paired(figures: PairedFigures) -> Judgement:
    """Judge a shadow.

    - ``differs``: it is shown to err more than stable or to refuse more than 1 % of what stable answers (stop), or
      the agreement is shown to be below 99 % (decide). Disagreement alone is not evidence against a stochastic model,
      which does not agree with itself either, nor against floating-point numbers without a tolerance, since two
      models rarely return the same.
    - ``agrees`` (promote): agreement of at least 99 %, less than 1 point more errors and less than 1 % refusals are
      shown, and at least 95 % of the mirrored requests could be compared.
    - ``inconclusive``: anything between.
    """
    word, why, recommendation = _judge_paired(figures)
    notes = []
    if figures.failures and word != "agrees":
        worst = sorted(figures.failures.items(), key=lambda item: -item[1])[:3]
        notes.append("without a comparison: " + ", ".join(f"{count} {reason}" for reason, count in worst))
    if figures.stochastic:
        notes.append("one of the two is stochastic and does not agree with itself")
    if figures.unwindowed_overflow:
        notes.append("overflow is counted since the gateway started, so coverage is at least this")
    return Judgement(word, "; ".join([why, *notes]) + ".", recommendation)


def _judge_paired(figures: PairedFigures) -> Judgement:
    errors, refused = figures.errors.estimate(), figures.refused.estimate()
    if errors is None or refused is None:
        return Judgement("inconclusive", "0 pairs so far", "wait")
    on = f"on {_count(figures.pairs, 'pair')}"
    if figures.errors.above(0, _OF_THREE):
        return Judgement("differs", f"the candidate errs {_points(errors)} more often than stable {on}", "stop")
    if figures.refused.above(MARGIN, _OF_THREE):
        why = f"the candidate refuses {_percent(refused)} of the requests that stable answers, {on}"
        return Judgement("differs", why, "stop")
    agreement = figures.agreement.estimate()
    if agreement is None:
        return Judgement("inconclusive", f"no row was answered by both {on}", "wait")
    return _judge_rows(figures, agreement, errors, refused)


def _judge_rows(figures: PairedFigures, agreement: Estimate, errors: Estimate, refused: Estimate) -> Judgement:
    rows = f"the two agree on {_percent(agreement)} of {_count(figures.rows, 'row')} ({_count(figures.flips, 'flip')})"
    if figures.floats and not figures.agreement.above(AGREEMENT):
        size = f"p50 {figures.floats['p50']:.2%}, p99 {figures.floats['p99']:.2%}"
        what = "these are numbers: look at their relative differences and say with --tolerance what counts as equal"
        return Judgement("inconclusive", f"{rows}; {what} ({size})", "decide")
    if figures.agreement.below(AGREEMENT, _OF_THREE):
        if figures.stochastic:
            return Judgement("inconclusive", f"{rows}, which says little", "decide")
        return Judgement("differs", rows, "decide")
    return _judge_agreement(figures, rows, errors, refused)


def _judge_agreement(figures: PairedFigures, rows: str, errors: Estimate, refused: Estimate) -> Judgement:
    coverage = figures.coverage.estimate()
    alike = 1 - figures.flips / figures.rows
    missing = ""
    if not figures.agreement.above(AGREEMENT):
        missing = f", which is not yet clearly above or below {AGREEMENT:.0%}"
    elif alike < AGREEMENT:
        missing = f", each request counting alike, but only on {alike:.2%} of all rows: large requests differ more"
    elif not figures.refused.below(MARGIN):
        missing = f", but the candidate refuses {_percent(refused)} of stable's requests"
    elif not figures.errors.below(MARGIN):
        missing = f", but that the candidate errs a point more often is not ruled out: {_points(errors)}"
    elif coverage and figures.coverage.below(LEAST_COVERAGE):
        missing = f", but only {_percent(coverage)} of {_count(figures.mirrored, 'mirrored request')} could be compared"
    return Judgement("inconclusive", rows + missing, "wait") if missing else Judgement("agrees", rows, "promote")


def judge_unpaired(figures: UnpairedFigures) -> Judgement:
    """Judge a canary, which answers other requests than stable, by errors and shares of answers only.

    - ``differs``: it is shown to err more than stable (stop), or the share of an answer to differ by more than a
      point (decide; not for a stochastic model).
    - ``agrees`` (promote): its error rate is shown to be less than a point above stable's.
    - ``inconclusive``: anything between.
    """
    word, why, recommendation = _judge_unpaired(figures)
    notes = ["unpaired: the canary answers other requests than stable"]
    if figures.stochastic:
        notes.append("one of the two is stochastic")
    return Judgement(word, "; ".join([why, *notes]) + ".", recommendation)


def _judge_unpaired(figures: UnpairedFigures) -> Judgement:
    of = f"{_count(figures.candidate, 'request')} of the canary and {figures.stable:,} of stable"
    errors = figures.errors.estimate()
    if errors is None:
        return Judgement("inconclusive", f"{of} so far", "wait")
    why = f"the canary errs {_points(errors)} more often than stable, by {of}"
    if figures.errors.above(0, _OF_TWO):
        return Judgement("differs", why, "stop")
    shifted = {
        answer: by
        for answer, by in figures.shares.items()
        if by.above(MARGIN, _OF_ANSWERS) or by.below(-MARGIN, _OF_ANSWERS)
    }
    if shifted and not figures.stochastic:
        answer, by = max(shifted.items(), key=lambda item: abs(item[1].value))
        moved = by.estimate()
        points = _points(moved) if moved else ""
        return Judgement("differs", f"the canary answers '{answer}' {points} more often than stable, by {of}", "decide")
    if figures.errors.below(MARGIN):
        return Judgement("agrees", why, "promote")
    return Judgement("inconclusive", f"{why}, which does not rule out a point or more", "wait")


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _percent(share: Estimate) -> str:
    low, high = share.interval.low, share.interval.high
    return f"{share.value:.2%} ({share.interval.level:.0%} interval {low:.2%} to {high:.2%})"


def _points(change: Estimate) -> str:
    low, high = change.interval.low * 100, change.interval.high * 100
    return f"{change.value * 100:+.2f} points ({change.interval.level:.0%} interval {low:+.2f} to {high:+.2f})"
