"""Verdicts on the figures of a comparison."""

from __future__ import annotations

import pytest

from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.propensity import StepwiseDifference, centred_step, error_step, event_step
from jupyter_deploy.domain.evidence.sequential import Mean, paired_difference, proportion
from jupyter_deploy.domain.evidence.verdict import (
    PairedFigures,
    SlowAnswers,
    UnpairedFigures,
    judge_paired,
    judge_unpaired,
)

FLOATS = {"p50": 0.02, "p90": 0.1, "p99": 0.25, "max": 0.3}


def shadow(pairs=1000, *, agreed=None, rows=None, mirrored=None, errors=0, refused=0, **more):
    """Requests of one row, unless ``agreement`` or ``flips`` are set."""
    rows = pairs if rows is None else rows
    agreed = rows if agreed is None else agreed
    mirrored = pairs if mirrored is None else mirrored
    figures = {
        "pairs": pairs,
        "rows": rows,
        "flips": rows - agreed,
        "mirrored": mirrored,
        "agreement": proportion(agreed, rows),
        "coverage": proportion(pairs, mirrored),
        "errors": paired_difference(errors, 0, pairs - errors),
        "error_events": paired_difference(errors, 0, 0),
        "clusters": pairs,
        "refused": proportion(refused, pairs),
    }
    return PairedFigures(**figures | more)


def canary(errors=0, stable_errors=0, n=1000, **more):
    """A canary with half of ``2 n`` requests."""
    values = {1.0: errors, -1.0: stable_errors, 0.0: 2 * n - errors - stable_errors}
    figures = {
        "clusters": 2 * n,
        "errors": StepwiseDifference((error_step(0.5, values),) if n else ()),
        "error_events": StepwiseDifference((event_step(0.5, {1.0: errors, 0.0: stable_errors}),)),
    }
    return UnpairedFigures(stable=n, candidate=n, **figures | more)


def share_of_answer(canary, stable, n=1000, pooled=0.5):
    """An answer given so often by a canary with half of ``2 n`` requests, less the pooled share."""
    values = {1 - pooled: canary, -pooled: n - canary}
    for value, times in ((pooled - 1, stable), (pooled, n - stable)):
        values[value] = values.get(value, 0) + times
    return StepwiseDifference((centred_step(0.5, values),))


FAST = SlowAnswers(Mean({0.0: 100}), 9.0)
SLOW = SlowAnswers(Mean({0.5: 60}), 9.0)
UNKNOWN = SlowAnswers(Mean({0.09: 5}), 9.0)
A_LITTLE = SlowAnswers(Mean({1.0: 60}), 1.2)


@pytest.mark.parametrize(
    ("seen", "verdict", "words", "recommended"),
    [
        (shadow(), "agrees", "100.00%", "promote"),
        (shadow(pairs=1), "inconclusive", "not yet clearly above or below 99%", "wait"),
        (shadow(pairs=0), "inconclusive", "0 pairs so far", "wait"),
        (shadow(pairs=100), "inconclusive", "not yet clearly above or below 99%", "wait"),
        (shadow(agreed=950), "differs", "50 flips", "decide"),
        (
            shadow(agreed=975),
            "inconclusive",
            "not yet clearly",
            "wait",
        ),  # shown at 95 %, not at the grounds' part of it
        (shadow(rows=0), "inconclusive", "no row", "wait"),
        (shadow(errors=50), "differs", "+5.00 points", "stop"),
        (shadow(pairs=8, rows=0, errors=8), "differs", "errs", "stop"),
        (shadow(pairs=8, rows=0, errors=8, error_events=paired_difference(1, 0, 0)), "inconclusive", "no row", "wait"),
        (
            shadow(pairs=8, rows=0, errors=8, error_events=paired_difference(1, 0, 0), unanswered=8),
            "differs",
            "none of 8",
            "stop",
        ),
        (shadow(pairs=431, clusters=1, agreement=proportion(1, 1)), "inconclusive", "not yet clearly", "wait"),
        (shadow(clusters=99), "inconclusive", "99 clusters only", "wait"),
        (shadow(clusters=100), "agrees", "100.00%", "promote"),
        (shadow(mirrored=1053), "inconclusive", "could be compared", "wait"),
        (shadow(mirrored=1052), "agrees", "100.00%", "promote"),
        (shadow(slow=SLOW), "differs", "50.00% (95% interval", "decide"),
        (shadow(slow=FAST), "agrees", "100.00%", "promote"),
        (shadow(slow=A_LITTLE), "agrees", "100.00%", "promote"),
        (shadow(slow=UNKNOWN), "inconclusive", "take longer than stable's 95th percentile", "wait"),
        (shadow(errors=2), "inconclusive", "a point more often is not ruled out", "wait"),
        (shadow(refused=50), "differs", "refuses 5.00%", "stop"),
        (shadow(refused=12), "inconclusive", "refuses 1.20%", "wait"),
        (shadow(mirrored=2000, failures={"timed out": 1000}), "inconclusive", "1000 timed out", "wait"),
        (shadow(agreed=950, stochastic=True), "inconclusive", "stochastic", "decide"),
        (shadow(errors=50, stochastic=True), "differs", "stochastic", "stop"),
        (shadow(unwindowed_overflow=True), "agrees", "at least this", "promote"),
        (shadow(agreed=0, floats=FLOATS), "inconclusive", "--tolerance", "decide"),
        (shadow(agreed=0, floats=FLOATS), "inconclusive", "p50 2.00%, p99 25.00%", "decide"),
        (shadow(pairs=2000, agreed=1999, floats=FLOATS), "agrees", "99.95%", "promote"),
        (shadow(errors=50, floats=FLOATS), "differs", "errs", "stop"),
        (
            shadow(agreement=Mean({1.0: 999}), rows=1999, flips=1000),
            "inconclusive",
            "only on 49.97% of all rows",
            "wait",
        ),
    ],
)
def test_a_shadow_is_judged_by_errors_then_agreement_then_coverage(seen, verdict, words, recommended):
    found, reason, recommendation = judge_paired(seen)
    assert (found, words in reason, reason.endswith(".")) == (verdict, True, True), reason
    assert recommendation == recommended


