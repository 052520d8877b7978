"""Intervals of what was measured: of one metric, and of a candidate's metric minus a multiple of stable's.

==========================================  =====================================================================
zeros and ones, or a share without rows     Wilson's score interval; two on the same rows: Tango's, or MOVER with
                                            their correlation where stable's is multiplied
percentiles                                 order statistics; on the same rows resampled, where enough rows lie beyond
means, root mean squares                    resampled rows (``resampling``)
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
"""Fewer rows are not resampled: what a handful says of others is not to be relied on."""

ALIKE = 100
"""Of so many rows without any difference it is believed that there is little: at most 3 % of others differ."""

BEYOND = 20
"""A percentile is resampled where so many rows lie beyond it; the bootstrap of an extreme one is too sure."""


@dataclass(frozen=True)
class Made:
    """An interval and how it was made.

    Without one the figure is ``exact``, as nothing says how it would vary, or ``why`` says what is missing for one. An
    end may be infinite. ``share``: the figure is one, from 0 to 1.
    """

    interval: Interval | None
    method: str
    exact: bool = False
    why: str = ""
    share: bool = False


def own(metric: Metric) -> Made:
    """The interval of one metric."""
    if metric.replicates is not None:
        return _replicated(metric.replicates, metric.n or 0, "percentile bootstrap")
    if metric.rows is None:
        if metric.n is None or metric.statistic != "mean" or not 0 <= metric.value <= 1:
            return Made(None, "no rows: taken as exact", exact=True)
        return Made(wilson(metric.value * metric.n, metric.n), f"Wilson, as a share of {metric.n} rows", share=True)
    return _of_rows(metric, metric.rows)


def _of_rows(metric: Metric, rows: Sequence[float]) -> Made:
    n = len(rows)
    if metric.statistic in EXTREMES:
        return Made(None, f"the {metric.statistic} of {n} rows: taken as exact", exact=True)
    if _is_share(metric):
        return Made(wilson(sum(rows), n), f"Wilson, a share of {n} rows", share=True)
    if metric.statistic in QUANTILES:
        return Made(of_order(rows, QUANTILES[metric.statistic]), f"order statistics, {n} rows")
    return _resampled(statistic_named(metric.statistic), (_array(rows),), "")


def difference(found: Metric, stable: Metric, factor: float) -> Made:
    """The interval of ``found - factor * stable``; of a metric and itself there is nothing to estimate."""
    if found is stable:
        return _of_itself(found, factor)
    if found.replicates is not None and stable.replicates is not None and _same_length(found, stable):
        return _replicated_pair(found, stable, factor)
    if found.rows is None or stable.rows is None or not _same_length(found, stable):
        return _unpaired(found, stable, factor)
    if found.statistic != stable.statistic or found.statistic in EXTREMES:
        return _unpaired(found, stable, factor)
    return _paired(found, stable, factor, len(found.rows))


def _of_itself(metric: Metric, factor: float) -> Made:
    made, method = own(metric), "stable itself: the same answers"
    if factor == 1:
        return Made(Interval(low=0.0, high=0.0), method)
    return Made(_scaled(made.interval, 1 - factor), method) if made.interval else made


def _paired(found: Metric, stable: Metric, factor: float, n: int) -> Made:
    if _is_share(found) and _is_share(stable):
        return _paired_shares(found, stable, factor)
    share = QUANTILES.get(found.statistic)
    if share is not None and n * min(share, 1 - share) < BEYOND:
        return _unpaired(found, stable, factor, why=f"of {n} rows too few lie beyond {found.statistic}")
    statistic = statistic_named(found.statistic)

    def minus(mine: Any, theirs: Any, axis: int = -1) -> Any:
        return statistic(mine, axis=axis) - factor * statistic(theirs, axis=axis)

    return _resampled(minus, (_array(found.rows or ()), _array(stable.rows or ())), "paired by place: ")


def shifted(made: Interval | None, by: float) -> Interval | None:
    """The interval of a figure plus a constant."""
    return Interval(low=made.low + by, high=made.high + by, level=made.level) if made else None


def _resampled(statistic: Any, samples: tuple[Any, ...], how: str) -> Made:
    n = len(samples[0])
    if n < FEWEST:
        return Made(None, "", why=_too_few(n))
    made, method = interval(statistic, samples)
    return _believed(made, n, f"{how}{method}, {n} rows")


def _replicated(replicates: Sequence[float], n: int, method: str) -> Made:
    if n < FEWEST:
        return Made(None, "", why=_too_few(n))
    made = of_replicates(replicates)
    if made is None:
        return Made(None, "", why="it could not be computed of most resampled rows")
    return _believed(made, n, f"{method}, {n} rows")


def _replicated_pair(found: Metric, stable: Metric, factor: float) -> Made:
    pairs = zip(found.replicates or (), stable.replicates or (), strict=True)
    return _replicated([mine - factor * theirs for mine, theirs in pairs], found.n or 0, "paired percentile bootstrap")


def _believed(made: Interval, n: int, method: str) -> Made:
    """No width is no certainty, unless it is of many rows; what is not finite is none at all."""
    if not (math.isfinite(made.low) and math.isfinite(made.high)):
        return Made(None, "", why="its rows are too large to be computed with")
    if made.low == made.high and n < ALIKE:
        return Made(None, "", why=f"{n} rows without any difference say little of others, {ALIKE} would")
    return Made(made, method)


def _too_few(n: int) -> str:
    return f"{n} row{' is' if n == 1 else 's are'} too few, {FEWEST} are needed"


def _paired_shares(found: Metric, stable: Metric, factor: float) -> Made:
    mine, theirs = found.rows or (), stable.rows or ()
    n = len(mine)
    gained = sum(a > b for a, b in zip(mine, theirs, strict=True))
    lost = sum(a < b for a, b in zip(mine, theirs, strict=True))
    pairs = f"paired by place on {n} rows, {gained} gained and {lost} lost: "
    if factor == 1:
        return Made(paired_difference(gained, lost, n), f"{pairs}Tango's score interval, as McNemar's test")
    both = _mover(found.value, own(found).interval, factor * stable.value, _scaled(own(stable).interval, factor))
    return Made(both(_correlation(mine, theirs) * math.copysign(1, factor)), f"{pairs}MOVER with their correlation")


def _unpaired(found: Metric, stable: Metric, factor: float, why: str = "") -> Made:
    mine, theirs = own(found), own(stable)
    for made in (mine, theirs):
        if made.interval is None and not made.exact:
            return made
    method = f"not paired, since {why or _why_unpaired(found, stable)}"
    if mine.exact and theirs.exact:
        return Made(None, f"{method}: taken as exact", exact=True)
    both = _mover(found.value, mine.interval, factor * stable.value, _scaled(theirs.interval, factor))
    return Made(both(0.0), f"{method}: MOVER")


def _mover(value: float, mine: Interval | None, other_value: float, other: Interval | None) -> Any:
    """The interval of a difference of two figures from the interval of each, by their correlation.

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


def _why_unpaired(found: Metric, stable: Metric) -> str:
    if found.n is not None and stable.n is not None and found.n != stable.n:
        return f"stable's is of {stable.n} rows and this one of {found.n}"
    if any(metric.rows is None and metric.replicates is None for metric in (found, stable)):
        return "it was recorded without rows"
    return "their rows are of other kinds"


def _same_length(found: Metric, stable: Metric) -> bool:
    kept = [len(m.rows if m.rows is not None else m.replicates or ()) for m in (found, stable)]
    return kept[0] == kept[1] and found.n == stable.n


def _correlation(mine: Sequence[float], theirs: Sequence[float]) -> float:
    import numpy as np  # only who judges needs it

    a, b = _array(mine), _array(theirs)
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def _scaled(made: Interval | None, by: float) -> Interval | None:
    if made is None:
        return None
    low, high = sorted((made.low * by, made.high * by))
    return Interval(low=low, high=high, level=made.level)


def _is_share(metric: Metric) -> bool:
    return metric.statistic == "mean" and metric.rows is not None and set(metric.rows) <= {0.0, 1.0}


def _array(rows: Sequence[float]) -> Any:
    import numpy as np

    return np.asarray(rows, dtype=float)
