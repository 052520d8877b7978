"""The rows on which an original and its translation are compared."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import ensembles
from .trees import trees_of

_TRAINING = 10_000
_RANDOM = 2_000
_THRESHOLDS = 8_000
_AROUND = 8
_CATEGORIES = 500
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
    categories = _categories(base, generator)
    if len(categories):
        parts["category"] = categories
    return parts


def _categories(base: Any, generator: np.random.Generator) -> Any:
    """Rows with each seen text of a column, one that nobody has seen, and the empty one; none for an array."""
    if not hasattr(base, "columns"):
        return base[:0]
    tables = []
    for name in base.columns:
        if base[name].dtype.kind in "iufb":
            continue
        seen = sorted({str(value) for value in base[name].dropna().unique()[:_CATEGORIES]})
        missing = next(iter(base[name][base[name].isna()]), np.nan)
        texts = [*seen, f"{seen[0]} " if seen else " ", "", missing]
        table = base.iloc[generator.integers(0, len(base), len(texts))].reset_index(drop=True)
        table[name] = table[name].astype(object)
        table[name] = texts
        tables.append(table.astype({name: base[name].dtype}))
    return sys.modules["pandas"].concat(tables, ignore_index=True) if tables else base[:0]


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
    splits = _splits(model)
    if not splits:
        return base[:0]
    chosen = [splits[index] for index in generator.permutation(len(splits))[: _THRESHOLDS // _AROUND]]
    features = np.repeat([feature for feature, _ in chosen], _AROUND)
    values = np.concatenate([_around(threshold) for _, threshold in chosen])
    return _replaced(base, features, values, generator)


def _splits(model: Any) -> list[tuple[int, float]]:
    """The splits of a model's trees by a number, as (column of the input, threshold)."""
    splits: list[tuple[int, float]] = []
    for one in trees_of(model):
        inner = one.tree_.children_left >= 0
        splits += zip(one.tree_.feature[inner].tolist(), one.tree_.threshold[inner].tolist(), strict=True)
    if type(model) in ensembles.kinds():
        columns = ensembles.number_columns(model)
        for tree in ensembles.read(model).trees:
            inner = [node for node, left in enumerate(tree.left) if left >= 0]
            splits += [(columns[tree.feature[node]], tree.threshold[node]) for node in inner
                       if tree.feature[node] in columns]  # fmt: skip
    # A split of missing values alone has an infinite threshold.
    return sorted({one for one in splits if np.isfinite(one[1])})


def _replaced(base: Any, features: Any, values: NDArray[np.float64], generator: np.random.Generator) -> Any:
    """Rows of the base, each with the value of one column replaced."""
    rows = generator.integers(0, len(base), len(values))
    places = np.arange(len(values))
    if not hasattr(base, "columns"):
        table = np.asarray(base, np.float64)[rows]
        table[places, features] = values
        return table
    frame = base.iloc[rows].reset_index(drop=True)
    for feature in sorted(set(features.tolist())):
        name, here = frame.columns[feature], features == feature
        column = frame[name].to_numpy("float64", copy=True, na_value=np.nan)
        column[here] = values[here]
        frame[name] = column
    return frame


def _around(threshold: float) -> NDArray[np.float64]:
    rounded = np.float32(threshold)
    with np.errstate(over="ignore"):  # next to the largest number
        below, above = (np.nextafter(rounded, np.float32(side)) for side in (-np.inf, np.inf))
    return np.array(
        [
            threshold,
            np.nextafter(threshold, np.inf),
            np.nextafter(threshold, -np.inf),
            np.float64(rounded),
            np.float64(above),
            np.float64(below),
            (np.float64(rounded) + np.float64(above)) / 2,  # as far from one number of 32 bits as from the next
            (np.float64(rounded) + np.float64(below)) / 2,
        ]
    )