def test_the_grounds_for_differs_share_the_5_percent():
    agreement = shadow(agreed=975).agreement
    assert agreement.below(0.99)
    assert judge_paired(shadow(agreed=975)).verdict == "inconclusive"


SHIFTED = {"yes": share_of_answer(600, 400), "no": share_of_answer(400, 600)}
ALIKE = {"yes": share_of_answer(510, 500)}


@pytest.mark.parametrize(
    ("seen", "verdict", "words", "recommended"),
    [
        (canary(), "agrees", "+0.00 points", "promote"),
        (canary(n=29), "inconclusive", "does not rule out", "wait"),
        (canary(n=0), "inconclusive", "0 requests of the canary", "wait"),
        (canary(errors=50), "differs", "+5.00 points", "stop"),
        (canary(stable_errors=50), "agrees", "-5.00 points", "promote"),
        (canary(shares=SHIFTED), "differs", "'yes' +20.00 points", "decide"),
        (canary(shares=ALIKE), "agrees", "errors no worse: ", "promote"),
        (
            canary(errors=50, error_events=StepwiseDifference((event_step(0.5, {1.0: 1}),))),
            "inconclusive",
            "rule out",
            "wait",
        ),
        (canary(n=8, unanswered=8), "differs", "none of 8", "stop"),
        (canary(clusters=99), "inconclusive", "99 clusters only", "wait"),
        (canary(slow=SLOW), "differs", "take longer", "decide"),
        (canary(slow=UNKNOWN), "inconclusive", "take longer", "wait"),
        (canary(shares=SHIFTED, stochastic=True), "agrees", "stochastic", "promote"),
        (canary(errors=50, shares=SHIFTED), "differs", "errs", "stop"),
    ],
)
def test_a_canary_is_judged_by_errors_and_shares_of_answers(seen, verdict, words, recommended):
    found, reason, recommendation = judge_unpaired(seen)
    assert (found, words in reason, "unpaired" in reason) == (verdict, True, True), reason
    assert recommendation == recommended


@pytest.mark.parametrize(
    ("dtype", "stable", "candidate", "agree", "gap"),
    [
        ("str", "a", "a", True, None),
        ("str", "1", 1, False, None),
        ("int64", 1, 1.0, True, None),
        ("int64", 1, True, False, None),
        ("int64", 10**17, 10**17 + 1, False, None),
        ("bool", True, True, True, None),
        ("float64", 1.0, 1.0000005, True, pytest.approx(5e-7)),
        ("float64", 1.0, 1.00001, False, pytest.approx(1e-5)),
        ("float64", 0.0, 1e-10, True, 1e-10),
        ("float32", 100_000_000, 100_000_001, True, 1.0),
        ("float64", 10**400, 10**400, True, 0.0),
        ("float64", 10**400, 1.0, False, float("inf")),
        ("float64", None, None, True, None),
        ("float64", None, 0.0, False, None),
        ("object", 100_000_000, 100_000_001, False, None),
        ("object", {"p": [0.5, None], "k": "x"}, {"k": "x", "p": [0.5000001, None]}, True, pytest.approx(1e-7)),
        ("object", {"p": 1}, {"q": 1}, False, None),
        ("float64", [0.1, 0.2], [0.1], False, None),
        ("float64", [0.1, 0.2], [0.1, "x"], False, 0.0),
        ("float64", [0.1], {"0": 0.1}, False, None),
    ],
)
def test_answers_agree_by_their_type(dtype, stable, candidate, agree, gap):
    assert Rule(dtype).compare(stable, candidate)[:2] == (agree, gap)


def test_a_tolerance_is_relative_to_stable_and_can_be_set():
    assert Rule("float64", rtol=0.1, atol=0).compare(10.0, 11.0).agree
    assert not Rule("float64", rtol=0.1, atol=0).compare(9.0, 10.0).agree
    assert Rule("float64", rtol=0, atol=1).compare(9.0, 10.0).agree


@pytest.mark.parametrize("dtype", ["int64", "object", "float64", "str"])
def test_a_tolerance_of_the_user_holds_for_numbers_of_every_type_and_for_nothing_else(dtype):
    rule = Rule.of(dtype, 0.1, None)
    assert rule.compare(100, 109).agree
    assert not rule.compare(100, 120).agree
    assert not rule.compare(True, 1).agree
    assert not rule.compare("a", "b").agree
    assert Rule.of(dtype, None, None) == Rule(dtype)


@pytest.mark.parametrize(
    ("stable", "candidate", "relative"),
    [
        (2.0, 2.0, 0.0),
        (4.0, 5.0, 0.2),
        (5.0, 4.0, 0.2),
        (1.0, -1.0, 2.0),
        (0.0, 1.0, 1.0),
        (0.0, 1e-10, 0.0),  # within the absolute tolerance
        (1e308, -1e308, 2.0),
        (10**400, 1.0, 2.0),
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ({"p": 1.0, "k": "a"}, {"p": 2.0, "k": "b"}, 0.5),
        ("a", "b", None),
        (None, 1.0, None),
        ([1.0], [1.0, 2.0], None),
    ],
)
def test_a_relative_difference_is_of_the_larger_number(stable, candidate, relative):
    assert Rule("float64").compare(stable, candidate).relative == relative
