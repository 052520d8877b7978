"""Intervals against published worked examples, their properties, and what they are worth in simulation."""

from __future__ import annotations

import random
from math import comb, sqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_deploy.domain.inference import Estimate, Interval
from jupyter_deploy.domain.sequential import (
    Clusters,
    clustered_proportion,
    difference,
    median,
    median_ranks,
    paired_difference,
    proportion,
    wilson,
)

counts = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
requests = st.lists(st.integers(1, 30).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))), min_size=1)
tables = st.tuples(*[st.integers(0, 500)] * 4).filter(any)


def bounds(estimate: Estimate) -> tuple[float, float]:
    return estimate.interval.low, estimate.interval.high


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_intervals_of_newcombe_1998_two_sided_table_i(successes, n, low, high):
    found = wilson(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_gives_what_statsmodels_gives_at_other_levels():
    # statsmodels 0.15.0: proportion_confint(81, 263, alpha=0.01, method='wilson')
    found = wilson(81, 263, 0.99)
    assert (found.low, found.high) == pytest.approx((0.24013690, 0.38528250), abs=1e-8)
    assert found.level == 0.99


@given(counts, st.sampled_from([0.8, 0.95, 0.999]))
def test_a_share_lies_in_its_interval_and_the_interval_in_0_to_1(count, level):
    found = wilson(*count, level)
    assert 0 <= found.low <= count[0] / count[1] <= found.high <= 1
    assert found.low < found.high


@given(counts)
def test_counting_failures_instead_of_successes_mirrors_the_interval(count):
    successes, n = count
    one, other = wilson(successes, n), wilson(n - successes, n)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5), (0, -1), (float("nan"), 5), (1, float("nan"))])
def test_what_is_no_share_is_an_error(successes, n):
    with pytest.raises(ValueError, match="not a share"):
        wilson(successes, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_that_is_none_is_an_error(level):
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level)
    with pytest.raises(ValueError, match="level"):
        median_ranks(100, level)


def test_there_is_no_share_of_nothing():
    assert proportion(0, 0) is None
    assert clustered_proportion(Clusters.of([])) is None
    assert paired_difference(0, 0, 0, 0) is None


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_unpaired_differences_are_those_of_newcombe_1998_table_ii_method_10(first, second, low, high):
    assert bounds(difference(proportion(*first), proportion(*second))) == pytest.approx((low, high), abs=5e-5)


@given(counts, counts)
def test_an_unpaired_difference_is_antisymmetric_and_within_minus_1_to_1(first, second):
    one, two = proportion(*first), proportion(*second)
    there, back = difference(one, two), difference(two, one)
    assert bounds(there) == pytest.approx((-back.interval.high, -back.interval.low))
    assert -1 - 1e-12 <= there.interval.low <= there.value <= there.interval.high <= 1 + 1e-12
    assert there.n == first[1] + second[1]


def test_a_difference_of_other_figures_joins_their_intervals_by_mover():
    slow = Estimate(value=12.0, interval=Interval(low=11.0, high=14.0), n=40)
    fast = Estimate(value=10.0, interval=Interval(low=9.5, high=11.5), n=60)
    assert bounds(difference(slow, fast)) == pytest.approx((2 - sqrt(1**2 + 1.5**2), 2 + sqrt(2**2 + 0.5**2)))


def test_intervals_of_different_levels_are_not_joined():
    with pytest.raises(ValueError, match="levels differ"):
        difference(proportion(1, 2, 0.9), proportion(1, 2, 0.95))


@pytest.mark.parametrize(
    ("table", "value", "low", "high"),
    [
        ((36, 12, 2, 0), 0.2, 0.0569, 0.3404),  # Newcombe 1998b, table II, method 10
        ((14, 5, 0, 22), 0.122, 0.011, 0.226),  # Altman et al. 2000, Statistics with Confidence, p. 52
        ((1, 1, 7, 12), -0.2857, -0.5069, -0.0256),  # Fagerland, Lydersen and Laake 2014 (Bentur's children)
        ((59, 6, 16, 80), -0.0621, -0.1186, -0.0046),  # the same authors' contingencytables (Cavo's patients)
    ],
)
def test_paired_differences_are_the_published_ones(table, value, low, high):
    found = paired_difference(*table)
    assert found.value == pytest.approx(value, abs=5e-4)
    assert bounds(found) == pytest.approx((low, high), abs=5e-4 if table[0] == 14 else 6e-5)
    assert found.n == sum(table)


@given(tables)
def test_a_paired_difference_is_antisymmetric_and_within_minus_1_to_1(table):
    both, first, second, neither = table
    there, back = paired_difference(*table), paired_difference(both, second, first, neither)
    assert bounds(there) == pytest.approx((-back.interval.high, -back.interval.low), abs=1e-12)
    assert -1 - 1e-12 <= there.interval.low <= there.value <= there.interval.high <= 1 + 1e-12


@given(tables)
def test_pairs_that_are_positively_correlated_give_no_wider_an_interval_than_separate_samples(table):
    both, first, second, neither = table
    assume(both * neither >= first * second)
    n = sum(table)
    apart = difference(proportion(both + first, n), proportion(both + second, n))
    together = paired_difference(*table)
    assert together.interval.low >= apart.interval.low - 1e-12
    assert together.interval.high <= apart.interval.high + 1e-12


