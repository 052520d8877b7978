"""Evidence that a feature's values no longer come from the reference's distribution. Pure.

A value falls into one of the reference's bins; for a number these are the tenths of its conformal p-value (V. Vovk
et al. 2021, Retrain or not retrain: conformal test martingales for change-point detection, COPA). A bettor plays the
bins with a mixture of bets: Krichevsky and Trofimov's (1981), and fixed shifts of the reference. Its wealth is divided
by the largest likelihood that any distribution near the reference gives to the same values (universal inference:
L. Wasserman, A. Ramdas, S. Balakrishnan 2020, PNAS 117), so that it is an e-process for *all* of them: its expectation
is at most 1 at every stopping time. It depends on the counts alone, which may be fractions (a cluster's mean).

Distances are Hellinger's: ``H(p, q)^2 = 1 - sum sqrt(p q)``. Of two normal distributions that are ``d`` standard
deviations apart it is ``sqrt(1 - exp(-d^2 / 8))``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import acos, exp, expm1, inf, lgamma, log, sin, sqrt
from operator import mul
from statistics import NormalDist

_BETS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Sizes of the shifts that are bet on, in standard deviations of their direction."""

_STEPS = 120
_PRECISE = 1e-12
"""The width of a root's interval, as a share of the root."""

_LEAST = 1e-3


def hellinger_of(shift: float) -> float:
    """Return the distance of two normal distributions that are ``shift`` standard deviations apart."""
    return sqrt(-expm1(-shift * shift / 8))


def sampling_error(count: float, bins: int, chance: float) -> float:
    """Return the distance from a sample's shares within which the true shares lie, but for ``chance``.

    ``8 n H^2`` has a chi-square distribution with one degree of freedom fewer than bins (the square root stabilises
    the variance of counts); its quantile is E. B. Wilson and M. M. Hilferty's (1931, PNAS 17).

    Parameters
    ----------
    count
        The sample's rows.
    """
    freedom = max(bins - 1, 1)
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + NormalDist().inv_cdf(1 - chance) * sqrt(spread)) ** 3
    return min(sqrt(quantile / (8 * max(count, 1))), 1.0)


def distance(left: Sequence[float], right: Sequence[float]) -> float:
    """Return Hellinger's distance of two distributions over the same bins."""
    return sqrt(max(1 - sum(sqrt(p * q) for p, q in zip(left, right, strict=True)), 0.0))


def bets(shares: Sequence[float], *, ordered: int, single: Sequence[int]) -> list[list[float]]:
    """Return the fixed bets: distributions over the bins, each a shift of the reference's shares.

    Parameters
    ----------
    ordered
        The number of first bins that have an order: bets on a shift and on a change of the spread.
    single
        Bins that are bet on alone, to be fuller or emptier.
    """
    directions = []
    if ordered > 2:
        places, below = [], 0.0
        for share in shares[:ordered]:
            places.append(below + share / 2)
            below += share
        scores = [NormalDist().inv_cdf(min(max(place / below, 1e-4), 1 - 1e-4)) for place in places]
        rest = [0.0] * (len(shares) - ordered)
        directions += [[*scores, *rest], [*(score * score - 1 for score in scores), *rest]]
    directions += [[1.0 if at == one else 0.0 for at in range(len(shares))] for one in single]
    chosen = []
    for direction in directions:
        mean = sum(p * d for p, d in zip(shares, direction, strict=True))
        spread = sqrt(sum(p * (d - mean) ** 2 for p, d in zip(shares, direction, strict=True)))
        for size in (*_BETS, *(-size for size in _BETS)):
            slope = min(max(size / spread, -8.0), 8.0) if spread > 0 else 0.0
            weights = [p * exp(slope * (d - mean)) for p, d in zip(shares, direction, strict=True)]
            total = sum(weights)
            chosen.append([weight / total for weight in weights])
    return chosen


def log_evidence(
    counts: Sequence[float], shares: Sequence[float], tolerance: float, log_bets: Sequence[Sequence[float]]
) -> float:
    """Return the logarithm of the evidence that the counts' distribution is further than ``tolerance`` from the shares.

    Parameters
    ----------
    counts
        Values by bin; fractions are the means of clusters.
    shares
        The reference's shares, none of them 0.
    tolerance
        Hellinger's distance.
    log_bets
        Logarithms of ``bets``.

    Returns
    -------
    float
        ``-inf`` if the counts' own distribution is within the tolerance: the evidence is at most 1 then.
    """
    total = sum(counts)
    if total <= 0:
        return -inf
    observed = [count / total for count in counts]
    if distance(observed, shares) <= tolerance:
        return -inf
    wealth = [_log_mixture(counts, shares, total)]
    wealth += [sum(c * q for c, q in zip(counts, bet, strict=True) if c) for bet in log_bets]
    most = max(wealth)
    mean = most + log(sum(exp(each - most) for each in wealth) / len(wealth))
    return mean - _log_likelihood(counts, shares, observed, tolerance)


