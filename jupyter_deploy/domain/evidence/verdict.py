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

from .inference import Doubt, Estimate
from .propensity import StepwiseDifference
from .sequential import LEVEL, Mean

AGREEMENT = 0.99
LEAST_COVERAGE = 0.95
MARGIN = 0.01
MOST_ANSWERS = 20
"""The number of most frequent labels that are compared."""

LEAST_CLUSTERS = 100
"""Fewer clusters of requests recommend no promotion, whatever they show."""

SLOW_MARGIN = 0.1
SLOWER = 1.5
"""A candidate is slow if over ``SLOW_MARGIN`` of its answers take longer than stable's 95th percentile (5 % of stable's
do), and its own 95th percentile is at least so many times stable's."""

NEVER_ANSWERED = 8
"""A candidate without one answer after so many requests is broken: as many flips show that it errs more."""

OF_FOUR = 1 - (1 - LEVEL) / 4  # a shadow: errors, refusals, slow answers, answers
OF_THREE = 1 - (1 - LEVEL) / 3  # a canary: errors, slow answers, shares of answers
_OF_ANSWERS = 1 - (1 - LEVEL) / 3 / MOST_ANSWERS


class Judgement(NamedTuple):
    """``recommendation``: see ``Comparison``."""

    verdict: Literal["inconclusive", "agrees", "differs"]
    reason: str
    recommendation: Literal["promote", "stop", "decide", "wait"]


@dataclass(frozen=True)
class SlowAnswers:
    """How slow the candidate is.

    Attributes
    ----------
    rate
        The share of its answers that take longer than stable's 95th percentile; the unit is the minute.
    ratio
        Its 95th percentile by stable's.
    """

    rate: Mean = field(default_factory=lambda: Mean({}))
    ratio: float = 1.0

    def shown(self, level: float) -> bool:
        """Return whether the candidate is shown to be slow."""
        return self.ratio >= SLOWER and self.rate.above(SLOW_MARGIN, level)

    @property
    def excluded(self) -> bool:
        """Return whether the candidate is shown not to be slow."""
        return self.ratio < SLOWER or self.rate.below(SLOW_MARGIN)

    def __str__(self) -> str:
        rate = self.rate.estimate()
        return f"{_percent(rate)} of its answers take longer than stable's 95th percentile" if rate else ""


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
    error_events
        The same of events: consecutive failures within a minute are one, since their cause is.
    unanswered
        The number of requests, if the candidate has answered none of them and stable has.
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
    error_events: Mean
    clusters: int
    slow: SlowAnswers = field(default_factory=SlowAnswers)
    unanswered: int = 0
    floats: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    stochastic: bool = False
    unwindowed_overflow: bool = False


@dataclass(frozen=True)
class UnpairedFigures:
    """The figures of a canary and of stable, on different requests.

    ``errors`` and ``shares`` (of each frequent answer) are the candidate's minus stable's, ``error_events`` its part of
    the events of errors minus its share of the requests.
    """

    stable: int
    candidate: int
    clusters: int
    errors: StepwiseDifference
    error_events: StepwiseDifference
    shares: Mapping[str, StepwiseDifference] = field(default_factory=dict)
    slow: SlowAnswers = field(default_factory=SlowAnswers)
    unanswered: int = 0
    stochastic: bool = False


