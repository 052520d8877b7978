"""Evidence and intervals that hold at any number of looks. Pure functions of counts.

**Why they hold.** For a guess ``m`` of a mean of values between 0 and 1, a bettor starts with 1 and stakes a part
``q`` of his wealth on high values and the rest on low ones, at odds that are fair if the mean is ``m``. A value ``x``
multiplies his wealth by ``x q / m + (1 - x) (1 - q) / (1 - m)``, whose expectation is then 1. So wealth is a
nonnegative martingale, and by Ville's inequality it *ever* exceeds 1/α with a probability of at most α, at any sequence
of looks: it is evidence against ``m`` (an e-process). All ``m`` against which it is below 1/α are the interval (a
confidence sequence). It holds at all times together, under any rule for stopping.

**The bets.** Not knowing the best ``q``, one plays a mixture of all: half of the wealth by Beta(½, ½) (Cover and
Ordentlich's universal portfolio), a quarter each on ``q = 1`` and ``q = 0``, which makes flawless streams short. Of
values that are only 0 and 1, ``x`` and ``y`` times, the first part is the beta mixture
``B(a + x, a + y) / B(a, a) / m**x / (1 - m)**y``, a = ½; for ``m = 1/2``, the test of flips,
``2**n B(a + x, a + y) / B(a, a)``. The wealth depends on how often each value came and not on their order: no path is
stored, and records that arrive late only add to the counts.

**Assumption.** The expectation of each value, given those before it, is the same. A start that is chosen after looking
is a new stream without evidence.

Sources
-------
Ville (1939), Étude critique de la notion de collectif. Robbins (1970), Statistical methods related to the law of
the iterated logarithm, Ann Math Stat 41:1397-1409 (mixtures).
Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting, JRSS B 86:1-27.
Cover and Ordentlich (1996), Universal portfolios with side information, IEEE Trans Inf Theory 42:348-363; Orabona and
Jun (2024), Tight concentrations and confidence sequences from the regret of universal portfolio, the same, 70:436-455.
Hoeffding (1963), Probability inequalities for sums of bounded random variables, JASA 58:13-30; Howard, Ramdas,
McAuliffe and Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, Ann Stat 49:1055-1080
(a bounded value is sub-Bernoulli).
Darling and Robbins (1967), Confidence sequences for mean, variance, and median, PNAS 58:66-68; Howard and Ramdas
(2022), Sequential estimation of quantiles with applications to A/B testing and best-arm identification, Bernoulli
28:1704-1728.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import asin, ceil, exp, floor, inf, lgamma, log, log1p, pi, sin, sqrt

from .inference import Estimate, Interval

LEVEL = 0.95

_A = 0.5
_BETA, _ALL_IN = log(0.5), log(0.25)
_SMALLEST, _LARGEST = 1e-300, 1 - 2**-53
_STEPS = 40  # halvings until an end of an interval is known to 1e-12 of the range, to the outside
NEAR = 1e-5  # or to this part of its distance from the figure, where each evidence is an integral


def log_evidence(successes: float, n: float, share: float) -> float:
    """Return the logarithm of the wealth against ``share`` after ``n`` values of which ``successes`` were 1.

    For values between 0 and 1 with this sum it is a lower bound of the wealth, by the inequality of the arithmetic
    and the geometric mean (Hoeffding 1963): a request of many rows then counts as one row.

    Parameters
    ----------
    share
        Between 0 and 1, exclusive.
    """
    return _log_staked(successes, n) - _log_likelihood(successes, n, share)


@dataclass(frozen=True)
class Mean:
    """The mean of a stream of bounded values, given by their counts.

    Parameters
    ----------
    counts
        The count of each value. The values may be rounded, if ``rounded_up`` is given: then these are rounded down.
    low
        The smallest possible value, such as -1 of a difference; the largest is 1.
    rounded_up
        The same values rounded up, so that no bound depends on the rounding.
    """

    counts: Mapping[float, int]
    low: float = 0.0
    rounded_up: Mapping[float, int] | None = None

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    @property
    def value(self) -> float:
        """Return the mean so far; of rounded values the middle of both."""
        return (_mean(self.counts) + _mean(self._upper)) / 2

    def scaled(self, factor: float) -> Mean:
        """Return the stream after so many times the values, in the same proportions."""
        down, up = (
            {value: round(count * factor) for value, count in counts.items()} for counts in (self.counts, self._upper)
        )
        return Mean(down, self.low, up)

    def estimate(self, level: float = LEVEL) -> Estimate | None:
        """Return the mean with its interval; None without values."""
        if not self.n:
            return None
        limit = log_limit(level)
        down, up = self._scaled(self.counts), self._scaled(self._upper)
        low = boundary(lambda m: _log_wealth(down, m) >= limit, 0.0, _mean(down), near=NEAR)
        high = boundary(lambda m: _log_wealth(up, m) >= limit, 1.0, _mean(up), near=NEAR)
        interval = Interval(low=self._unscaled(low), high=self._unscaled(high), level=level)
        return Estimate(value=self.value, interval=interval, n=self.n)

    def above(self, mean: float, level: float = LEVEL) -> bool:
        """Return whether the true mean is shown to be above ``mean``."""
        return bool(self.n) and _mean(self.counts) > mean and self._against(self.counts, mean) >= log_limit(level)

    def below(self, mean: float, level: float = LEVEL) -> bool:
        """Return whether the true mean is shown to be below ``mean``."""
        return bool(self.n) and _mean(self._upper) < mean and self._against(self._upper, mean) >= log_limit(level)

    def log_evidence_above(self, mean: float) -> float:
        """Return the log wealth against ``mean`` or less; it never rises with ``mean``."""
        return self._against(self.counts, min(mean, _mean(self.counts)))

    def log_evidence_below(self, mean: float) -> float:
        """Return the log wealth against ``mean`` or more; it never falls with ``mean``."""
        return self._against(self._upper, max(mean, _mean(self._upper)))

    @property
    def _upper(self) -> Mapping[float, int]:
        return self.counts if self.rounded_up is None else self.rounded_up

    def _against(self, counts: Mapping[float, int], mean: float) -> float:
        scaled = (mean - self.low) / (1 - self.low)
        return _log_wealth(self._scaled(counts), min(max(scaled, _SMALLEST), _LARGEST))

    def _scaled(self, counts: Mapping[float, int]) -> dict[float, int]:
        return {(value - self.low) / (1 - self.low): count for value, count in counts.items()}

    def _unscaled(self, value: float) -> float:
        return self.low + value * (1 - self.low)


def proportion(successes: int, n: int) -> Mean:
    """Return the stream of ``n`` outcomes of which ``successes`` were 1.

    Raises
    ------
    ValueError
        ``successes`` is not within 0 and ``n``.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a share")
    return Mean({1.0: successes, 0.0: n - successes})


