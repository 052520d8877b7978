"""Intervals of functions of rows, such as recall or an area under a curve, by their bootstrap replicates.

Replicates without variation are no certainty: five positives that happen to be recalled give a recall of 1 in every
resample. The rows of the rarer class decide then, by Clopper and Pearson's interval. Replicates that hardly vary are
treated alike: if fewer than ``RARE`` rows went wrong (or right), as estimated from the variance of the replicates, the
exact interval of a share of as many effective rows is joined to theirs.
"""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.validation.validation import Metric

from .bootstrap import computable, of_replicates, widen
from .clusters import widen_for_clusters
from .interval_estimate import ALIKE, FEWEST, IntervalEstimate, too_few
from .shares import clopper_pearson

RARE = 10
"""Effective rows of the rarer outcome below which the replicates' own interval is too narrow."""

_MISSING = "it could not be computed of most resampled rows"


def replicated(metric: Metric, level: float) -> IntervalEstimate:
    """Return the interval of a metric with replicates."""
    import numpy as np  # only the judge needs it

    n = _count(metric)
    if n < FEWEST:
        return IntervalEstimate(None, "", why=too_few(n, "cluster" if metric.clusters else "row"))
    known = computable(metric.replicates or ())
    if known is None:
        return IntervalEstimate(None, "", why=_MISSING)
    method = f"percentile bootstrap, {_of(metric)}"
    if np.ptp(known) == 0:
        return _without_variation(metric, level)
    result = _widened(metric, known, metric.value, level)
    if 0 <= metric.value <= 1 and known.min() >= 0 and known.max() <= 1:
        effective = max(metric.value * (1 - metric.value), 1e-12) / float(known.var())
        if effective * min(metric.value, 1 - metric.value) < RARE:
            exact = clopper_pearson(metric.value * effective, effective, level)
            method += f", joined to Clopper-Pearson of {effective:.0f} effective rows"
            return IntervalEstimate(_joined(result, exact), method)
    return IntervalEstimate(result, method)


def _without_variation(metric: Metric, level: float) -> IntervalEstimate:
    informative = _informative(metric)
    if informative is None or metric.value not in (0.0, 1.0):
        why = "no resample changes it, which says little of other rows"
        return IntervalEstimate(None, "", why=why)
    method = f"no resample changes it: Clopper-Pearson of {informative} {_noun(metric)}"
    return IntervalEstimate(clopper_pearson(metric.value * informative, informative, level), method)


def replicated_pair(metric: Metric, stable: Metric, factor: float, level: float) -> IntervalEstimate:
    """Return the interval of ``metric - factor * stable`` by replicates of the same resampled rows."""
    import numpy as np

    n = _count(metric)
    if n < FEWEST:
        return IntervalEstimate(None, "", why=too_few(n, "cluster" if metric.clusters else "row"))
    mine, theirs = (np.asarray(one.replicates, dtype=float) for one in (metric, stable))
    known = computable((mine - factor * theirs).tolist())
    if known is None:
        return IntervalEstimate(None, "", why=_MISSING)
    informative = _informative(metric)
    if np.ptp(known) == 0 and (n if informative is None else informative) < ALIKE:
        rows = f"{n} rows" if informative is None else f"{informative} {_noun(metric)}"
        return IntervalEstimate(None, "", why=f"{rows} without any difference say little of others, {ALIKE} would")
    result = _widened(metric, known, metric.value - factor * stable.value, level)
    return IntervalEstimate(result, f"paired percentile bootstrap, {_of(metric)}")


def _widened(metric: Metric, known: Any, value: float, level: float) -> Interval:
    result = widen(of_replicates(known), value, level)
    return widen_for_clusters(result, value, _count(metric)) if metric.clusters else result


def _joined(one: Interval, other: Interval) -> Interval:
    return Interval(low=min(one.low, other.low), high=max(one.high, other.high), level=one.level)


def _count(metric: Metric) -> int:
    return len(set(metric.clusters)) if metric.clusters else metric.n or 0


def _informative(metric: Metric) -> int | None:
    """Return the number of rows that decide; of clustered rows at most the number of clusters."""
    if metric.informative is None or not metric.clusters:
        return metric.informative
    return min(metric.informative, len(set(metric.clusters)))


def _noun(metric: Metric) -> str:
    return "rows of the rarer class" if _informative(metric) != metric.n else "rows"


def _of(metric: Metric) -> str:
    clusters = f" in {_count(metric)} clusters" if metric.clusters else ""
    return f"{metric.n} rows{clusters}"
