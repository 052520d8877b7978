"""Intervals of metrics: of one metric, and of a candidate's metric minus a multiple of stable's.

==========================================  =====================================================================
zeros and ones, or a declared share         Clopper and Pearson's exact interval; two on the same rows: Tango's, or
                                            MOVER with their correlation if stable's is multiplied
percentiles                                 order statistics; on the same rows bootstrap, if enough rows lie beyond
means, root mean squares                    bootstrap of the rows (``bootstrap``)
functions of rows                           percentiles of their replicates (``replicates``)
rows in clusters                            bootstrap of the clusters; shares: Rao and Scott's (``clusters``)
figures of different rows                   MOVER of each one's own interval, of a share Wilson's
==========================================  =====================================================================

A resampled interval is computed at 95 % and widened for a higher level (``bootstrap.widen``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.evidence.proportions import LEVEL, paired_difference, wilson
from jupyter_deploy.domain.evidence.statistic import EXTREMES, QUANTILES
from jupyter_deploy.domain.validation.validation import Metric

from .bootstrap import interval, of_order, statistic_named, student_interval, widen
from .clusters import clustered, clustered_difference
from .interval_estimate import ALIKE, FEWEST, IntervalEstimate, too_few
from .replicates import replicated, replicated_pair
from .shares import clopper_pearson

DIFFERENT = 5
"""Fewer rows that differ from the most frequent one are not resampled: resamples hardly vary, other rows may."""

BEYOND = 20
"""A percentile is resampled if this number of rows lies beyond it; the bootstrap of an extreme one is too narrow."""


def estimate_metric(metric: Metric, level: float = LEVEL) -> IntervalEstimate:
    """Return the interval of one metric."""
    if metric.replicates is not None:
        return replicated(metric, level)
    if metric.rows is None:
        if not (metric.share and metric.n):
            return IntervalEstimate(None, "no rows: taken as exact", exact=True)
        return IntervalEstimate(
            clopper_pearson(metric.value * metric.n, metric.n, level),
            f"Clopper-Pearson, as a share of {metric.n} rows",
            share=True,
        )
    if metric.clusters is not None and metric.statistic not in EXTREMES:
        return clustered(metric, level, share=_is_share(metric))
    return _of_rows(metric, metric.rows, level)


def _of_rows(metric: Metric, rows: Sequence[float], level: float) -> IntervalEstimate:
    n = len(rows)
    if metric.statistic in EXTREMES:
        return IntervalEstimate(None, f"the {metric.statistic} of {n} rows: taken as exact", exact=True)
    if _is_share(metric):
        method = f"Clopper-Pearson, a share of {n} rows"
        return IntervalEstimate(clopper_pearson(sum(rows), n, level), method, share=True)
    if metric.statistic in QUANTILES:
        return IntervalEstimate(of_order(rows, QUANTILES[metric.statistic], level), f"order statistics, {n} rows")
    different = n - Counter(rows).most_common(1)[0][1]
    if n >= FEWEST and 0 < different < DIFFERENT:
        verb = "row differs" if different == 1 else "rows differ"
        return IntervalEstimate(None, "", why=f"only {different} of {n} {verb} from the others, {DIFFERENT} are needed")
    return _resampled(metric.statistic, (_array(rows),), 0.0, level)


def difference(metric: Metric, stable: Metric, factor: float, level: float = LEVEL) -> IntervalEstimate:
    """Return the interval of ``metric - factor * stable``."""
    if metric is stable:
        return _of_itself(metric, factor, level)
    if metric.replicates is not None and stable.replicates is not None and _same_length(metric, stable):
        return replicated_pair(metric, stable, factor, level)
    if metric.rows is None or stable.rows is None or not _same_length(metric, stable):
        return _unpaired(metric, stable, factor, level)
    if metric.statistic != stable.statistic or metric.statistic in EXTREMES:
        return _unpaired(metric, stable, factor, level)
    if metric.clusters is not None and metric.clusters == stable.clusters:
        return clustered_difference(metric, stable, factor, level)
    return _paired(metric, stable, factor, len(metric.rows), level)


def _of_itself(metric: Metric, factor: float, level: float) -> IntervalEstimate:
    result, method = estimate_metric(metric, level), "stable itself: the same answers"
    if factor == 1:
        return IntervalEstimate(Interval(low=0.0, high=0.0), method)
    return IntervalEstimate(_scaled(result.interval, 1 - factor), method) if result.interval else result


def _paired(metric: Metric, stable: Metric, factor: float, n: int, level: float) -> IntervalEstimate:
    if _is_share(metric) and _is_share(stable):
        return _paired_shares(metric, stable, factor, level)
    share = QUANTILES.get(metric.statistic)
    if share is not None and n * min(share, 1 - share) < BEYOND:
        return _unpaired(metric, stable, factor, level, why=f"of {n} rows too few lie beyond {metric.statistic}")
    return _resampled(metric.statistic, (_array(metric.rows or ()), _array(stable.rows or ())), factor, level)


def shift(result: Interval | None, by: float) -> Interval | None:
    """Return the interval of a figure plus a constant."""
    return Interval(low=result.low + by, high=result.high + by, level=result.level) if result else None


def _resampled(name: str, samples: tuple[Any, ...], factor: float, level: float) -> IntervalEstimate:
    """Resample rows: one sample's statistic, or the first one's minus ``factor`` times the second one's."""
    n = len(samples[0])
    if n < FEWEST:
        return IntervalEstimate(None, "", why=too_few(n))
    of_rows = statistic_named(name)

    def statistic(mine: Any, theirs: Any = None, axis: int = -1) -> Any:
        value = of_rows(mine, axis=axis)
        return value if theirs is None else value - factor * of_rows(theirs, axis=axis)

    result, method = student_interval(name, samples, factor) or interval(statistic, samples)
    pairing = "paired by place: " if len(samples) == 2 else ""
    if not (math.isfinite(result.low) and math.isfinite(result.high)):
        return IntervalEstimate(None, "", why="its rows are too large to be computed with")
    if result.low == result.high and n < ALIKE:
        return IntervalEstimate(None, "", why=f"{n} rows without any difference say little of others, {ALIKE} would")
    return IntervalEstimate(widen(result, float(statistic(*samples)), level), f"{pairing}{method}, {n} rows")


