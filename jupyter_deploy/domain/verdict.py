"""What a comparison's figures say, in one word and one sentence. Pure.

The thresholds are about the size of a difference, not only its certainty: with enough requests the smallest
difference is certain. The intervals are fixed-sample (see ``statistics``): a verdict that is asked for again and
again until it pleases is wrong more often than 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .inference import Estimate

Verdict = Literal["inconclusive", "agrees", "differs"]

FEWEST_REQUESTS = 30
AGREEMENT = 0.99
LEAST_COVERAGE = 0.95
MARGIN = 0.01


@dataclass(frozen=True)
class Paired:
    """The figures of a shadow against stable on the same requests.

    ``refused``: share of the pairs in which stable answered with 200 and the candidate refused the input (400,
    413, 415, 422). ``errors``: the candidate's error rate minus stable's.
    """

    pairs: int
    rows: int
    mirrored: int
    agreement: Estimate | None
    coverage: Estimate | None
    errors: Estimate | None
    refused: Estimate | None
    flips: int
    failures: dict[str, int] = field(default_factory=dict)
    stochastic: bool = False
    unwindowed_overflow: bool = False


@dataclass(frozen=True)
class Unpaired:
    """The figures of a canary beside stable, on different requests.

    ``shifted``: answers whose share differs by clearly more than ``MARGIN``, with the candidate's share minus
    stable's (intervals widened for looking at many answers at once).
    """

    stable: int
    candidate: int
    errors: Estimate | None
    shifted: dict[str, Estimate] = field(default_factory=dict)
    stochastic: bool = False


def of_pairs(seen: Paired) -> tuple[Verdict, str]:
    """The verdict on a shadow.

    - ``differs``: it clearly errs more than stable, clearly refuses what stable answers (more than 1 %), or
      agreement is clearly below 99 %. Disagreement alone is not held against a stochastic model, which does not
      agree with itself either.
    - ``agrees``: agreement is clearly at least 99 %, it does not clearly err more nor refuse more than 1 %, and
      at least 95 % of the mirrored requests could be compared.
    - ``inconclusive``: fewer than 30 pairs, no rows, or anything between.
    """
    word, why = _of_pairs(seen)
    notes = []
    if seen.failures and word != "agrees":
        worst = sorted(seen.failures.items(), key=lambda item: -item[1])[:3]
        notes.append("without a comparison: " + ", ".join(f"{count} {reason}" for reason, count in worst))
    if seen.stochastic:
        notes.append("one of the two is stochastic and does not agree with itself")
    if seen.unwindowed_overflow:
        notes.append("overflow is counted since the gateway started, so coverage is at least this")
    return word, "; ".join([why, *notes]) + "."


def _of_pairs(seen: Paired) -> tuple[Verdict, str]:
    if seen.pairs < FEWEST_REQUESTS:
        return "inconclusive", f"{_count(seen.pairs, 'pair')} so far; at least {FEWEST_REQUESTS} are needed"
    on = f"on {_count(seen.pairs, 'pair')}"
    if seen.errors and seen.errors.interval.low > 0:
        return "differs", f"the candidate errs {_points(seen.errors)} more often than stable {on}"
    if seen.refused and seen.refused.interval.low > MARGIN:
        return "differs", f"the candidate refuses {_percent(seen.refused)} of the requests that stable answers, {on}"
    if seen.agreement is None:
        return "inconclusive", f"no row was answered by both {on}"
    return _of_rows(seen, seen.agreement)


def _of_rows(seen: Paired, agreement: Estimate) -> tuple[Verdict, str]:
    rows = f"the two agree on {_percent(agreement)} of {_count(seen.rows, 'row')} ({_count(seen.flips, 'flip')})"
    if agreement.interval.high < AGREEMENT:
        return ("inconclusive", f"{rows}, which says little") if seen.stochastic else ("differs", rows)
    if agreement.interval.low < AGREEMENT:
        return "inconclusive", f"{rows}, which is not clearly above or below {AGREEMENT:.0%}"
    if seen.refused and seen.refused.value > MARGIN:
        return "inconclusive", f"{rows}, but the candidate refuses {_percent(seen.refused)} of stable's requests"
    if seen.coverage and seen.coverage.interval.high < LEAST_COVERAGE:
        compared = f"{_percent(seen.coverage)} of {_count(seen.mirrored, 'mirrored request')}"
        return "inconclusive", f"{rows}, but only {compared} could be compared"
    return "agrees", rows


def of_sides(seen: Unpaired) -> tuple[Verdict, str]:
    """The verdict on a canary, which answers other requests than stable: about errors and shares of answers only.

    - ``differs``: it clearly errs more than stable, or the share of an answer clearly differs by more than a
      point (not held against a stochastic model).
    - ``agrees``: its error rate is clearly less than a point above stable's.
    - ``inconclusive``: fewer than 30 requests on a side, or anything between.
    """
    word, why = _of_sides(seen)
    notes = ["unpaired: the canary answers other requests than stable"]
    if seen.stochastic:
        notes.append("one of the two is stochastic")
    return word, "; ".join([why, *notes]) + "."


def _of_sides(seen: Unpaired) -> tuple[Verdict, str]:
    of = f"{_count(seen.candidate, 'request')} of the canary and {seen.stable:,} of stable"
    if min(seen.candidate, seen.stable) < FEWEST_REQUESTS or seen.errors is None:
        return "inconclusive", f"{of} so far; at least {FEWEST_REQUESTS} of each are needed"
    if seen.errors.interval.low > 0:
        return "differs", f"the canary errs {_points(seen.errors)} more often than stable, by {of}"
    if seen.shifted and not seen.stochastic:
        answer, by = max(seen.shifted.items(), key=lambda item: abs(item[1].value))
        return "differs", f"the canary answers '{answer}' {_points(by)} more often than stable, by {of}"
    errors = f"the canary errs {_points(seen.errors)} more often than stable, by {of}"
    if seen.errors.interval.high < MARGIN:
        return "agrees", errors
    return "inconclusive", f"{errors}, which does not rule out a point or more"


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _percent(share: Estimate) -> str:
    low, high = share.interval.low, share.interval.high
    return f"{share.value:.2%} ({share.interval.level:.0%} interval {low:.2%} to {high:.2%})"


def _points(change: Estimate) -> str:
    low, high = change.interval.low * 100, change.interval.high * 100
    return f"{change.value * 100:+.2f} points ({change.interval.level:.0%} interval {low:+.2f} to {high:+.2f})"
