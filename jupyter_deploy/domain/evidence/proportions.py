"""Confidence intervals of shares, and of the difference of two shares on the same rows. Pure.

Both are score intervals: they stay between 0 and 1, and are right for few rows and for shares near 0 and 1, unlike the
usual ``p ± 1.96 √(p(1-p)/n)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from .inference import Interval

LEVEL = 0.95

_STEPS = 100  # halvings: far beyond a float's precision


def wilson(successes: float, n: int, level: float = LEVEL) -> Interval:
    """Return the interval of a share, ``successes`` of ``n`` rows.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.

    Raises
    ------
    ValueError
        There are no rows.
    """
    if n < 1:
        raise ValueError("a share of no rows")
    z = _quantile(level)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(low=max(0.0, middle - half), high=min(1.0, middle + half), level=level)


def paired_difference(gained: int, lost: int, n: int, level: float = LEVEL) -> Interval:
    """Return the interval of a share minus another one on the same ``n`` rows.

    It holds 0 if and only if McNemar's test (without a correction) does not reject at the same level.

    T. Tango (1998), Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17, 891-908.

    Parameters
    ----------
    gained, lost
        Rows that count for the first share only, and for the second only.

    Raises
    ------
    ValueError
        There are no rows.
    """
    if n < 1:
        raise ValueError("a difference on no rows")
    z = _quantile(level)
    observed = (gained - lost) / n
    return Interval(
        low=_crossing(lambda d: _score(gained, lost, n, d) - z, -1.0, observed),
        high=_crossing(lambda d: _score(gained, lost, n, d) + z, observed, 1.0),
        level=level,
    )


def _score(gained: int, lost: int, n: int, difference: float) -> float:
    """Return Tango's statistic for a true difference: it falls as the difference grows, 0 at the observed one."""
    a = 2.0 * n
    b = -gained - lost + (2.0 * n - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    share_lost = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * share_lost + difference * (1 - difference))
    distance = gained - lost - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _crossing(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return the root of a falling function, or the end of the range that is nearest to it."""
    if falling(low) <= 0:
        return low
    if falling(high) >= 0:
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
