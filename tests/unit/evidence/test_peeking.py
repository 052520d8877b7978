"""The sequences for a user who reads each result: false alarms, and the number of requests to a decision.

Thousands of streams from a fixed seed. A share of streams has a standard error: ``ALLOWED`` is 5 % and three of them
for 4,000 streams. The domain computes the counts that refute a share once for each length, so that the code of a
comparison judges each stream after every request.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from jupyter_deploy.domain.evidence.sequential import Difference, Mean, median_ranks, paired_difference, proportion
from jupyter_deploy.domain.evidence.verdict import AGREEMENT, MARGIN, OF_FOUR
from scripts.statistics.streams import refuting_counts

STREAMS, LENGTH, SEED = 4000, 2000, 20261125
ALLOWED = 0.05 + 3 * sqrt(0.05 * 0.95 / STREAMS)


def refuted(share, level=0.95):
    """For each length of a stream the largest count that is too low, the smallest that is too high."""
    return refuting_counts(share, level, LENGTH)


def streams(share, streams_=STREAMS, length=LENGTH, seed=SEED):
    """Counts of successes after each of ``length`` requests."""
    return (np.random.default_rng(seed).random((streams_, length)) < share).cumsum(axis=1, dtype=np.int32)


def first_true(happened):
    """After how many requests; the length and one where it never did."""
    return np.where(happened.any(axis=1), happened.argmax(axis=1) + 1, happened.shape[1] + 1)


def wilson(counts, level=0.95):
    """The fixed-sample interval, as a user might apply it at every request."""
    n = np.arange(1, counts.shape[1] + 1)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    p = counts / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * p * (1 - p) / n + z2 * z2 / (4 * n * n)) / (1 + z2 / n)
    return centre - half, centre + half


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99])
def test_looking_after_every_request_is_wrong_in_at_most_5_percent_of_the_streams(share):
    low, high = refuted(share)
    counts = streams(share)
    wrong = ((counts <= low) | (counts >= high)).any(axis=1).mean()
    print(f"\nshare {share}: the true share is ever excluded in {wrong:.2%} of the streams")
    assert wrong <= ALLOWED


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99])
def test_a_fixed_sample_interval_would_fail_this(share):
    low, high = wilson(streams(share))
    late = slice(30, None)  # with fewer it would not be used
    wrong = ((low[:, late] > share) | (high[:, late] < share)).any(axis=1).mean()
    print(f"\nshare {share}: Wilson's interval ever excludes the true share in {wrong:.2%} of the streams")
    assert wrong > 0.2


def test_a_candidate_that_sits_on_every_threshold_is_called_differs_in_at_most_5_percent():
    """Agreement of just 99 %, refusals of just 1 %, as many errors as stable: the grounds share the 5 %."""
    few, many = refuted(AGREEMENT, OF_FOUR)[0], refuted(MARGIN, OF_FOUR)[1]
    grounds = (streams(AGREEMENT) <= few) | (streams(MARGIN, seed=SEED + 1) >= many)
    drawn = np.random.default_rng(SEED + 2).random((STREAMS, LENGTH))
    worse = (drawn < 0.1).cumsum(axis=1, dtype=np.int32)
    flips = (drawn < 0.2).cumsum(axis=1, dtype=np.int32)  # on all other requests both fare alike, which says nothing
    errs = (flips > 0) & (worse >= refuted(0.5, OF_FOUR)[1][np.maximum(flips, 1) - 1])
    wrong = (grounds | errs).any(axis=1).mean()
    print(f"\ncalled differs: {wrong:.2%}, for its errors {errs.any(axis=1).mean():.2%}")
    assert wrong <= ALLOWED
    assert paired_difference(50, 20, 500).above(0, OF_FOUR) == (refuted(0.5, OF_FOUR)[1][70 - 1] <= 50)


def fixed_sample_size(truth, null, power=0.8, level=0.95):
    """Requests that a test of one look needs (normal approximation with the variances of both hypotheses)."""
    z, z_power = NormalDist().inv_cdf((1 + level) / 2), NormalDist().inv_cdf(power)
    return ((z * sqrt(null * (1 - null)) + z_power * sqrt(truth * (1 - truth))) / (truth - null)) ** 2


@pytest.mark.parametrize(("truth", "null"), [(0.95, 0.99), (0.8, 0.9), (0.7, 0.5), (0.03, 0.01)])
def test_a_sequence_needs_few_more_requests_than_a_test_of_one_look(truth, null):
    low, high = refuted(null)
    counts = streams(truth, 1000)
    needed = first_true((counts <= low) if truth < null else (counts >= high))
    fixed = fixed_sample_size(truth, null)
    mean, often = needed.mean(), np.quantile(needed, 0.8)
    print(
        f"\n{truth} against {null}: {fixed:.0f} with one look; "
        f"{mean:.0f} on average, {often:.0f} in 80 % of the streams"
    )
    assert mean <= 2 * fixed
    assert often <= 2.8 * fixed


def test_flawless_requests_suffice_soon():
    """All of n alike show 99 % at one look when 0.99**n is at most 0.025 (Clopper and Pearson): n = 368."""
    needed = next(n for n in range(1, 1000) if proportion(n, n).above(0.99))
    print(f"\n{needed} flawless requests show 99 %; {368} with one look")
    assert 368 <= needed <= 1.25 * 368


def test_the_mean_of_batches_is_missed_in_at_most_5_percent_of_the_streams():
    """Requests of 1 to 20 rows; in a third of them all rows agree or differ as a whole, for the others one by one."""
    rng = np.random.default_rng(SEED)
    number, truth, wrong, naive = 300, 0.9, 0, 0
    for _ in range(number):
        rows = rng.choice((1, 2, 5, 20), 300)
        together = rng.random(300) < 1 / 3
        agreed = np.where(together, rows * (rng.random(300) < truth), rng.binomial(rows, truth)) / rows
        looks = [Mean(_counted(agreed[:n])) for n in (5, 10, 20, 50, 100, 200, 300)]
        wrong += any(look.above(truth) or look.below(truth) for look in looks)
        sums = zip((agreed * rows).round().cumsum()[4::5], rows.cumsum()[4::5], strict=True)
        of_rows = [proportion(int(equal), int(n)) for equal, n in sums]
        naive += any(look.above(truth) or look.below(truth) for look in of_rows)
    print(f"\nmissed in {wrong / number:.1%}; in {naive / number:.1%} if rows were taken for requests")
    assert wrong / number <= 0.05 + 3 * sqrt(0.05 * 0.95 / number)
    assert naive / number > 0.1  # what the requests are the unit for


def _counted(values):
    found, times = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), times.tolist(), strict=True))


def test_the_difference_of_a_canary_is_missed_in_at_most_5_percent_of_the_streams():
    number, wrong = 400, 0
    looks = [20, 50, 100, 200, 500, 1000, 2000]
    canary, stable = streams(0.05, number, seed=1)[:, :500], streams(0.03, number)
    for one, other in zip(canary, stable, strict=True):
        seen = [Difference(int(one[n // 4 - 1]), n // 4, int(other[n - 1]), n) for n in looks]
        wrong += any(look.above(0.02) or look.below(0.02) for look in seen)
    print(f"\nmissed in {wrong / number:.1%}")
    assert wrong / number <= 0.05 + 3 * sqrt(0.05 * 0.95 / number)


@pytest.mark.parametrize("round_to", [None, 1.0], ids=["continuous", "with ties"])
def test_the_median_is_missed_in_at_most_5_percent_of_the_streams(round_to):
    rng = np.random.default_rng(SEED)
    number, wrong = 1000, 0
    values = rng.exponential(3.0, (number, 300))
    median = 3.0 * np.log(2)
    if round_to:
        values, median = np.round(values), round(median)
    looks = range(10, 301, 10)
    ranks = {n: median_ranks(n) for n in looks}
    missed = np.zeros(number, dtype=bool)
    for n in looks:
        ordered = np.sort(values[:, :n], axis=1)
        low, high = ranks[n]
        missed |= (ordered[:, low - 1] > median) | (ordered[:, high - 1] < median)
    wrong = missed.mean()
    print(f"\nmissed in {wrong:.1%}")
    assert wrong <= 0.05 + 3 * sqrt(0.05 * 0.95 / number)
