"""The rows of many records by column: their features' values and bins, with numpy.

A value and a bin are those of ``features_of`` and ``FeatureSketch.bin_of``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.drift.features import (
    Column,
    ImageMean,
    Plain,
    features_of,
    flatten,
    is_missing,
    label_of,
    number_of,
)
from jupyter_deploy.domain.drift.sketch import FeatureReader, FeatureSketch, Group, root_of

Bins = NDArray[np.int64]
Floats = NDArray[np.float64]
Plains = Floats | Sequence[Plain]
"""Values of a feature; of numbers NaN is a missing one."""

_NUMBERS = frozenset((float, int, bool, type(None)))


@dataclass
class Rows:
    """The rows of a group of values in a batch.

    Attributes
    ----------
    entries
        The number of each row's record in the batch.
    weights
        1 / the rows of that record.
    of_units
        Whether the record is a unit.
    """

    entries: Bins
    weights: Floats
    of_units: NDArray[np.bool_]
    flat: list[dict[str, Any]]


def rows_of(values: Sequence[Sequence[Any]], is_unit: Sequence[bool], group: Group) -> Rows:
    """Return the rows of records; ``values``: those of each record."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    weights = np.divide(1.0, lengths, out=np.zeros(len(values)), where=lengths > 0)
    root = root_of(group)
    return Rows(
        np.repeat(np.arange(len(values)), lengths),
        np.repeat(weights, lengths),
        np.repeat(np.asarray(is_unit, np.bool_), lengths),
        [flatten(value, root) for value in chain.from_iterable(values)],
    )


def features_in(
    rows: Rows, columns: Mapping[str, Column], reader: FeatureReader, group: Group, image_mean: ImageMean | None
) -> Iterator[tuple[str, Plains]]:
    """Yield the features of the rows: each one's name and values."""
    numbers = [name for name, column in columns.items() if column.kind == "number"]
    yield from zip(numbers, _matrix(rows.flat, numbers), strict=True)
    for name, column in columns.items():
        if column.kind == "number":
            continue
        if column.kind == "category":
            cells = [flat.get(name) for flat in rows.flat]
            yield name, [cell if type(cell) is str and cell else _label(cell) for cell in cells]
            continue
        words, found = reader.words(group, name), dict[str, list[Plain]]()
        for flat in rows.flat:
            for feature, plain in features_of(name, flat.get(name), column, words, image_mean):
                found.setdefault(feature, []).append(plain)
        yield from found.items()


def _matrix(flat: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Floats:
    """Return ``number_of`` each cell, by column and row."""
    if not names or not flat:
        return np.zeros((len(names), len(flat)))
    cells = _cells(flat, names)
    if _NUMBERS.issuperset(map(type, chain.from_iterable(cells))):
        try:
            matrix = np.array(cells, np.float64)  # None becomes NaN
        except OverflowError:
            matrix = _converted(cells)
    else:
        matrix = _converted(cells)
    matrix[~np.isfinite(matrix)] = np.nan
    return np.ascontiguousarray(matrix.T)


def _label(cell: Any) -> str | None:
    return None if is_missing(cell) else label_of(cell)


def _cells(flat: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[tuple[Any, ...]]:
    if len(names) > 1:
        try:
            return list(map(itemgetter(*names), flat))
        except KeyError:
            pass  # some row lacks a column
    return [tuple(map(row.get, names)) for row in flat]


def _converted(cells: Sequence[Sequence[Any]]) -> Floats:
    return np.array([[number_of(cell) for cell in row] for row in cells], np.float64)


def bins_of(feature: FeatureSketch, plains: Plains) -> Bins:
    """Return ``feature.bin_of`` each value."""
    if feature.low is None or feature.high is None:
        values = [plain_at(plains, at) for at in range(len(plains))]
        known = {value: feature.bin_of(value) for value in set(values)}
        return np.fromiter(map(known.__getitem__, values), np.int64, len(values))
    numbers = np.asarray(plains, np.float64)
    bins = np.searchsorted(np.asarray(feature.edges), numbers, side="left").astype(np.int64)
    bins[numbers < feature.low] = feature.ordinary
    bins[numbers > feature.high] = feature.ordinary + 1
    bins[np.isnan(numbers)] = len(feature.counts) - 1
    return bins


def plain_at(plains: Plains, at: int) -> Plain:
    """Return a value."""
    if not isinstance(plains, np.ndarray):
        return plains[at]
    value = float(plains[at])
    return None if value != value else value  # noqa: PLR0124 - NaN is the only value that differs from itself


def length_of_last(plains: Plains, counted: Bins) -> int:
    """Return how many of the last values of those places are equal; the last one is not missing."""
    if isinstance(plains, np.ndarray):
        bits = plains[counted].view(np.int64)  # 0.0 is not -0.0, as in their digests
        others = np.flatnonzero(bits != bits[-1])
        return len(bits) - 1 - int(others[-1]) if len(others) else len(bits)
    last, length = digest_of(plains[counted[-1]]), 1
    for at in counted[-2::-1].tolist():
        if plains[at] is None or digest_of(plains[at]) != last:
            break
        length += 1
    return length


def digest_of(value: Plain) -> int:
    """Return the CRC-32 of a value, as ``Constant`` holds it."""
    return zlib.crc32(repr(value).encode())
