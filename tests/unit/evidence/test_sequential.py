"""Evidence and intervals: against closed forms, exact expectations, an independent integral, and their properties."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product
from math import comb, exp, factorial, log, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import beta

from jupyter_deploy.domain.evidence.sequential import (
    Difference,
    Mean,
    _log_wealth,
    log_evidence,
    median_ranks,
    paired_difference,
    proportion,
    quantile_bounds,
)

counts = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.sampled_from([0.8, 0.95, 0.999])
flips = st.tuples(*[st.integers(0, 200)] * 3).filter(any)
shares = st.dictionaries(st.sampled_from([0.0, 0.2, 0.5, 2 / 3, 0.9, 1.0]), st.integers(1, 50), min_size=1)


def bounds(figure, level=0.95):
    interval = figure.estimate(level).interval
    return interval.low, interval.high


# ---- the evidence


@pytest.mark.parametrize(("x", "y"), [(5, 1), (3, 3), (40, 12), (0, 7), (9, 0)])
def test_the_evidence_of_flips_is_the_beta_mixture_and_all_in_on_either_side(x, y):
    n = x + y
    mixture = 2.0**n * beta(0.5 + x, 0.5 + y) / beta(0.5, 0.5)
    one_sided = 2.0**n * ((y == 0) + (x == 0))
    assert exp(log_evidence(x, n, 0.5)) == pytest.approx(mixture / 2 + one_sided / 4)


@pytest.mark.parametrize("alike", [0, 1, 10**6])
def test_requests_on_which_both_fare_alike_say_nothing_about_which_errs_more(alike):
    assert paired_difference(8, 0, alike).above(0)
    assert not paired_difference(6, 1, alike).above(0)
    assert paired_difference(0, 8, alike).below(0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("n", [1, 5, 20])
def test_wealth_is_expected_to_stay_1_when_the_share_is_the_true_one(share, n):
    expected = sum(
        comb(n, k) * share**k * (1 - share) ** (n - k) * exp(log_evidence(k, n, share)) for k in range(n + 1)
    )
    assert expected == pytest.approx(1)


@pytest.mark.parametrize("chances", [(0.2, 0.3, 0.5), (0.01, 0.09, 0.9), (0.6, 0.1, 0.3)])
def test_wealth_is_expected_to_stay_1_for_values_between_too(chances):
    values = (0.0, 0.4, 1.0)
    mean = sum(value * chance for value, chance in zip(values, chances, strict=True))
    n, expected, hoeffding = 12, 0.0, 0.0
    for drawn in product(range(n + 1), repeat=3):
        if sum(drawn) == n:
            ways = factorial(n) / prod(factorial(k) for k in drawn)
            probability = ways * prod(chance**k for chance, k in zip(chances, drawn, strict=True))
            expected += probability * exp(_log_wealth(dict(zip(values, drawn, strict=True)), mean))
            total = sum(value * k for value, k in zip(values, drawn, strict=True))
            hoeffding += probability * exp(log_evidence(total, n, mean))
    assert expected == pytest.approx(1, abs=1e-3)
    assert expected <= 1 + 1e-9
    assert hoeffding < 1


@settings(max_examples=25, deadline=None)
@given(shares, st.sampled_from([0.05, 0.5, 0.7, 0.99]))
def test_the_integral_over_all_bets_is_an_independent_one(given_counts, mean):
    nodes = np.sin((np.arange(100_000) + 0.5) * np.pi / 200_000) ** 2
    logs = sum(c * np.log(x * nodes / mean + (1 - x) * (1 - nodes) / (1 - mean)) for x, c in given_counts.items())
    all_in = [
        sum(c * log(share) if share else -np.inf for share, c in zip(payoffs, given_counts.values(), strict=True))
        for payoffs in ([x / mean for x in given_counts], [(1 - x) / (1 - mean) for x in given_counts])
    ]
    top = max(logs.max(), *all_in)
    expected = top + np.log(np.exp(logs - top).mean() / 2 + sum(np.exp(each - top) for each in all_in) / 4)
    assert _log_wealth(given_counts, mean) == pytest.approx(expected, abs=1e-3)


# ---- intervals


@given(counts, levels)
def test_a_share_lies_in_its_interval_and_the_interval_in_0_to_1(count, level):
    low, high = bounds(proportion(*count), level)
    assert 0 <= low <= count[0] / count[1] <= high <= 1
    assert low < high


@given(counts)
def test_counting_failures_instead_of_successes_mirrors_the_interval(count):
    successes, n = count
    low, high = bounds(proportion(n - successes, n))
    assert bounds(proportion(successes, n)) == pytest.approx((1 - high, 1 - low), abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(flips)
def test_a_paired_difference_is_antisymmetric_and_within_minus_1_to_1(table):
    first, second, alike = table
    low, high = bounds(paired_difference(second, first, alike))
    assert bounds(paired_difference(first, second, alike)) == pytest.approx((-high, -low), abs=1e-4)
    assert -1 <= low <= (second - first) / sum(table) <= high <= 1


@settings(max_examples=25, deadline=None)
@given(counts, counts)
def test_an_unpaired_difference_is_antisymmetric_and_within_minus_1_to_1(first, second):
    there, back = Difference(*first, *second), Difference(*second, *first)
    low, high = bounds(back)
    assert bounds(there) == pytest.approx((-high, -low), abs=1e-6)
    assert -1 <= low <= back.value <= high <= 1


@pytest.mark.parametrize("table", [(3, 3, 1, 5000), (0, 1, 4999, 5000), (5000, 5000, 0, 5000), (1, 1, 0, 1)])
def test_a_difference_at_the_end_of_its_range_has_an_interval(table):
    difference = Difference(*table)
    low, high = bounds(difference)
    assert -1 <= low <= difference.value <= high <= 1


@settings(max_examples=25, deadline=None)
@given(shares, st.floats(0.01, 0.99), levels)
def test_shown_evidence_matches_the_values_outside_of_the_interval(given_counts, mean, level):
    stream = Mean(given_counts)
    low, high = bounds(stream, level)
    if min(abs(mean - low), abs(mean - high)) > 1e-3 * (high - low):
        assert stream.above(mean, level) == (mean < low)
        assert stream.below(mean, level) == (mean > high)


@settings(max_examples=25, deadline=None)
@given(counts, counts, st.floats(-0.9, 0.9))
def test_shown_evidence_of_a_difference_matches_the_values_outside_of_its_interval(first, second, by):
    difference = Difference(*first, *second)
    low, high = bounds(difference)
    if abs(by - low) > 1e-6 and abs(by - high) > 1e-6:
        assert difference.above(by) == (by < low)
        assert difference.below(by) == (by > high)


@settings(max_examples=25, deadline=None)
@given(shares)
def test_rounding_values_both_ways_never_narrows_an_interval(given_counts):
    down = {k: sum(c for x, c in given_counts.items() if int(x * 4) / 4 == k) for k in (0, 0.25, 0.5, 0.75, 1)}
    up = {k: sum(c for x, c in given_counts.items() if -int(-x * 4 // 1) / 4 == k) for k in (0, 0.25, 0.5, 0.75, 1)}
    low, high = bounds(Mean(down, rounded_up=up))
    exact_low, exact_high = bounds(Mean(given_counts))
    assert low <= exact_low + 1e-5
    assert high >= exact_high - 1e-5


def test_a_request_of_many_rows_counts_as_one():
    assert bounds(Mean({1.0: 40})) == bounds(proportion(40, 40))


def test_batches_that_hardly_vary_have_a_narrower_interval_than_single_rows_with_the_same_mean():
    low, high = bounds(Mean({0.88: 50, 0.92: 50}))
    single_low, single_high = bounds(proportion(90, 100))
    assert high - low < (single_high - single_low) / 2


@pytest.mark.parametrize(
    "figure", [proportion(0, 0), paired_difference(0, 0, 0), Difference(0, 0, 3, 4), Difference(3, 4, 0, 0)]
)
def test_there_is_no_figure_of_nothing(figure):
    assert figure.estimate() is None
    assert not figure.above(0.5)
    assert not figure.below(0.5)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_an_invalid_share_is_an_error(successes, n):
    with pytest.raises(ValueError, match="not a share"):
        proportion(successes, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_that_is_none_is_an_error(level):
    with pytest.raises(ValueError, match="level"):
        proportion(1, 2).estimate(level)
    with pytest.raises(ValueError, match="level"):
        median_ranks(100, level)


def test_a_million_values_are_as_cheap_as_ten_and_their_interval_is_narrow():
    low, high = bounds(paired_difference(600, 400, 10**6))
    assert 0 < low < 0.0002 < high < 0.0004
    low, high = bounds(proportion(999_000, 10**6))
    assert high - low < 0.0003


# ---- quantiles


@pytest.mark.parametrize(("n", "ranks"), [(5, None), (6, (1, 6)), (100, (33, 68)), (10**6, (497_674, 502_327))])
def test_the_ranks_around_the_median(n, ranks):
    assert median_ranks(n) == ranks


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [1, 7, 100, 1000])
def test_the_interval_of_a_quantile_has_the_ranks_that_the_counts_do_not_refute(share, n):
    low, high = quantile_bounds(n, share)
    for count in range(n + 1):
        refuted = log_evidence(count, n, share) >= log(20)
        assert refuted == ((low is not None and count <= low) or (high is not None and count >= high))


# ---- the values of an independent computation, scripts/statistics/oracle.py

ORACLE = json.loads((Path(__file__).parents[1] / "oracle.json").read_text())


def stream_of(case):
    values = {float(Fraction(value)): times for value, times in case["counts"].items()}
    return Mean(values, low=float(Fraction(case["low"])))


@pytest.mark.parametrize("case", ORACLE["intervals"], ids=str)
def test_an_interval_is_that_of_the_oracle(case):
    assert bounds(stream_of(case), case["level"]) == pytest.approx(case["interval"], abs=2e-5)


@pytest.mark.parametrize("case", ORACLE["evidence"], ids=str)
def test_the_evidence_is_that_of_the_oracle(case):
    stream, mean = stream_of(case), float(case["mean"])
    one_sided = stream.log_evidence_above if stream.value > mean else stream.log_evidence_below
    assert one_sided(mean) == pytest.approx(case["log"], abs=1e-6)
