"""What the figures of a comparison are taken to say."""

from __future__ import annotations

import pytest

from jupyter_deploy.domain.agreement import Rule
from jupyter_deploy.domain.sequential import difference, paired_difference, proportion
from jupyter_deploy.domain.verdict import Paired, Unpaired, of_pairs, of_sides


def shadow(pairs=1000, *, agreed=None, rows=None, mirrored=None, errors=0, refused=0, **more):
    rows = pairs if rows is None else rows
    agreed = rows if agreed is None else agreed
    mirrored = pairs if mirrored is None else mirrored
    return Paired(
        pairs=pairs,
        rows=rows,
        mirrored=mirrored,
        agreement=proportion(agreed, rows),
        coverage=proportion(pairs, mirrored),
        errors=paired_difference(0, errors, 0, pairs - errors),
        refused=proportion(refused, pairs),
        flips=rows - agreed,
        **more,
    )


def canary(errors=0, stable_errors=0, n=1000, **more):
    rates = proportion(errors, n), proportion(stable_errors, n)
    return Unpaired(stable=n, candidate=n, errors=difference(*rates) if all(rates) else None, **more)


@pytest.mark.parametrize(
    ("seen", "verdict", "words"),
    [
        (shadow(), "agrees", "100.00%"),
        (shadow(pairs=29), "inconclusive", "29 pairs so far"),
        (shadow(pairs=1), "inconclusive", "1 pair so far"),
        (shadow(pairs=0), "inconclusive", "0 pairs so far"),
        (shadow(pairs=100), "inconclusive", "not clearly above or below 99%"),
        (shadow(agreed=950), "differs", "50 flips"),
        (shadow(rows=0), "inconclusive", "no row"),
        (shadow(errors=50), "differs", "+5.00 points"),
        (shadow(rows=0, errors=1000), "differs", "errs"),
        (shadow(refused=50), "differs", "refuses 5.00%"),
        (shadow(refused=12), "inconclusive", "refuses 1.20%"),
        (shadow(mirrored=2000, failures={"timed out": 1000}), "inconclusive", "1000 timed out"),
        (shadow(agreed=950, stochastic=True), "inconclusive", "stochastic"),
        (shadow(errors=50, stochastic=True), "differs", "stochastic"),
        (shadow(unwindowed_overflow=True), "agrees", "at least this"),
    ],
)
def test_a_shadow_is_judged_by_errors_then_agreement_then_coverage(seen, verdict, words):
    found, reason = of_pairs(seen)
    assert (found, words in reason, reason.endswith(".")) == (verdict, True, True), reason


@pytest.mark.parametrize(
    ("seen", "verdict", "words"),
    [
        (canary(), "agrees", "+0.00 points"),
        (canary(n=29), "inconclusive", "at least 30"),
        (canary(n=0), "inconclusive", "at least 30"),
        (canary(n=100), "inconclusive", "does not rule out"),
        (canary(errors=50), "differs", "+5.00 points"),
        (canary(stable_errors=50), "agrees", "-5.00 points"),
        (canary(shifted={"yes": difference(proportion(600, 1000), proportion(400, 1000))}), "differs", "'yes'"),
        (
            canary(shifted={"yes": difference(proportion(600, 1000), proportion(400, 1000))}, stochastic=True),
            "agrees",
            "stochastic",
        ),
    ],
)
def test_a_canary_is_judged_by_errors_and_shares_of_answers(seen, verdict, words):
    found, reason = of_sides(seen)
    assert (found, words in reason, "unpaired" in reason) == (verdict, True, True), reason


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
    assert Rule(dtype).compare(stable, candidate) == (agree, gap)


def test_a_tolerance_is_relative_to_stable_and_can_be_set():
    assert Rule("float64", rtol=0.1, atol=0).compare(10.0, 11.0)[0]
    assert not Rule("float64", rtol=0.1, atol=0).compare(9.0, 10.0)[0]
    assert Rule("float64", rtol=0, atol=1).compare(9.0, 10.0)[0]