def paired_difference(first: int, second: int, alike: int) -> Mean:
    """Return the stream of the first's share of an event minus the second's, on the same requests.

    ``first`` and ``second`` count the requests in which only that one had the event (flips), ``alike`` those in which
    both or neither had it. Against a difference of 0 the latter are no evidence: the wealth is that of the sign test.
    """
    return Mean({1.0: first, -1.0: second, 0.0: alike}, low=-1.0)


@dataclass(frozen=True)
class Difference:
    """A first mean minus a second, of independent streams with values in any order.

    The product of two wealths, each against its own mean, is a wealth against the pair of means; a difference is
    refuted if all pairs with it are. With sums of values between 0 and 1 (``log_evidence``).
    """

    first: float
    first_n: int
    second: float
    second_n: int

    @property
    def value(self) -> float:
        return self.first / self.first_n - self.second / self.second_n

    def estimate(self, level: float = LEVEL) -> Estimate | None:
        """Return the difference with its interval; None if a stream is empty. ``n`` is the sum of both."""
        if not (self.first_n and self.second_n):
            return None
        limit = log_limit(level)
        low = boundary(lambda d: self._against(d) >= limit, -1.0, self.value)
        high = boundary(lambda d: self._against(d) >= limit, 1.0, self.value)
        interval = Interval(low=low, high=high, level=level)
        return Estimate(value=self.value, interval=interval, n=self.first_n + self.second_n)

    def above(self, difference: float, level: float = LEVEL) -> bool:
        """Return whether the true difference is shown to be above ``difference``."""
        return self._known and self.value > difference and self._against(difference) >= log_limit(level)

    def below(self, difference: float, level: float = LEVEL) -> bool:
        """Return whether the true difference is shown to be below ``difference``."""
        return self._known and self.value < difference and self._against(difference) >= log_limit(level)

    @property
    def _known(self) -> bool:
        return bool(self.first_n and self.second_n)

    def _against(self, difference: float) -> float:
        """Return the least log wealth against a pair of means with this difference; it is convex along them."""

        def loss(second: float) -> float:
            first = _log_likelihood(self.first, self.first_n, second + difference)
            return -first - _log_likelihood(self.second, self.second_n, second)

        low, high = max(0.0, -difference), min(1.0, 1 - difference)
        golden = (sqrt(5) - 1) / 2
        one, two = high - golden * (high - low), low + golden * (high - low)
        at_one, at_two = loss(one), loss(two)
        for _ in range(40):
            if at_one <= at_two:
                high, two, at_two = two, one, at_one
                one = high - golden * (high - low)
                at_one = loss(one)
            else:
                low, one, at_one = one, two, at_two
                two = low + golden * (high - low)
                at_two = loss(two)
        staked = _log_staked(self.first, self.first_n) + _log_staked(self.second, self.second_n)
        return min(at_one, at_two) + staked


