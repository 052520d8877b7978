"""Rows at the thresholds of trees, next to them, and half-way to the next number of 32 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import ensembles
from .trees import trees_of

_THRESHOLDS = 8_000
_AROUND = 8


def threshold_rows(model: Any, base: Any, generator: np.random.Generator) -> Any:
    """Rows with one feature at a split of a tree, or next to it in 32 or 64 bits; none for other models.

    Of a pipeline the splits are in the space of its last step, so there are none.
    """
    return rows_at(_splits(model), base, generator)


def rows_at(splits: Sequence[tuple[int, float]], base: Any, generator: np.random.Generator) -> Any:
    """Rows of the base with one number at a split, as (column of the input, threshold), or next to it."""
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
