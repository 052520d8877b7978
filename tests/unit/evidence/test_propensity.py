"""A canary's difference by inverse propensity: against exact expectations and an independent computation by SciPy."""

from __future__ import annotations

from itertools import product
from math import exp, log, pi, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from jupyter_deploy.domain.evidence.propensity import StepwiseDifference, centred_step, error_step, event_step

counts = st.tuples(*[st.integers(0, 60)] * 3).filter(any)
routing_shares = st.sampled_from([0.01, 0.05, 0.2, 0.5, 0.9])


def errors_of(share, canary, stable, rest):
    return error_step(share, {1.0: canary, -share / (1 - share): stable, 0.0: rest})


def bounds(difference):
    interval = difference.estimate().interval
    return interval.low, interval.high


@pytest.mark.parametrize(("share", "canary", "stable"), [(0.2, 0.3, 0.3), (0.5, 0.02, 0.1), (0.9, 0.5, 0.4)])
def test_wealth_is_expected_to_stay_1_against_the_true_difference(share, canary, stable):
    """Over all ways in which chance routes six requests and lets them fail."""
    outcomes = [(1.0, share * canary), (-share / (1 - share), (1 - share) * stable)]
    outcomes.append((0.0, 1 - sum(chance for _, chance in outcomes)))
    expected = 0.0
    for drawn in product(outcomes, repeat=6):
        values = {}
        for value, _ in drawn:
            values[value] = values.get(value, 0) + 1
        step = error_step(share, values)
        wealth = step.values._against(values, share * (canary - stable))
        expected += prod(chance for _, chance in drawn) * exp(wealth)
    assert expected == pytest.approx(1, abs=1e-3)


def wealth(share, canary, stable, rest, difference):
    """The mixture's wealth by SciPy's adaptive integration over all bets, from its definition."""
    low = -share / (1 - share)
    mean = (share * difference - low) / (1 - low)
    values = [((x - low) / (1 - low), n) for x, n in ((1.0, canary), (low, stable), (0.0, rest))]

    def game(q):
        return exp(sum(n * log(max(x * q / mean + (1 - x) * (1 - q) / (1 - mean), 1e-300)) for x, n in values))

    def angle(theta):
        return game(np.sin(theta) ** 2) * 2 / pi

    return quad(angle, 0, pi / 2, limit=500)[0] / 2 + (game(0.0) + game(1.0)) / 4


# Made by ``brentq(lambda d: wealth(share, canary, stable, rest, d) - 20, …)`` with ``wealth`` above (SciPy 1.17.1).
ORACLE = {
    (0.2, 6, 3, 391): (-0.00242, 0.225088),
    (0.5, 4, 20, 576): (-0.119251, -0.001587),
}


@pytest.mark.parametrize("case", ORACLE)
def test_an_interval_is_that_of_an_independent_integration(case):
    found = bounds(StepwiseDifference((errors_of(*case),)))
    value = StepwiseDifference((errors_of(*case),)).value
    expected = [
        brentq(lambda d: wealth(*case, d) - 20, min(value, end * 0.9), max(value, end * 0.9)) for end in (-1, 1)
    ]
    assert found == pytest.approx(expected, abs=1e-4)
    assert found == pytest.approx(ORACLE[case], abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(routing_shares, counts, routing_shares, counts)
def test_the_difference_of_several_steps_lies_in_its_interval_and_evidence_matches_it(first, one, second, other):
    found = StepwiseDifference((errors_of(first, *one), errors_of(second, *other)))
    low, high = bounds(found)
    value = found.estimate().value
    assert -1 <= low <= value <= high <= 1
    for by in (-0.5, -0.05, 0.01, 0.3):
        if min(abs(by - low), abs(by - high)) > 1e-3 * (high - low):
            assert found.above(by) == (by < low)
            assert found.below(by) == (by > high)


def test_evidence_of_an_earlier_share_stays_after_the_canary_grew():
    before = errors_of(0.05, 0, 0, 6000)
    after = errors_of(0.5, 0, 0, 600)
    assert not StepwiseDifference((before,)).below(0.01)
    assert not StepwiseDifference((after,)).below(0.01)
    assert StepwiseDifference((before, after)).below(0.01)


def test_steps_that_contradict_each_other_have_an_interval_around_their_mean():
    found = StepwiseDifference((errors_of(0.5, 0, 0, 3000), errors_of(0.2, 300, 0, 1200)))
    low, high = bounds(found)
    assert low <= found.value <= high


def test_of_equally_good_releases_the_canary_has_its_share_of_the_errors():
    assert StepwiseDifference((event_step(0.05, {1.0: 6, 0.0: 4}),)).above(0)
    assert not StepwiseDifference((event_step(0.5, {1.0: 6, 0.0: 4}),)).above(0)
    assert not StepwiseDifference((event_step(0.05, {0.05: 50}),)).above(0)


def test_there_is_no_figure_of_nothing():
    nothing = StepwiseDifference(())
    assert nothing.estimate() is None
    assert not nothing.above(0)
    assert not nothing.below(0)


@pytest.mark.parametrize("step", [error_step, centred_step, event_step])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_both_releases_nothing_is_compared(step, share):
    with pytest.raises(ValueError, match="cannot be compared"):
        step(share, {0.0: 1})
