"""The estimated accuracy of a classifier without ground truth: how far it is off, also where it must fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from jupyter_deploy.domain.monitoring.confidence import BINS, Confidence, ConfidenceCount, KnownCount, expected_of

from .streams import SEED
from .table import Row

Floats = NDArray[np.float64]

_RELEASE, _START = "a", datetime(2026, 12, 1, tzinfo=UTC)
_STREAMS, _TRAINED, _LIVE = 40, 5_000, 5_000
_WEIGHTS = np.array([1.5, -1.0, 0.5, 0.0])


@dataclass(frozen=True)
class Drifted:
    """Live rows: the shift and the spread of the inputs, and the sign and size of the relation to the classes."""

    shift: float = 0.0
    spread: float = 1.0
    relation: float = 1.0

    def rows(self, rng: np.random.Generator, count: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Draw inputs, which share a half of their variance, and their classes."""
        common = rng.normal(size=(count, 1))
        inputs = self.spread * (common + rng.normal(size=(count, 4))) / np.sqrt(2)
        inputs[:, 0] += self.shift
        chance = 1 / (1 + np.exp(-2 * self.relation * (inputs @ _WEIGHTS)))
        return inputs, rng.random(count) < chance


def error(model: Any, live: Drifted, known: int, seed: int) -> float:
    """Return the estimate less the accuracy, for a model that was trained before the drift.

    Parameters
    ----------
    known
        Rows with ground truth from before the drift.
    """
    rng = np.random.default_rng(SEED + seed)
    model.fit(*Drifted().rows(rng, _TRAINED))
    inputs, classes = live.rows(rng, _LIVE)
    probabilities = model.predict_proba(inputs)
    counts = [
        ConfidenceCount(_START, _RELEASE, number, rows, mean) for number, rows, mean, _ in _bins(probabilities, classes)
    ]
    earlier, actual = Drifted().rows(rng, max(known, 1))
    labelled = [
        KnownCount(_RELEASE, rows, mean, right) for _, rows, mean, right in _bins(model.predict_proba(earlier), actual)
    ]
    (expected,) = expected_of(Confidence(counts, labelled if known else []))
    accuracy = float((probabilities.argmax(axis=1) == classes).mean())
    return expected.accuracy - accuracy


def _bins(probabilities: Floats, classes: NDArray[np.bool_]) -> Iterator[tuple[int, int, float, int]]:
    """Yield the bin, the rows, their mean confidence, and how many were right."""
    largest, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes
    numbers = np.minimum((largest * BINS).astype(int), BINS - 1)
    for number in np.unique(numbers):
        own = numbers == number
        yield int(number), int(own.sum()), float(largest[own].mean()), int(right[own].sum())


def rows() -> Iterator[Row]:
    """Run all scenarios."""
    harder, wider = Drifted(spread=0.5), Drifted(shift=-1.0)
    scenarios = [
        ("a calibrated model (logistic regression), no drift", LogisticRegression(), Drifted(), 0, ""),
        ("the same, inputs nearer to the boundary of the classes", LogisticRegression(), harder, 0, ""),
        ("the same, one input shifted by 1 sd", LogisticRegression(), wider, 0, ""),
        ("an overconfident model (naive Bayes), no drift", GaussianNB(), Drifted(), 0, "probabilities as they are"),
        ("the same, 1,000 rows with ground truth", GaussianNB(), Drifted(), 1_000, ""),
        ("the same, inputs nearer to the boundary of the classes", GaussianNB(), harder, 1_000, ""),
        ("the same, one input shifted by 1 sd", GaussianNB(), wider, 1_000, ""),
        ("a calibrated model, the relation to the classes is half as strong (concept drift)", LogisticRegression(),
         Drifted(relation=0.5), 1_000, _FAILS),
        ("a calibrated model, the relation is reversed (concept drift)", LogisticRegression(), Drifted(relation=-1.0),
         1_000, _FAILS),
    ]  # fmt: skip
    for words, model, live, known, remark in scenarios:
        found = [100 * error(model, live, known, seed) for seed in range(_STREAMS)]
        low, middle, high = np.quantile(found, (0.1, 0.5, 0.9))
        yield Row(words, _FIGURE, "", f"{middle:+.1f} ({low:+.1f} to {high:+.1f})", remark)


_FIGURE = "estimate less accuracy in points: median (10th to 90th percentile)"
_FAILS = "no estimate without ground truth sees it, and the product says so"