def quantile_bounds(n: float, share: float, level: float = LEVEL) -> tuple[float | None, float | None]:
    """Return the cumulative weights that bound the quantile at ``share`` of ``n`` requests, each of weight 1.

    The indicators of values not above the true quantile are a stream of mean ``share``, for any distribution (Darling
    and Robbins 1967; Howard and Ramdas 2022); rows share their request's weight. With ties at the quantile the counts
    "below" and "not above" enclose such a stream, and refuting is monotone in the count, so nothing is lost.

    Returns
    -------
    tuple
        ``(low, high)``: the interval goes from the smallest value whose cumulative weight, itself included, exceeds
        ``low`` to the smallest for which it reaches ``high``. None: unbounded on that side.
    """
    limit = log_limit(level)

    def refuted(weight: float) -> bool:
        return log_evidence(weight, n, share) >= limit

    centre = share * n
    low = boundary(refuted, 0.0, centre) if refuted(0.0) else None
    high = boundary(refuted, n, centre) if refuted(n) else None
    return low, high


def median_ranks(n: int, level: float = LEVEL) -> tuple[int, int] | None:
    """Return the ranks, from 1, of the sorted values that bound the median; None if too few (95 %: ``n`` < 6)."""
    low, high = quantile_bounds(n, 0.5, level)
    return None if low is None or high is None else (floor(low) + 1, ceil(high))


def boundary(refuted: Callable[[float], bool], end: float, kept: float, *, near: float = 0.0) -> float:
    """Return the boundary of refuted values between ``kept`` and the ``end`` of the range, on the refuted side.

    The end itself is never evaluated: it is refuted, or a trivial bound.
    """
    figure = kept
    for _ in range(_STEPS):
        middle = (end + kept) / 2
        if abs(end - kept) <= near * abs(end - figure):
            break
        if refuted(middle):
            end = middle
        else:
            kept = middle
    return end


def _log_staked(successes: float, n: float) -> float:
    """Return the part of ``log_evidence`` without the share: the mixture of q**successes (1 - q)**failures."""
    failures = n - successes
    parts = [_BETA + _log_beta(_A + successes, _A + failures) - _log_beta(_A, _A)]
    if not failures:
        parts.append(_ALL_IN)
    if not successes:
        parts.append(_ALL_IN)
    return _log_sum(parts)


def _log_likelihood(successes: float, n: float, share: float) -> float:
    # If rounding brought the share to an end of its range, a slightly larger likelihood refutes less, never more.
    inside = min(max(share, _SMALLEST), _LARGEST)
    return successes * log(inside) + (n - successes) * log1p(-inside)


def _log_wealth(counts: Mapping[float, int], mean: float) -> float:
    """Return the log of the mixture's wealth against ``mean``, of values between 0 and 1."""
    # A value equal to the mean multiplies every bet's wealth by 1.
    informative = {value: count for value, count in counts.items() if count and value != mean}
    n = sum(informative.values())
    if informative.keys() <= {0.0, 1.0}:
        return log_evidence(informative.get(1.0, 0), n, mean)
    payoffs = [(value / mean, (1 - value) / (1 - mean), count) for value, count in informative.items()]
    parts = [_BETA + _log_integral([(low, high - low, count) for high, low, count in payoffs])]
    if all(high > 0 for high, _, _ in payoffs):
        parts.append(_ALL_IN + sum(count * log(high) for high, _, count in payoffs))
    if all(low > 0 for _, low, _ in payoffs):
        parts.append(_ALL_IN + sum(count * log(low) for _, low, count in payoffs))
    return _log_sum(parts)


def _log_integral(payoffs: list[tuple[float, float, int]]) -> float:
    """Return the logarithm of ∫ Π (low + slope q)^count dBeta(½, ½)(q).

    With q = sin² θ the measure is uniform in θ and the integrand even and periodic, so the midpoint rule is as good
    as exact when its nodes are closer than the integrand's width. They are laid around its one maximum (its
    logarithm is concave in q); the omitted tails make the evidence smaller.
    """

    def slope_at(q: float) -> float:
        return sum(count * slope / (low + slope * q) for low, slope, count in payoffs)

    low, high = 0.0, 1.0
    for _ in range(40):
        q = (low + high) / 2
        if slope_at(q) > 0:
            low = q
        else:
            high = q
    q = (low + high) / 2
    first = slope_at(q)
    second = sum(count * (slope / (base + slope * q)) ** 2 for base, slope, count in payoffs)
    curvature = max(4 * q * (1 - q) * second + 2 * abs(first * (1 - 2 * q)), 1.0)
    peak = asin(sqrt(q))
    start, stop = max(0.0, peak - 9 / sqrt(curvature)), min(pi / 2, peak + 9 / sqrt(curvature))
    nodes = 64
    width = (stop - start) / nodes
    logs = []
    for node in range(nodes):
        at = sin(start + (node + 0.5) * width) ** 2
        logs.append(sum(count * log(base + slope * at) for base, slope, count in payoffs))
    return _log_sum(logs) + log(width * 2 / pi)


def _mean(counts: Mapping[float, int]) -> float:
    n = sum(counts.values())
    return sum(value * count for value, count in counts.items()) / n if n else 0.0


def log_limit(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level is between 0 and 1, not {level}")
    return -log(1 - level)


def _log_beta(one: float, other: float) -> float:
    return lgamma(one) + lgamma(other) - lgamma(one + other)


def _log_sum(logs: list[float]) -> float:
    top = max(logs)
    return top if top == -inf else top + log(sum(exp(each - top) for each in logs))