def test_a_negative_count_is_an_error():
    with pytest.raises(ValueError, match="negative"):
        paired_difference(1, -1, 2, 3)


@given(counts)
def test_requests_of_one_row_give_plain_wilson(count):
    successes, n = count
    found = clustered_proportion(Clusters.of([(1, 1)] * successes + [(0, 1)] * (n - successes)))
    plain = wilson(successes, n)
    assert bounds(found) == pytest.approx((plain.low, plain.high), abs=1e-12)


@given(requests)
def test_requests_never_narrow_an_interval_and_never_widen_it_beyond_one_row_each(given_requests):
    clusters = Clusters.of(given_requests)
    found = clustered_proportion(clusters)
    plain = wilson(clusters.successes, clusters.rows)
    assert clusters.design_effect >= 1
    assert 0 <= found.interval.low <= found.value <= found.interval.high <= 1
    assert found.interval.low <= plain.low + 1e-9
    assert found.interval.high >= plain.high - 1e-9
    assert found.n == clusters.rows


def test_rows_that_agree_or_differ_with_their_request_count_as_one_each():
    clusters = Clusters.of([(5, 5)] * 80 + [(0, 5)] * 20)
    assert clusters.design_effect == pytest.approx(5 * 100 / 99)


def test_the_design_effect_is_that_of_the_linearised_ratio():
    counts_by_request = [(i % 4, 3 + i % 5) for i in range(60)]
    clusters = Clusters.of(counts_by_request)
    rows, successes = sum(m for _, m in counts_by_request), sum(a for a, _ in counts_by_request)
    share = successes / rows
    variance = 60 / 59 * sum((a - share * m) ** 2 for a, m in counts_by_request) / rows**2
    assert clusters.design_effect == pytest.approx(max(1, variance / (share * (1 - share) / rows)))


@pytest.mark.parametrize("successes", [0, 5])
def test_where_all_rows_are_alike_a_request_counts_as_one_row(successes):
    found = clustered_proportion(Clusters.of([(successes, 5)] * 40))
    plain = wilson(40 * successes / 5, 40)
    assert bounds(found) == pytest.approx((plain.low, plain.high))


def test_a_single_request_counts_as_one_row():
    assert bounds(clustered_proportion(Clusters.of([(300, 1000)]))) == pytest.approx(
        (wilson(0.3, 1).low, wilson(0.3, 1).high)
    )


def test_few_requests_with_a_flip_do_not_say_how_much_requests_differ():
    few = Clusters.of([(5, 5)] * 100 + [(4, 5)] * 7)
    enough = Clusters.of([(5, 5)] * 100 + [(4, 5)] * 12)
    assert few.informative < 10 < enough.informative
    assert few.design_effect == pytest.approx(5)
    assert enough.design_effect == pytest.approx(1, abs=0.1)


def test_a_large_request_among_small_ones_does_not_say_how_much_requests_differ():
    clusters = Clusters.of([(1, 1), (0, 1)] * 50 + [(0, 100)])
    assert clusters.informative < 2
    assert clusters.design_effect >= (100 + 100**2) / 200


@pytest.mark.parametrize("together", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("share", "number"), [(0.99, 100), (0.95, 100), (0.9, 60)])
def test_the_clustered_interval_holds_about_as_often_as_it_says(share, number, together):
    """``together``: how often a row copies its request's first one; the true share stays the same."""
    rng = random.Random(20261125)
    clustered_hits = plain_hits = 0
    for _ in range(400):
        drawn = []
        for _ in range(number):
            rows = rng.choice((1, 2, 5, 20))
            first = rng.random() < share
            agreed = sum(first if rng.random() < together else rng.random() < share for _ in range(rows))
            drawn.append((agreed, rows))
        clusters = Clusters.of(drawn)
        found, plain = clustered_proportion(clusters).interval, wilson(clusters.successes, clusters.rows)
        clustered_hits += found.low <= share <= found.high
        plain_hits += plain.low <= share <= plain.high
    assert clustered_hits >= 0.91 * 400
    if together >= 0.5:
        assert plain_hits < 0.85 * 400  # what the correction is for


@pytest.mark.parametrize(
    ("n", "ranks"),
    [
        # scipy 1.17.1, binom.cdf(rank - 1, n, 0.5) <= 0.025
        (5, None),
        (6, (1, 6)),
        (10, (2, 9)),
        (20, (6, 15)),
        (50, (18, 33)),
        (100, (40, 61)),
        (1000, (469, 532)),
        (10_000, (4902, 5099)),
        (1_000_000, (499_020, 500_981)),
    ],
)
def test_the_ranks_around_the_median_are_the_binomial_ones(n, ranks):
    assert median_ranks(n) == ranks


@given(st.integers(1, 400), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_ranks_keep_the_level_and_are_as_close_as_it_allows(n, level):
    def below(rank: int) -> float:
        return sum(comb(n, i) for i in range(rank)) / 2**n

    ranks = median_ranks(n, level)
    if ranks is None:
        assert below(1) > (1 - level) / 2
    else:
        low, high = ranks
        assert low + high == n + 1
        assert below(low) <= (1 - level) / 2 < below(low + 1) or n == 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=200))
def test_a_median_lies_in_its_interval(values):
    found = median(sorted(values))
    assert found.interval.low <= found.value <= found.interval.high


def test_too_few_values_for_the_level_have_no_median_with_an_interval():
    assert median([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert bounds(median([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])) == (1.0, 6.0)
