"""A detector that finds the bettors whose evidence may count for all features at once, with numpy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.drift.detector import Detector, Run, Start, log_sum, start_weight
from jupyter_deploy.domain.drift.sketch import FeatureSketch

Floats = NDArray[np.float64]

_ROUNDING = 1e-6
"""More than the bounds of both can differ by rounding: a bettor that is kept here is judged by ``Detector``."""


class BatchDetector(Detector):
    """A detector with the alarms of ``Detector``, to the last digit.

    Without drift most bettors have too little evidence to count. ``most_log_evidence`` says so for one bettor and
    feature; here it is computed for all of them.
    """

    def __init__(self, features: Sequence[FeatureSketch], run: Run) -> None:
        super().__init__(features, run)
        sizes = [len(feature.counts) for feature in features]
        self._sizes = np.array(sizes)
        self._offsets = np.array([0, *accumulate(sizes)][:-1])
        self._roots = np.sqrt(np.array([share for feature in features for share in feature.shares]))
        self._edges = np.arccos(1 - np.square(np.array(self.tolerances)))
        self._before: dict[int, Floats] = {}

    def evidence(self, least: float = -inf) -> tuple[float, list[float]]:
        if least == -inf:
            return super().evidence()
        starts = self.run.starts
        possible = self._bounds(starts) > least - _ROUNDING
        parts = [-inf] * len(self._features)
        for place in np.flatnonzero(possible.any(axis=0)).tolist():
            few = [starts[at] for at in np.flatnonzero(possible[:, place])]
            parts[place] = log_sum(each for each, _ in self.bettors(place, least, few))
        return log_sum(parts), parts

    def _bounds(self, starts: Sequence[Start]) -> Floats:
        """Return an upper bound of the log-evidence with its weight, by bettor and feature."""
        totals = np.fromiter(chain.from_iterable(self.run.totals), np.float64)
        counts = np.maximum(totals - self._counts_before(starts), 0.0)
        sums = np.add.reduceat(counts, self._offsets, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            roots = np.sqrt(counts / np.repeat(sums, self._sizes, axis=1))
            angles = np.arccos(np.minimum(np.add.reduceat(roots * self._roots, self._offsets, axis=1), 1.0))
            towards, stay = np.sin(self._edges) / np.sin(angles), np.sin(angles - self._edges) / np.sin(angles)
            edges = np.repeat(towards, self._sizes, axis=1) * roots
            edges += np.repeat(stay, self._sizes, axis=1) * self._roots
            gains = np.where(counts > 0, counts * np.log(roots / edges), 0.0)
            bounds = 2 * np.add.reduceat(gains, self._offsets, axis=1)
        bounds[~((sums > 0) & (angles > self._edges))] = -inf
        return np.asarray(bounds + self._log_weights(starts))

    def _counts_before(self, starts: Sequence[Start]) -> Floats:
        known = self._before
        self._before = {
            start.block: known[start.block]
            if start.block in known
            else np.fromiter(chain.from_iterable(start.before), np.float64)
            for start in starts
        }
        return np.array(list(self._before.values()))

    def _log_weights(self, starts: Sequence[Start]) -> Floats:
        """Return the logarithm of each bettor's weight by feature; ``-inf``: it began before the feature's run."""
        begins, places = np.unique(np.array(self.run.begins), return_inverse=True)
        weights = [
            [log(start_weight(start.block - begin)) if start.block >= begin else -inf for begin in begins.tolist()]
            for start in starts
        ]
        return np.asarray(np.array(weights)[:, places] + np.log(np.array(self.weights)))
