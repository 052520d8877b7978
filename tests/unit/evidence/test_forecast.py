"""Forecasts of the requests until a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_deploy.domain.evidence.forecast import (
    forecast_paired,
    forecast_unpaired,
    in_words,
    paired_decided,
    smallest_drop,
    smallest_rise,
    unpaired_decided,
)
from jupyter_deploy.domain.evidence.inference import Forecast
from jupyter_deploy.domain.evidence.propensity import StepwiseDifference, event_step
from jupyter_deploy.domain.evidence.sequential import Mean, paired_difference, proportion
from jupyter_deploy.domain.evidence.verdict import AGREEMENT, OF_FOUR, SlowAnswers, judge_paired, judge_unpaired
from tests.unit.evidence.test_verdict import FAST, FLOATS, SHIFTED, SLOW, UNKNOWN, canary, shadow

SHADOWS = [
    shadow(),
    shadow(pairs=100),
    shadow(agreed=950),
    shadow(agreed=975),
    shadow(errors=50),
    shadow(errors=2),
    shadow(refused=50),
    shadow(refused=12),
    shadow(mirrored=2000),
    shadow(clusters=99),
    shadow(slow=SLOW),
    shadow(slow=UNKNOWN),
    shadow(slow=FAST),
    shadow(agreed=0, floats=FLOATS),
    shadow(pairs=8, errors=8, error_events=paired_difference(1, 0, 0), unanswered=8),
    shadow(agreement=Mean({1.0: 999}), rows=1999, flips=1000),
]
CANARIES = [
    canary(),
    canary(n=29),
    canary(errors=50),
    canary(shares=SHIFTED),
    canary(shares=SHIFTED, stochastic=True),
    canary(clusters=99),
    canary(slow=SLOW),
    canary(slow=UNKNOWN),
    canary(n=8, unanswered=8),
]


@pytest.mark.parametrize("figures", SHADOWS)
def test_a_shadow_is_decided_if_its_verdict_does_not_wait(figures):
    assert paired_decided(figures) == (judge_paired(figures).recommendation != "wait")


@pytest.mark.parametrize("figures", CANARIES)
def test_a_canary_is_decided_if_its_verdict_does_not_wait(figures):
    assert unpaired_decided(figures) == (judge_unpaired(figures).recommendation != "wait")


@pytest.mark.parametrize("pairs", [10, 100, 430])
def test_flawless_pairs_are_decided_by_431(pairs):
    found = forecast_paired(shadow(pairs), per_hour=60)
    assert (found.requests, found.more) == (431, 431 - pairs)
    assert found.hours == pytest.approx((431 - pairs) / 60)


@pytest.mark.parametrize("agreed", [0.97, 0.999])
def test_it_is_the_smallest_number_with_which_the_same_agreement_is_decided(agreed):
    """By brute force over all numbers, with the agreement so far."""

    def decided(n):
        seen = proportion(round(agreed * n), n)
        return seen.above(AGREEMENT) if agreed > AGREEMENT else seen.below(AGREEMENT, OF_FOUR)

    pairs = 100 if agreed < AGREEMENT else 1000
    # Roundings make a few numbers below it decided too.
    first = next(n for n in range(pairs, 5000) if decided(n))
    found = forecast_paired(shadow(pairs, agreed=round(agreed * pairs), error_events=paired_difference(0, 0, 0)), None)
    assert found.hours is None
    assert first <= found.requests <= 1.2 * first


def test_an_agreement_at_its_bound_has_no_number():
    found = forecast_paired(shadow(1000, agreed=990), 100)
    assert found == Forecast(requests=None, doubt="answers")
    words = "not decided by 10,000,000 requests if the figures stay as they are"
    assert in_words(found) == f"{words}, because of the rows on which they disagree"


def test_slow_answers_about_the_bound_are_the_reason_why_there_is_no_number():
    slow = SlowAnswers(proportion(10, 100), ratio=2.0)
    for found in (
        forecast_paired(replace(shadow(100), slow=slow), 100),
        forecast_unpaired(replace(canary(n=100), slow=slow), 100),
    ):
        assert in_words(found).endswith(", because of the candidate's slow answers")


def test_the_smallest_effect_is_the_largest_agreement_that_would_be_refuted():
    """By brute force over all counts."""
    shown = max(k for k in range(1001) if proportion(k, 1000).below(AGREEMENT, OF_FOUR))
    assert smallest_drop(1000) == pytest.approx(AGREEMENT - shown / 1000)
    assert smallest_drop(1) is None


def test_the_smallest_rise_of_a_canarys_errors_is_shown_and_a_smaller_one_is_not():
    rise = smallest_rise(2000, 0.5, 0.01)

    def shown(more):
        counts = {1.0: round(1000 * (0.01 + more)), 0.0: 10}
        return StepwiseDifference((event_step(0.5, counts),)).above(0, 1 - 0.05 / 3)

    assert shown(rise)
    assert not shown(rise * 0.9)
    assert smallest_rise(2000, 1.0, 0.01) is None


def test_a_canary_that_errs_as_stable_does_has_a_number():
    found = forecast_unpaired(canary(n=100), per_hour=100)
    assert 800 < found.requests < 820
    assert 0 < found.effect < 0.1
    assert forecast_unpaired(canary(n=0), 100) is None


@pytest.mark.parametrize(
    ("hours", "words"), [(0.001, "a minute"), (0.5, "30 minutes"), (3.2, "3 h"), (30, "30 h"), (72, "3 days")]
)
def test_it_is_told_in_words(hours, words):
    text = in_words(Forecast(requests=1240, more=809, hours=hours, effect=0.019))
    assert text == (
        f"usually decided by 1,240 requests, about {words} at today's rate; "
        "the smallest effect that they could show: 1.9 points"
    )
