"""Intervals of shares: against published figures, against other formulas, and by their coverage."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from jupyter_deploy.domain.evidence.proportions import paired_difference, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 30), (15, 148), (29, 30), (200, 200), (81, 263)])
def test_wilsons_interval_is_that_of_scipy(successes, n):
    found = wilson(successes, n)
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("counts", [(12, 2), (5, 5), (0, 6), (21, 2), (3, 0), (9, 1), (8, 2)])
def test_a_paired_interval_excludes_no_difference_just_when_mcnemars_test_rejects(counts):
    gained, lost = counts
    found = paired_difference(gained, lost, 50)
    rejects = (gained - lost) ** 2 / (gained + lost) > 1.959963984540054**2
    assert (found.low > 0 or found.high < 0) == rejects


@pytest.mark.parametrize("counts", [(12, 2, 50), (0, 6, 44), (1, 0, 54), (3, 30, 100)])
def test_the_ends_are_where_the_constrained_likelihood_puts_them(counts):
    """Tango's statistic by its definition, with the nuisance share maximised numerically and not by his formula."""
    gained, lost, n = counts
    found = paired_difference(gained, lost, n)
    for end, z in ((found.low, 1.959963984540054), (found.high, -1.959963984540054)):

        def unlikely(share_lost, difference=end):
            shares = (share_lost + difference, share_lost, 1 - 2 * share_lost - difference)
            if min(shares) <= 0:
                return math.inf
            return -sum(k * math.log(p) for k, p in zip((gained, lost, n - gained - lost), shares, strict=True) if k)

        low, high = max(0.0, -end), (1 - end) / 2
        best = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
        statistic = (gained - lost - n * end) / math.sqrt(n * (2 * best + end * (1 - end)))
        assert statistic == pytest.approx(z, abs=2e-3)


def test_it_is_the_same_from_the_other_side():
    one, other = paired_difference(12, 3, 80), paired_difference(3, 12, 80)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@pytest.mark.parametrize(("shares", "n"), [((0.05, 0.05), 60), ((0.08, 0.01), 200), ((0.02, 0.005), 400)])
def test_a_paired_interval_holds_the_true_difference_as_often_as_it_says(shares, n):
    rng = np.random.default_rng(7)
    gained_share, lost_share = shares
    draws = rng.multinomial(n, [gained_share, lost_share, 1 - gained_share - lost_share], size=1500)
    truth = gained_share - lost_share
    held = [
        found.low <= truth <= found.high
        for found in (paired_difference(gain, loss, n) for gain, loss, _ in draws.tolist())
    ]
    assert 0.935 <= np.mean(held) <= 0.975


def test_no_rows_have_no_interval():
    with pytest.raises(ValueError, match="no rows"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="no rows"):
        paired_difference(0, 0, 0)
