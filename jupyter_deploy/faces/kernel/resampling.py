"""Bootstrap replicates of functions of rows, which only the notebook's kernel can call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

REPLICATES = 1000
_SEED = 20_261_125


def distinct_counts(values: Any) -> dict[Any, int]:
    """Count the values of an array of labels; empty: they are no labels."""
    try:
        found, counts = np.unique(values, return_counts=True) if values.ndim == 1 else ((), ())
        return dict(zip(np.asarray(found).tolist(), np.asarray(counts).tolist(), strict=True))
    except TypeError:  # labels of several types have no order
        return {}


def rarer_class(arrays: list[Any], clusters: Any) -> int:
    """Return the number of rows, or clusters with such rows, of the rarest class in arrays of two classes.

    Without such an array all rows count.
    """
    least = len(arrays[0]) if clusters is None else len(np.unique(clusters))
    for values in arrays:
        counts = distinct_counts(values)
        if len(counts) != 2:
            continue
        for label in counts:
            members = values == label
            least = min(least, int(members.sum()) if clusters is None else len(np.unique(clusters[members])))
    return least


def replicates_of(statistic: Callable[..., Any], arrays: list[Any], count: int, clusters: Any) -> Any:
    """Calculate the statistic of ``REPLICATES`` resamples of the rows, or of whole clusters, with replacement.

    The choice of rows depends only on the seed and their number: replicate i has the same rows in every run with as
    many rows, so that a candidate's replicates and stable's are paired. NaN: the statistic raised or gave no number,
    such as for a resample without one of the classes.
    """
    import warnings

    draws = np.random.Generator(np.random.PCG64([_SEED, count]))
    groups = None if clusters is None else [np.flatnonzero(clusters == code) for code in np.unique(clusters)]
    found = np.full(REPLICATES, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same warning for each resample
        for at in range(REPLICATES):
            if groups is None:
                rows = draws.integers(count, size=count)
            else:
                rows = np.concatenate([groups[each] for each in draws.integers(len(groups), size=len(groups))])
            try:
                number = float(statistic(*(each[rows] for each in arrays)))
            except Exception:  # noqa: BLE001, S112 - the user's function, on rows that the user did not choose
                continue
            found[at] = number if math.isfinite(number) else np.nan
    return found
