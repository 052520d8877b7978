"""Intervals of metrics: of one metric, and of a candidate's metric minus a multiple of stable's.

==========================================  =====================================================================
zeros and ones, or a share without rows     Wilson's score interval; two on the same rows: Tango's, or MOVER with
                                            their correlation if stable's is multiplied
percentiles                                 order statistics; on the same rows bootstrap, if enough rows lie beyond
means, root mean squares                    bootstrap of the rows (``bootstrap``)
functions of rows                           percentiles of their replicates
figures of different rows                   MOVER of each one's own interval
==========================================  =====================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.evidence.proportions import paired_difference, wilson
from jupyter_deploy.domain.evidence.statistic import EXTREMES, QUANTILES
from jupyter_deploy.domain.validation.validation import Metric

from .bootstrap import interval, of_order, of_replicates, statistic_named

FEWEST = 20
"""Fewer rows are not resampled: they are no reliable evidence about other rows."""

ALIKE = 100
"""From this number of rows on, rows without any difference are accepted: at most 3 % of other rows differ."""

BEYOND = 20
"""A percentile is resampled if this number of rows lies beyond it; the bootstrap of an extreme one is too narrow."""


@dataclass(frozen=True)
class IntervalEstimate:
    """An interval and its method.

    Without an interval the figure is ``exact``, since its variation is unknown, or ``why`` names the missing data. An
    end may be infinite. ``share``: the figure is a share, from 0 to 1.
    """

    interval: Interval | None
    method: str
    exact: bool = False
    why: str = ""
    share: bool = False


def estimate_metric(metric: Metric) -> IntervalEstimate:
    """Return the interval of one metric."""
    if metric.replicates is not None:
        return _replicated(metric.replicates, metric.n or 0, "percentile bootstrap")
    if metric.rows is None:
        if metric.n is None or metric.statistic != "mean" or not 0 <= metric.value <= 1:
            return IntervalEstimate(None, "no rows: taken as exact", exact=True)
        return IntervalEstimate(
            wilson(metric.value * metric.n, metric.n), f"Wilson, as a share of {metric.n} rows", share=True
        )
    return _of_rows(metric, metric.rows)


def _of_rows(metric: Metric, rows: Sequence[float]) -> IntervalEstimate:
    n = len(rows)
    if metric.statistic in EXTREMES:
        return IntervalEstimate(None, f"the {metric.statistic} of {n} rows: taken as exact", exact=True)
    if _is_share(metric):
        return IntervalEstimate(wilson(sum(rows), n), f"Wilson, a share of {n} rows", share=True)
    if metric.statistic in QUANTILES:
        return IntervalEstimate(of_order(rows, QUANTILES[metric.statistic]), f"order statistics, {n} rows")
    return _resampled(statistic_named(metric.statistic), (_array(rows),), "")


def difference(metric: Metric, stable: Metric, factor: float) -> IntervalEstimate:
    """Return the interval of ``metric - factor * stable``."""
    if metric is stable:
        return _of_itself(metric, factor)
    if metric.replicates is not None and stable.replicates is not None and _same_length(metric, stable):
        return _replicated_pair(metric, stable, factor)
    if metric.rows is None or stable.rows is None or not _same_length(metric, stable):
        return _unpaired(metric, stable, factor)
    if metric.statistic != stable.statistic or metric.statistic in EXTREMES:
        return _unpaired(metric, stable, factor)
    return _paired(metric, stable, factor, len(metric.rows))


def _of_itself(metric: Metric, factor: float) -> IntervalEstimate:
    result, method = estimate_metric(metric), "stable itself: the same answers"
    if factor == 1:
        return IntervalEstimate(Interval(low=0.0, high=0.0), method)
    return IntervalEstimate(_scaled(result.interval, 1 - factor), method) if result.interval else result


def _paired(metric: Metric, stable: Metric, factor: float, n: int) -> IntervalEstimate:
    if _is_share(metric) and _is_share(stable):
        return _paired_shares(metric, stable, factor)
    share = QUANTILES.get(metric.statistic)
    if share is not None and n * min(share, 1 - share) < BEYOND:
        return _unpaired(metric, stable, factor, why=f"of {n} rows too few lie beyond {metric.statistic}")
    statistic = statistic_named(metric.statistic)

    def minus(mine: Any, theirs: Any, axis: int = -1) -> Any:
        return statistic(mine, axis=axis) - factor * statistic(theirs, axis=axis)

    return _resampled(minus, (_array(metric.rows or ()), _array(stable.rows or ())), "paired by place: ")


def shift(result: Interval | None, by: float) -> Interval | None:
    """Return the interval of a figure plus a constant."""
    return Interval(low=result.low + by, high=result.high + by, level=result.level) if result else None


def _resampled(statistic: Any, samples: tuple[Any, ...], how: str) -> IntervalEstimate:
    n = len(samples[0])
    if n < FEWEST:
        return IntervalEstimate(None, "", why=_too_few(n))
    result, method = interval(statistic, samples)
    return _accept(result, n, f"{how}{method}, {n} rows")


def _replicated(replicates: Sequence[float], n: int, method: str) -> IntervalEstimate:
    if n < FEWEST:
        return IntervalEstimate(None, "", why=_too_few(n))
    result = of_replicates(replicates)
    if result is None:
        return IntervalEstimate(None, "", why="it could not be computed of most resampled rows")
    return _accept(result, n, f"{method}, {n} rows")


def _replicated_pair(metric: Metric, stable: Metric, factor: float) -> IntervalEstimate:
    pairs = zip(metric.replicates or (), stable.replicates or (), strict=True)
    return _replicated([mine - factor * theirs for mine, theirs in pairs], metric.n or 0, "paired percentile bootstrap")


def _accept(result: Interval, n: int, method: str) -> IntervalEstimate:
    """Accept a finite interval; one without width only if it is of many rows."""
    if not (math.isfinite(result.low) and math.isfinite(result.high)):
        return IntervalEstimate(None, "", why="its rows are too large to be computed with")
    if result.low == result.high and n < ALIKE:
        return IntervalEstimate(None, "", why=f"{n} rows without any difference say little of others, {ALIKE} would")
    return IntervalEstimate(result, method)


def _too_few(n: int) -> str:
    return f"{n} row{' is' if n == 1 else 's are'} too few, {FEWEST} are needed"


def _paired_shares(metric: Metric, stable: Metric, factor: float) -> IntervalEstimate:
    mine, theirs = metric.rows or (), stable.rows or ()
    n = len(mine)
    gained = sum(a > b for a, b in zip(mine, theirs, strict=True))
    lost = sum(a < b for a, b in zip(mine, theirs, strict=True))
    pairs = f"paired by place on {n} rows, {gained} gained and {lost} lost: "
    if factor == 1:
        return IntervalEstimate(paired_difference(gained, lost, n), f"{pairs}Tango's score interval, as McNemar's test")
    both = _mover(
        metric.value,
        estimate_metric(metric).interval,
        factor * stable.value,
        _scaled(estimate_metric(stable).interval, factor),
    )
    return IntervalEstimate(
        both(_correlation(mine, theirs) * math.copysign(1, factor)), f"{pairs}MOVER with their correlation"
    )


def _unpaired(metric: Metric, stable: Metric, factor: float, why: str = "") -> IntervalEstimate:
    mine, theirs = estimate_metric(metric), estimate_metric(stable)
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
