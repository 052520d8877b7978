"""The rows on which an original and its translation are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .trees import trees_of

_TRAINING = 10_000
_RANDOM = 2_000
_THRESHOLDS = 5_000
_SEED = 20261201


def proof_rows(model: Any, example: Any, training: Any) -> dict[str, Any]:
    """Return tables by origin: the example, a sample of the training table, random rows, and the thresholds of trees.

    The sample and the random rows are seeded, so that a second translation compares the same ones.
    """
    generator = np.random.default_rng(_SEED)
    parts = {"example": example}
    base = example
    if training is not None and _fits(training, example):
        rows = generator.permutation(len(training))[:_TRAINING]
        base = training.iloc[rows] if hasattr(training, "iloc") else np.asarray(training)[rows]
        base = base[list(example.columns)] if hasattr(example, "columns") else base
        parts["training"] = base
    parts["random"] = _random(base, generator)
    thresholds = _thresholds(model, base, generator)
    if len(thresholds):
        parts["threshold"] = thresholds
    return parts


def _fits(training: Any, example: Any) -> bool:
    """Whether the training table has the example's columns."""
    if getattr(training, "ndim", None) != 2:
        return False
    if hasattr(example, "columns"):
        return hasattr(training, "iloc") and set(example.columns) <= set(training.columns)
    return not hasattr(training, "columns") and training.shape[1] == example.shape[1]


def _random(base: Any, generator: np.random.Generator) -> Any:
    """Rows whose numbers are uniform within the seen range, and whose other values are seen ones, each by itself."""
    if not hasattr(base, "columns"):
        values = np.asarray(base, np.float64)
        return generator.uniform(np.nanmin(values, axis=0), np.nanmax(values, axis=0), (_RANDOM, values.shape[1]))
    frame = base.iloc[generator.integers(0, len(base), _RANDOM)].reset_index(drop=True).copy()
    for name in frame.columns:
        kind = frame[name].dtype.kind
        seen = base[name].dropna()
        if kind == "f" and len(seen):
            frame[name] = generator.uniform(seen.min(), seen.max(), _RANDOM)
        else:
            frame[name] = base[name].iloc[generator.integers(0, len(base), _RANDOM)].to_numpy()
    return frame


def _thresholds(model: Any, base: Any, generator: np.random.Generator) -> Any:
    """Rows with one feature at a split of a tree, or next to it in 32 or 64 bits; none for other models.

    Of a pipeline the splits are in the space of its last step, so there are none.
    """
    splits: list[tuple[int, float]] = []
    for tree in trees_of(model):
        # A split of missing values alone has an infinite threshold.
        inner = (tree.tree_.children_left >= 0) & np.isfinite(tree.tree_.threshold)
        splits += zip(tree.tree_.feature[inner].tolist(), tree.tree_.threshold[inner].tolist(), strict=True)
    if not splits:
        return base[:0]
    chosen = [splits[index] for index in generator.permutation(len(splits))[: _THRESHOLDS // 5]]
    features = np.repeat([feature for feature, _ in chosen], 5)
    values = np.concatenate([_around(threshold) for _, threshold in chosen])
    rows = generator.integers(0, len(base), len(values))
    if not hasattr(base, "columns"):
        table = np.asarray(base, np.float64)[rows]
        table[np.arange(len(values)), features] = values
        return table
    frame = base.iloc[rows].reset_index(drop=True).astype("float64")
    table = frame.to_numpy(copy=True)  # a frame's own array may be read-only
    table[np.arange(len(values)), features] = values
    return type(frame)(table, columns=frame.columns)


def _around(threshold: float) -> NDArray[np.float64]:
    rounded = np.float32(threshold)
    return np.array(
        [
            threshold,
            np.nextafter(threshold, np.inf),
            np.float64(rounded),
            np.float64(np.nextafter(rounded, np.float32(np.inf))),
            np.float64(np.nextafter(rounded, np.float32(-np.inf))),
        ]
    )