def most_log_evidence(counts: Sequence[float], shares: Sequence[float], tolerance: float) -> float:
    """Return an upper bound of ``log_evidence``, in a fraction of its time.

    No bet wins more than the counts' own distribution, and the best distribution within the tolerance is no worse than
    the one on its edge in the direction of the counts (on the sphere of the distributions' square roots).
    """
    total = sum(counts)
    if total <= 0:
        return -inf
    roots, mine = [sqrt(count / total) for count in counts], [sqrt(share) for share in shares]
    nearness = min(sum(map(mul, roots, mine)), 1.0)
    angle, edge = acos(nearness), acos(1 - tolerance * tolerance)
    if angle <= edge:
        return -inf
    towards, stay = sin(edge) / sin(angle), sin(angle - edge) / sin(angle)
    edges = [towards * root + stay * own for root, own in zip(roots, mine, strict=True)]
    return 2 * sum(count * log(root / edge) for count, root, edge in zip(counts, roots, edges, strict=True) if count)


def _log_mixture(counts: Sequence[float], shares: Sequence[float], total: float) -> float:
    """Return the logarithm of KT's mixture.

    Its weights are 1/2 for ten equal bins, otherwise in proportion to the shares.
    """
    weights = [max(5 * share, _LEAST) for share in shares]
    whole = sum(weights)
    bins = sum(lgamma(w + c) - lgamma(w) for w, c in zip(weights, counts, strict=True) if c)
    return lgamma(whole) - lgamma(whole + total) + bins


def _log_likelihood(
    counts: Sequence[float], shares: Sequence[float], observed: Sequence[float], tolerance: float
) -> float:
    """Return the counts' largest log-likelihood among the distributions within the tolerance of the shares."""
    roots = _nearest_roots(observed, shares, tolerance)
    return sum(2 * c * log(root) for c, root in zip(counts, roots, strict=True) if c)


def gains(bet: Sequence[float], shares: Sequence[float], tolerance: float) -> list[float]:
    """Return the logarithm of what a bet on a distribution wins on a value of each bin.

    The stake is multiplied by ``bet / nearest``, with the distribution within the tolerance that is nearest to the bet
    (the reverse information projection: P. Grünwald, R. de Heide, W. Koolen 2024, Safe testing, JRSS B 86). Its
    expectation is at most 1 under *each* distribution within the tolerance, since these are a convex set.
    """
    if distance(bet, shares) <= tolerance:
        return [0.0] * len(bet)
    roots = _nearest_roots(bet, shares, tolerance)
    return [log(max(share, 1e-300)) - 2 * log(root) for share, root in zip(bet, roots, strict=True)]


def _nearest_roots(observed: Sequence[float], shares: Sequence[float], tolerance: float) -> list[float]:
    """Return the square roots of the distribution within the tolerance that gives ``observed`` the most likelihood.

    With Lagrange's multiplier ``m`` of the distance they are ``s = (m sqrt(p) + sqrt(m^2 p + 4 l q)) / 2 l`` with
    ``l = 1 + m (1 - tolerance^2)``; they are a distribution for one ``m > 0``.
    """
    nearness = 1 - tolerance * tolerance
    pairs = list(zip(map(sqrt, shares), shares, observed, strict=True))

    def roots(multiplier: float) -> list[float]:
        scale, square = 1 + multiplier * nearness, multiplier * multiplier
        return [(multiplier * root + sqrt(square * p + 4 * scale * q)) / (2 * scale) for root, p, q in pairs]

    def excess(multiplier: float) -> float:
        return sum(root * root for root in roots(multiplier)) - 1

    low, high = 0.0, 1.0
    below, above = 0.0, excess(high)
    while above < 0 and high < 1e12:
        low, high, below, above = high, high * 4, above, excess(high * 4)
    for step in range(_STEPS):
        if high - low <= _PRECISE * high:
            break
        # Each second step halves: a chord alone may approach from one side, slowly.
        is_chord = step % 2 == 0 and below < 0 < above
        middle = low + (high - low) * (below / (below - above) if is_chord else 0.5)
        if is_chord:
            middle = min(max(middle, low + _PRECISE * high / 2), high - _PRECISE * high / 2)
        found = excess(middle)
        if found < 0:
            low, below = middle, found
        else:
            high, above = middle, found
    # The upper end: a likelihood that is too large by rounding makes the evidence smaller, never larger.
    return roots(high)
