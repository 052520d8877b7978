"""Bootstrap intervals from rows: of one metric, and of a candidate's minus a multiple of stable's.

The method depends on the number of rows:

- up to 200, of means and root mean squares: Student's bootstrap (B. Efron and R. Tibshirani 1993, An Introduction to
  the Bootstrap, 12.5), whose ends are right for few skewed rows, unlike those of the next one;
- up to 2,000: the bias-corrected and accelerated bootstrap (B. Efron 1987, Better bootstrap confidence intervals,
  JASA 82, 171-185), as in SciPy;
- up to 20,000: the percentile bootstrap, since the acceleration costs the square of the rows and no longer matters;
- beyond: sectioning (S. Asmussen and P. Glynn 2007, Stochastic Simulation, III.5): Student's interval from the
  variation of the statistic over 50 parts of the rows.

The seed is fixed, so that the same rows give the same verdict.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.evidence.proportions import LEVEL

SEED = 20_260_101
RESAMPLES = 2_000
STUDENTIZED, ACCELERATED, BOOTSTRAPPED = 200, 2_000, 20_000
SECTIONS = 50
_BATCH_NUMBERS = 4_000_000  # numbers in memory at a time: 32 MB

Statistic = Callable[..., Any]
"""A function of arrays with the rows along the last axis; it takes ``axis``."""


def statistic_named(name: str) -> Statistic:
    """Return one of ``domain.evidence.statistic.STATISTICS``, for arrays with the rows along an axis."""
    import numpy as np  # only the judge needs it

    simple: dict[str, Statistic] = {
        "mean": np.mean,
        "median": np.median,
        "rms": lambda rows, axis=-1: np.sqrt(np.mean(np.square(rows), axis=axis)),
        "min": np.min,
        "max": np.max,
        "sum": np.sum,
    }
    if name in simple:
        return simple[name]
    percent = float(name.removeprefix("p"))
    return lambda rows, axis=-1: np.percentile(rows, percent, axis=axis)


def interval(statistic: Statistic, samples: tuple[Any, ...], level: float = LEVEL) -> tuple[Interval, str]:
    """Return the interval of a statistic of samples of one length, whose i-th rows are paired; and the method.

    Parameters
    ----------
    statistic
        A function of one array per sample, along ``axis``.
    samples
        One-dimensional arrays of floats.
    """
    import numpy as np

    n = len(samples[0])
    value = float(statistic(*samples, axis=-1))
    if all(np.ptp(sample) == 0 for sample in samples):
        return Interval(low=value, high=value, level=level), "all rows alike"
    if n <= BOOTSTRAPPED:
        return _bootstrap(statistic, samples, level)
    return _sections(statistic, samples, value, level)


def _bootstrap(statistic: Statistic, samples: tuple[Any, ...], level: float) -> tuple[Interval, str]:
    import numpy as np
    from scipy.stats import bootstrap  # half a second that only the judge pays

    n = len(samples[0])
    accelerated = n <= ACCELERATED
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing acceleration is handled below
        result = bootstrap(
            samples,
            statistic,
            paired=True,
            vectorized=True,
            axis=-1,
            n_resamples=RESAMPLES,
            batch=max(1, _BATCH_NUMBERS // n),
            confidence_level=level,
            method="BCa" if accelerated else "percentile",
            rng=np.random.default_rng(SEED),
        )
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    kind = "BCa bootstrap"
    if not (np.isfinite(low) and np.isfinite(high)):  # a quantile that no single row moves has no acceleration
        low, high = (float(q) for q in np.quantile(result.bootstrap_distribution, [(1 - level) / 2, (1 + level) / 2]))
        accelerated = False
    if not accelerated:
        kind = "percentile bootstrap"
    return Interval(low=low, high=high, level=level), kind


def student_interval(name: str, samples: tuple[Any, ...], factor: float) -> tuple[Interval, str] | None:
    """Return Student's bootstrap interval of a mean or a root mean square, or of a first minus a multiple of a second.

    None: the statistic is another one, the rows are too many or do not vary enough. A root mean square is linear in the
    squares up to its root; a difference of two is linearised at their values.
    """
    import numpy as np

    if name not in ("mean", "rms") or len(samples[0]) > STUDENTIZED or any(np.ptp(sample) == 0 for sample in samples):
        return None
    with np.errstate(all="ignore"):  # squares may overflow, which is seen in the result
        if len(samples) == 1:
            ends = _student_ends(np.square(samples[0]) if name == "rms" else samples[0])
            if ends is not None and name == "rms":
                ends = (math.sqrt(max(ends[0], 0.0)), math.sqrt(max(ends[1], 0.0)))
        else:
            mine, theirs = (_linearised(name, sample) for sample in samples)
            ends = _student_ends(mine - factor * theirs)
    return None if ends is None else (Interval(low=ends[0], high=ends[1]), "Student's bootstrap")


def _linearised(name: str, rows: Any) -> Any:
    """Return parts of the rows with the statistic as their mean and its influence as their variation."""
    import numpy as np

    if name == "mean":
        return rows
    root = math.sqrt(float(np.mean(np.square(rows))))
    return np.square(rows) / (2 * root) + root / 2


def _student_ends(parts: Any) -> tuple[float, float] | None:
    import numpy as np

    n, mean = len(parts), float(np.mean(parts))
    drawn = parts[np.random.default_rng(SEED).integers(n, size=(RESAMPLES, n))]
    deviations = np.std(drawn, axis=-1, ddof=1)
    known = deviations > 0
    own = float(np.std(parts, ddof=1))
    if not math.isfinite(own) or own == 0 or known.mean() < 1 - (1 - LEVEL) / 10:
        return None
    low, high = np.quantile((drawn.mean(axis=-1) - mean)[known] / deviations[known], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return mean - float(high) * own, mean - float(low) * own


def _sections(statistic: Statistic, samples: tuple[Any, ...], value: float, level: float) -> tuple[Interval, str]:
    import numpy as np
    from scipy.stats import t

    length = len(samples[0]) // SECTIONS
    # In a random order, since neighbouring rows may resemble each other.
    order = np.random.default_rng(SEED).permutation(len(samples[0]))[: length * SECTIONS]
    parts = tuple(sample[order].reshape(SECTIONS, length) for sample in samples)
    half = float(t.ppf((1 + level) / 2, SECTIONS - 1) * np.std(statistic(*parts, axis=-1), ddof=1) / np.sqrt(SECTIONS))
    return Interval(low=value - half, high=value + half, level=level), "sectioning"


def computable(replicates: Sequence[float]) -> Any | None:
    """Return the finite bootstrap replicates as an array; None: most of them could not be computed."""
    import numpy as np

    known = np.asarray(replicates, dtype=float)
    known = known[np.isfinite(known)]
    return known if len(known) and len(known) * 2 >= len(replicates) else None


def of_replicates(known: Any, level: float = LEVEL) -> Interval:
    """Return the percentile interval of finite bootstrap replicates."""
    import numpy as np

    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level)


def widen(interval: Interval, value: float, level: float) -> Interval:
    """Return a resampled interval at a higher level: its arms grow as those of a normal distribution do.

    Resamples have no quantiles so far out: attempt 20 at a gate needs a tail of 0.012 %.
    """
    if level == interval.level:
        return interval
    normal = NormalDist()
    by = normal.inv_cdf((1 + level) / 2) / normal.inv_cdf((1 + interval.level) / 2)
    low, high = value - by * max(value - interval.low, 0.0), value + by * max(interval.high - value, 0.0)
    return Interval(low=min(low, interval.low), high=max(high, interval.high), level=level)


def of_order(rows: Sequence[float], share: float, level: float = LEVEL) -> Interval:
    """Return the interval of a percentile for any distribution of the rows; an end beyond all rows is infinite.

    H. A. David and H. N. Nagaraja (2003), Order Statistics, 7.1: the number of rows below a percentile is binomial.

    Parameters
    ----------
    share
        The share of rows below the percentile, such as 0.95.
    """
    from scipy.stats import binom

    ordered, n = sorted(rows), len(rows)
    low = int(binom.ppf((1 - level) / 2, n, share))
    high = int(binom.ppf((1 + level) / 2, n, share)) + 1
    return Interval(
        low=ordered[low - 1] if low > 0 else -math.inf,
        high=ordered[high - 1] if high <= n else math.inf,
        level=level,
    )