def _paired_shares(metric: Metric, stable: Metric, factor: float, level: float) -> IntervalEstimate:
    mine, theirs = metric.rows or (), stable.rows or ()
    n = len(mine)
    gained = sum(a > b for a, b in zip(mine, theirs, strict=True))
    lost = sum(a < b for a, b in zip(mine, theirs, strict=True))
    pairs = f"paired by place on {n} rows, {gained} gained and {lost} lost: "
    if factor == 1:
        method = f"{pairs}Tango's score interval, as McNemar's test"
        return IntervalEstimate(paired_difference(gained, lost, n, level), method)
    theirs_scaled = _scaled(_limits(stable, level).interval, factor)
    both = _mover(metric.value, _limits(metric, level).interval, factor * stable.value, theirs_scaled)
    return IntervalEstimate(
        both(_correlation(mine, theirs) * math.copysign(1, factor)), f"{pairs}MOVER with their correlation"
    )


def _limits(metric: Metric, level: float) -> IntervalEstimate:
    """Return the interval that MOVER takes of one metric: of a share Wilson's, as in Newcombe's interval."""
    estimate = estimate_metric(metric, level)
    if not (estimate.share and metric.n) or metric.clusters is not None:
        return estimate
    return IntervalEstimate(wilson(metric.value * metric.n, metric.n, level), "Wilson", share=True)


def _unpaired(metric: Metric, stable: Metric, factor: float, level: float, why: str = "") -> IntervalEstimate:
    mine, theirs = _limits(metric, level), _limits(stable, level)
    for result in (mine, theirs):
        if result.interval is None and not result.exact:
            return result
    method = f"not paired, since {why or _why_unpaired(metric, stable)}"
    if mine.exact and theirs.exact:
        return IntervalEstimate(None, f"{method}: taken as exact", exact=True)
    both = _mover(metric.value, mine.interval, factor * stable.value, _scaled(theirs.interval, factor))
    return IntervalEstimate(both(0.0), f"{method}: MOVER")


def _mover(value: float, mine: Interval | None, other_value: float, other: Interval | None) -> Any:
    """Return a function of the correlation: the interval of a difference of two figures from the interval of each.

    G. Y. Zou and A. Donner (2008), Construction of confidence limits about effect measures: a general approach.
    Statistics in Medicine 27, 1693-1702. Of two independent shares it is Newcombe's hybrid score interval (1998).
    """
    low, high = (mine.low, mine.high) if mine else (value, value)
    other_low, other_high = (other.low, other.high) if other else (other_value, other_value)

    def arm(one: float, two: float, correlation: float) -> float:
        if math.isinf(one) or math.isinf(two):
            return math.inf
        return math.sqrt(max(one * one + two * two - 2 * correlation * one * two, 0.0))

    def with_correlation(correlation: float) -> Interval:
        middle = value - other_value
        return Interval(
            low=middle - arm(value - low, other_high - other_value, correlation),
            high=middle + arm(high - value, other_value - other_low, correlation),
        )

    return with_correlation


def _why_unpaired(metric: Metric, stable: Metric) -> str:
    if metric.n is not None and stable.n is not None and metric.n != stable.n:
        return f"stable's is of {stable.n} rows and this one of {metric.n}"
    if any(metric.rows is None and metric.replicates is None for metric in (metric, stable)):
        return "it was recorded without rows"
    return "their rows are of other kinds"


def _same_length(metric: Metric, stable: Metric) -> bool:
    kept = [len(m.rows if m.rows is not None else m.replicates or ()) for m in (metric, stable)]
    return kept[0] == kept[1] and metric.n == stable.n


def _correlation(mine: Sequence[float], theirs: Sequence[float]) -> float:
    import numpy as np  # only the judge needs it

    a, b = _array(mine), _array(theirs)
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def _scaled(result: Interval | None, by: float) -> Interval | None:
    if result is None:
        return None
    low, high = sorted((result.low * by, result.high * by))
    return Interval(low=low, high=high, level=result.level)


def _is_share(metric: Metric) -> bool:
    return metric.statistic == "mean" and metric.rows is not None and set(metric.rows) <= {0.0, 1.0}


def _array(rows: Sequence[float]) -> Any:
    import numpy as np

    return np.asarray(rows, dtype=float)