def judge_paired(figures: PairedFigures) -> Judgement:
    """Judge a shadow.

    - ``differs``: it is shown to err more than stable or to refuse more than 1 % of what stable answers (stop), or
      to be slow or to agree on less than 99 % (decide). Disagreement alone is not evidence against a stochastic model,
      which does not agree with itself either, nor against floating-point numbers without a tolerance, since two
      models rarely return the same.
    - ``agrees`` (promote): agreement of at least 99 %, less than 1 point more errors and less than 1 % refusals are
      shown on at least 100 clusters of requests, it is not slow, and at least 95 % of the mirrored requests could be
      compared.
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
    if figures.unanswered >= NEVER_ANSWERED:
        return Judgement("differs", f"the candidate has answered none of {figures.unanswered:,} requests", "stop")
    if figures.error_events.above(0, OF_FOUR):
        return Judgement("differs", f"the candidate errs {_points(errors)} more often than stable {on}", "stop")
    if figures.refused.above(MARGIN, OF_FOUR):
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
    if figures.agreement.below(AGREEMENT, OF_FOUR):
        if figures.stochastic:
            return Judgement("inconclusive", f"{rows}, which says little", "decide")
        return Judgement("differs", rows, "decide")
    if figures.slow.shown(OF_FOUR):
        return Judgement("differs", f"{rows}; {figures.slow}", "decide")
    return _judge_agreement(figures, rows, errors, refused)


def _judge_agreement(figures: PairedFigures, rows: str, errors: Estimate, refused: Estimate) -> Judgement:
    coverage = figures.coverage.estimate()
    match paired_doubt(figures):
        case "answers":
            missing = f", which is not yet clearly above or below {AGREEMENT:.0%}"
        case "rows":
            alike = 1 - figures.flips / figures.rows
            missing = f", each request counting alike, but only on {alike:.2%} of all rows: large requests differ more"
        case "refusals":
            missing = f", but the candidate refuses {_percent(refused)} of stable's requests"
        case "errors":
            missing = f", but that the candidate errs a point more often is not ruled out: {_points(errors)}"
        case "coverage":
            compared = _percent(coverage) if coverage else "none"
            missing = f", but only {compared} of {_count(figures.mirrored, 'mirrored request')} could be compared"
        case "slow answers":
            missing = f", but {figures.slow}"
        case "clusters":
            missing = f", but they are of {_clusters(figures.clusters)}"
        case None:
            return Judgement("agrees", rows, "promote")
    return Judgement("inconclusive", rows + missing, "wait")


def judge_unpaired(figures: UnpairedFigures) -> Judgement:
    """Judge a canary, which answers other requests than stable, by errors and shares of answers only.

    - ``differs``: it is shown to err more than stable (stop), to be slow, or to give an answer more or less often by
      more than a point (decide; not for a stochastic model).
    - ``agrees`` (promote): its errors are no worse, so its error rate is shown to be less than a point above stable's
      on at least 100 clusters of requests, and it is not slow.
    - ``inconclusive``: anything between.
    """
    word, why, recommendation = _judge_unpaired(figures)
    notes = ["unpaired: the canary answers other requests than stable, of the same time"]
    if figures.stochastic:
        notes.append("one of the two is stochastic")
    return Judgement(word, "; ".join([why, *notes]) + ".", recommendation)


def _judge_unpaired(figures: UnpairedFigures) -> Judgement:
    of = f"{_count(figures.candidate, 'request')} of the canary and {figures.stable:,} of stable"
    errors = figures.errors.estimate()
    if errors is None:
        return Judgement("inconclusive", f"{of} so far", "wait")
    why = f"the canary errs {_points(errors)} more often than stable, by {of}"
    if figures.unanswered >= NEVER_ANSWERED:
        why = f"the canary has answered none of {figures.unanswered:,} requests"
    if figures.unanswered >= NEVER_ANSWERED or figures.error_events.above(0, OF_THREE):
        return Judgement("differs", why, "stop")
    if shifted := shifted_answers(figures):
        answer, by = max(shifted.items(), key=lambda item: abs(item[1].value))
        moved = by.estimate()
        points = _points(moved) if moved else ""
        return Judgement("differs", f"the canary answers '{answer}' {points} more often than stable, by {of}", "decide")
    if figures.slow.shown(OF_THREE):
        return Judgement("differs", f"{why}; {figures.slow}", "decide")
    return _judge_shared(figures, why)


def shifted_answers(figures: UnpairedFigures) -> dict[str, StepwiseDifference]:
    """Return the answers whose share is shown to differ by more than a point; none of a stochastic model."""
    if figures.stochastic:
        return {}
    return {
        answer: by
        for answer, by in figures.shares.items()
        if by.above(MARGIN, _OF_ANSWERS) or by.below(-MARGIN, _OF_ANSWERS)
    }


def _judge_shared(figures: UnpairedFigures, why: str) -> Judgement:
    match unpaired_doubt(figures):
        case "errors":
            missing = ", which does not rule out a point or more"
        case "slow answers":
            missing = f", but {figures.slow}"
        case "clusters":
            missing = f", but they are of {_clusters(figures.clusters)}"
        case _:
            return Judgement("agrees", f"errors no worse: {why}", "promote")
    return Judgement("inconclusive", why + missing, "wait")


def paired_doubt(figures: PairedFigures) -> Doubt | None:
    """Return the first condition of a shadow's promotion that is not shown; None: all are."""
    conditions: dict[Doubt, bool] = {
        "answers": figures.agreement.above(AGREEMENT),
        "rows": figures.rows > 0 and 1 - figures.flips / figures.rows >= AGREEMENT,
        "refusals": figures.refused.below(MARGIN),
        "errors": figures.errors.below(MARGIN),
        "coverage": not figures.coverage.n or figures.coverage.value >= LEAST_COVERAGE,
        "slow answers": figures.slow.excluded,
        "clusters": figures.clusters >= LEAST_CLUSTERS,
    }
    return next((doubt for doubt, shown in conditions.items() if not shown), None)


def unpaired_doubt(figures: UnpairedFigures) -> Doubt | None:
    """Return the first condition of a canary's promotion that is not shown; None: all are."""
    conditions: dict[Doubt, bool] = {
        "errors": figures.errors.below(MARGIN),
        "slow answers": figures.slow.excluded,
        "clusters": figures.clusters >= LEAST_CLUSTERS,
    }
    return next((doubt for doubt, shown in conditions.items() if not shown), None)


def _clusters(n: int) -> str:
    return (
        f"{_count(n, 'cluster')} only (requests of one x-sticky-key, or of equal inputs): {LEAST_CLUSTERS} are needed"
    )


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _percent(share: Estimate) -> str:
    low, high = share.interval.low, share.interval.high
    return f"{share.value:.2%} ({share.interval.level:.0%} interval {low:.2%} to {high:.2%})"


def _points(change: Estimate) -> str:
    low, high = change.interval.low * 100, change.interval.high * 100
    return f"{change.value * 100:+.2f} points ({change.interval.level:.0%} interval {low:+.2f} to {high:+.2f})"
