"""Intervals of scores, and of the differences of all pairs of models at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from jupyter_deploy.domain.model_selection.selection import Score
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.validation.interval_estimate import IntervalEstimate
from jupyter_deploy.validation.intervals import difference, estimate_metric

DRAWS = 20_000
_SEED = 20_261_201
_LEAST_VARIANCE = 1e-24


class MaxTIntervals:
    """``domain.model_selection.ports.ScoreIntervals``: intervals of gates, at a level that holds for all pairs."""

    def estimate(self, metric: Metric) -> Score:
        """See ``ScoreIntervals.estimate``."""
        return _score(metric.value, estimate_metric(metric))

    def simultaneous(self, metrics: Sequence[Metric], level: float) -> Callable[[int, int], Score]:
        """See ``ScoreIntervals.simultaneous``."""
        each = simultaneous_level(_parts(metrics), level)

        def of_pair(one: int, other: int) -> Score:
            value = metrics[one].value - metrics[other].value
            return _score(value, difference(metrics[one], metrics[other], 1.0, each))

        return of_pair


def simultaneous_level(parts: Any, level: float) -> float:
    """Return the level of each pair's interval at which the intervals of all pairs hold together at ``level``.

    The max-T method (T. Hothorn, F. Bretz, P. Westfall 2008, Simultaneous inference in general parametric models,
    Biometrical Journal 50, 346-363): the quantile of the largest of all standardised differences, drawn from the normal
    distribution with the estimates' covariance. All pairs, and not those with the best alone, since the same rows
    choose the best. Models with equal answers cost nothing; it is never wider than Bonferroni's correction.

    Parameters
    ----------
    parts
        An array, one row for each model: values in one order with the covariance of the models' estimates, up to a
        factor.
    """
    count = len(parts)
    if count < 3:
        return level
    covariance = np.atleast_2d(np.cov(np.asarray(parts, dtype=float)))
    draws = np.random.default_rng(_SEED).multivariate_normal(
        np.zeros(count), covariance, size=DRAWS, method="eigh", check_valid="ignore"
    )
    largest = np.zeros(DRAWS)
    pairs = 0
    for one in range(count):
        for other in range(one):
            variance = covariance[one, one] + covariance[other, other] - 2 * covariance[one, other]
            if variance <= max(_LEAST_VARIANCE, 1e-12 * (covariance[one, one] + covariance[other, other])):
                continue
            pairs += 1
            np.maximum(largest, np.abs(draws[:, one] - draws[:, other]) / math.sqrt(variance), out=largest)
    if pairs < 2:
        return level
    found = 2 * NormalDist().cdf(float(np.quantile(largest, level))) - 1
    return min(max(found, level), 1 - (1 - level) / pairs)


def _parts(metrics: Sequence[Metric]) -> Any:
    """Return each metric's replicates, or its rows; of root mean squares the rows' influence."""
    found = []
    for metric in metrics:
        values = np.asarray(metric.replicates if metric.replicates is not None else metric.rows, dtype=float)
        if metric.statistic == "rms":
            values = np.square(values) / (2 * metric.value or 1.0)
        found.append(values)
    parts = np.asarray(found)
    return parts[:, np.isfinite(parts).all(axis=0)]


def _score(value: float, estimate: IntervalEstimate) -> Score:
    return Score(value=value, interval=estimate.interval, method=estimate.method, why=estimate.why)
