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
    cells = _cells(rows.flat, list(columns))
    numbers = [name for name, column in columns.items() if column.kind == "number"]
    yield from zip(numbers, _matrix([cells[name] for name in numbers]), strict=True)
    for name, column in columns.items():
        if column.kind == "number":
            continue
        if column.kind == "category":
            yield name, [cell if type(cell) is str and cell else _label(cell) for cell in cells[name]]
            continue
        words, found = reader.words(group, name), dict[str, list[Plain]]()
        for cell in cells[name]:
            for feature, plain in features_of(name, cell, column, words, image_mean):
                found.setdefault(feature, []).append(plain)
        yield from found.items()


def _cells(flat: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return the rows' values by column; None: a row lacks it."""
    if len(names) > 1:
        try:
            return dict(zip(names, zip(*map(itemgetter(*names), flat), strict=True), strict=True))
        except KeyError:
            pass  # some row lacks a column
    return {name: [row.get(name) for row in flat] for name in names}


def _matrix(columns: Sequence[Sequence[Any]]) -> Floats:
    """Return ``number_of`` each value, by column and row."""
    if not columns:
        return np.zeros((0, 0))
    if _NUMBERS.issuperset(map(type, chain.from_iterable(columns))):
        try:
            matrix = np.array(columns, np.float64)  # None becomes NaN
        except OverflowError:
            matrix = _converted(columns)
    else:
        matrix = _converted(columns)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix


def _label(cell: Any) -> str | None:
    return None if is_missing(cell) else label_of(cell)


def _converted(columns: Sequence[Sequence[Any]]) -> Floats:
    return np.array([[number_of(cell) for cell in column] for column in columns], np.float64)


def bins_of(feature: FeatureSketch, plains: Plains) -> Bins:
    """Return ``feature.bin_of`` each value."""
    if feature.low is None or feature.high is None:
        known = {value: feature.bin_of(value) for value in set(plains)}
        return np.fromiter(map(known.__getitem__, plains), np.int64, len(plains))
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
