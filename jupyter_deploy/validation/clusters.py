"""Intervals of rows in clusters, such as the visits of a patient: rows of one cluster are alike, clusters independent.

Shares: the variance between clusters gives a design effect (J. N. K. Rao and A. J. Scott 1981, The analysis of
categorical data from complex sample surveys, JASA 76, 221-230), and the exact interval is of the effective number of
rows, with Student's correction for the number of clusters (E. L. Korn and B. I. Graubard 1998, Confidence intervals
for proportions with small expected number of positive counts estimated from survey data, Survey Methodology 24,
193-201). Other statistics, and differences from stable: clusters are resampled whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.evidence.statistic import QUANTILES
from jupyter_deploy.domain.validation.validation import Metric

from .bootstrap import interval, statistic_named, widen
from .interval_estimate import ALIKE, FEWEST, IntervalEstimate, too_few
from .shares import clopper_pearson


def clustered(metric: Metric, level: float, *, share: bool) -> IntervalEstimate:
    """Return the interval of a metric's rows in its clusters."""
    rows, codes, count = _arrays(metric)
    if count < FEWEST:
        return IntervalEstimate(None, "", why=too_few(count, "cluster"))
    of = f"{len(rows)} rows in {count} clusters"
    if not share:
        statistic = _cluster_statistic(metric.statistic, (rows,), codes, count, 0.0)
        return _resampled(statistic, count, f"of {of}", level)
    effective = effective_rows(rows, codes, count, level)
    result = clopper_pearson(metric.value * effective, effective, level)
    method = f"Rao-Scott: Clopper-Pearson, a share of {of}, {effective:.0f} effective rows"
    return IntervalEstimate(result, method, share=True)


def clustered_difference(metric: Metric, stable: Metric, factor: float, level: float) -> IntervalEstimate:
    """Return the interval of ``metric - factor * stable`` on the same rows in the same clusters."""
    rows, codes, count = _arrays(metric)
    theirs, _, _ = _arrays(stable)
    if count < FEWEST:
        return IntervalEstimate(None, "", why=too_few(count, "cluster"))
    statistic = _cluster_statistic(metric.statistic, (rows, theirs), codes, count, factor)
    return _resampled(statistic, count, f"of {len(rows)} rows in {count} clusters, paired by place", level)


def effective_rows(rows: Any, codes: Any, count: int, level: float) -> float:
    """Return the number of independent rows that a share of clustered rows is worth.

    At most the number of rows; if all rows are equal, the variance is unknown and each cluster counts as one row.
    """
    import numpy as np  # only the judge needs it

    totals, sizes = np.bincount(codes, rows, count), np.bincount(codes, minlength=count)
    n = len(rows)
    share = totals.sum() / n
    if share in (0.0, 1.0):
        return float(count)
    between = count / (count - 1) * float(np.square(totals - share * sizes).sum()) / n**2
    effective = min(share * (1 - share) / max(between, 1e-300), n)
    return float(effective * _student_ratio(level, count) ** 2)


def _resampled(statistic: Callable[..., Any], count: int, of: str, level: float) -> IntervalEstimate:
    """Resample clusters by their numbers; the arms grow with Student's factor for few clusters."""
    import numpy as np

    places = np.arange(count)
    result, method = interval(statistic, (places,))
    value = float(statistic(places, axis=-1))
    if result.low == result.high and count < ALIKE:
        why = f"{count} clusters without any difference say little of others, {ALIKE} would"
        return IntervalEstimate(None, "", why=why)
    wide = widen_for_clusters(widen(result, value, level), value, count)
    return IntervalEstimate(wide, f"cluster {method} {of}")


def widen_for_clusters(result: Interval, value: float, count: int) -> Interval:
    """Widen a resampled interval by Student's factor: few clusters are the evidence, however many rows they have."""
    by = 1 / _student_ratio(result.level, count)
    low, high = value - by * max(value - result.low, 0.0), value + by * max(result.high - value, 0.0)
    return Interval(low=min(low, result.low), high=max(high, result.high), level=result.level)


def _student_ratio(level: float, count: int) -> float:
    """Return the normal quantile over Student's of ``count`` clusters, below 1."""
    from scipy.stats import t

    return NormalDist().inv_cdf((1 + level) / 2) / float(t.ppf((1 + level) / 2, count - 1))


def _cluster_statistic(name: str, samples: Sequence[Any], codes: Any, count: int, factor: float) -> Callable[..., Any]:
    """Return the statistic (of two samples: the first minus ``factor`` times the second) of drawn clusters."""
    parts = [_statistic_of_clusters(name, rows, codes, count) for rows in samples]

    def drawn(places: Any, axis: int = -1) -> Any:
        del axis  # the clusters lie along the last one
        values = [part(places) for part in parts]
        return values[0] - factor * values[1] if len(values) == 2 else values[0]

    return drawn


def _statistic_of_clusters(name: str, rows: Any, codes: Any, count: int) -> Callable[[Any], Any]:
    import numpy as np

    if name not in QUANTILES:
        sizes = np.bincount(codes, minlength=count)
        totals = np.bincount(codes, np.square(rows) if name == "rms" else rows, count)

        def mean(places: Any) -> Any:
            means = totals[places].sum(axis=-1) / sizes[places].sum(axis=-1)
            return np.sqrt(means) if name == "rms" else means

        return mean
    order = np.argsort(codes, kind="stable")
    groups = np.split(rows[order], np.cumsum(np.bincount(codes, minlength=count))[:-1])
    percentile = statistic_named(name)

    def quantile(places: Any) -> Any:
        drawn = [percentile(np.concatenate([groups[i] for i in each])) for each in places.reshape(-1, places.shape[-1])]
        return np.reshape(drawn, places.shape[:-1])

    return quantile


def _arrays(metric: Metric) -> tuple[Any, Any, int]:
    """Return the rows, the cluster of each from 0, and the number of clusters."""
    import numpy as np

    clusters, codes = np.unique(np.asarray(metric.clusters), return_inverse=True)
    return np.asarray(metric.rows, dtype=float), codes, len(clusters)
