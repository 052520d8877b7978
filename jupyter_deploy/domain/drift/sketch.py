"""Sketches of a reference: for each feature the shares of a few bins, without any row. Pure.

A sketch holds a category's label only if at least ``LEAST_ROWS`` rows have it, the others as hashes, and of a text no
word but its CRC-32.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from math import log
from typing import Any, Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value

from .evidence import bets
from .features import Column, ImageMean, Plain, column_of, features_of, flatten, number_of
from .hours import Level

MOST_ROWS = 10_000
"""Rows of the training table that are sampled."""

LEAST_ROWS = 5
_BINS = 10
_LABEL = 64
_HALF = 0.5

Group = Literal["inputs", "answers"]
Special = Literal["below", "above", "new", "missing"]


class FeatureSketch(Value):
    """The reference's distribution of one feature.

    Attributes
    ----------
    edges
        Of a number: a value belongs to the first bin whose edge is not below it; the last bin has no edge.
    labels
        Of a category: the frequent values, one bin each; the last ordinary bin is ``other``.
    known
        CRC-32 of all values of a category.
    counts
        Rows by bin: the ordinary ones, then those of ``special``.
    top_share
        Share of the most frequent value.
    hours
        Rows by bin of each hour that the reference has, if its rows have times.
    """

    name: str
    group: Group
    rows: int
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    known: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    counts: tuple[int, ...]
    top_share: float
    hours: dict[int, tuple[int, ...]] = {}

    @property
    def is_number(self) -> bool:
        """Whether the feature is a number."""
        return self.low is not None

    @property
    def special(self) -> tuple[Special, ...]:
        """The last bins: values that the reference has rarely or never."""
        return ("below", "above", "missing") if self.is_number else ("new", "missing")

    @property
    def ordinary(self) -> int:
        """The number of ordinary bins, which come first."""
        return len(self.counts) - len(self.special)

    @cached_property
    def shares(self) -> list[float]:
        """The reference's share of each bin, none of them 0.

        A value below or above all ``n`` others has the chance ``1 / (n + 1)`` each; an empty bin counts as half a row.
        """
        ends = {self.ordinary + at for at, name in enumerate(self.special) if name in ("below", "above")}
        rows = [float(max(count, 1)) if at in ends else count or _HALF for at, count in enumerate(self.counts)]
        total = sum(rows)
        return [row / total for row in rows]

    @cached_property
    def log_bets(self) -> list[list[float]]:
        """Logarithms of the fixed bets on this feature."""
        last = range(self.ordinary, len(self.counts))
        single = [*last] if self.is_number else [*range(len(self.counts))]
        chosen = bets(self.shares, ordered=self.ordinary if self.is_number else 0, single=single)
        return [[log(max(share, 1e-300)) for share in bet] for bet in chosen]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {label: at for at, label in enumerate(self.labels)}

    @cached_property
    def _known(self) -> frozenset[int]:
        return frozenset(self.known)

    def bin_of(self, value: Plain) -> int:
        """Return the bin of a value."""
        if value is None:
            return len(self.counts) - 1
        if self.low is not None and self.high is not None:
            number = float(value) if not isinstance(value, str) else self.low
            if number < self.low:
                return self.ordinary
            if number > self.high:
                return self.ordinary + 1
            return bisect_left(self.edges, number)
        label = str(value)
        place = self._places.get(label[:_LABEL])
        if place is not None:
            return place
        return len(self.labels) if zlib.crc32(label.encode()) in self._known else self.ordinary

    def bin_names(self) -> list[str]:
        """Return the names of all bins, for people."""
        if not self.is_number:
            return [*self.labels, "other", *self.special]
        ends = [_number(end) for end in (self.low, *self.edges, self.high) if end is not None]
        return [*(f"{low} to {high}" for low, high in pairwise(ends)), *self.special]


class ReferenceSketch(Value):
    """The reference of a release: its columns and their sketches.

    Attributes
    ----------
    origin
        Words for people: the training table, or the first recorded requests.
    recorded
        Groups that are made of recorded requests, not of the training table.
    distinct
        Share of distinct instances among the rows: where nearly all are distinct, equal requests are repetitions.
    level
        The hours by which ``FeatureSketch.hours`` counts; None: the rows have no times, or too few.
    """

    format: Literal[1] = 1
    origin: dict[Group, str]
    rows: int
    distinct: float
    level: Level | None = None
    columns: dict[Group, dict[str, Column]]
    features: tuple[FeatureSketch, ...] = ()
    recorded: tuple[Group, ...] = ()
    notes: tuple[str, ...] = Field(default=(), description="Reasons why a part is missing.")

    @property
    def hourly(self) -> Level | None:
        """The level, if all features have their rows by hour: answers that were recorded later have none."""
        return self.level if all(feature.hours for feature in self.features) else None

    @property
    def of_training(self) -> ReferenceSketch | None:
        """The part that is made of the training table; None: there is none."""
        if not self.recorded:
            return self
        columns = {group: each for group, each in self.columns.items() if group not in self.recorded}
        features = tuple(feature for feature in self.features if feature.group not in self.recorded)
        origin = {group: words for group, words in self.origin.items() if group not in self.recorded}
        changes = {"columns": columns, "features": features, "origin": origin, "recorded": ()}
        return self.model_copy(update=changes) if columns else None


class FeatureReader:
    """Reads the features of instances and answers as the reference's columns define them."""

    def __init__(self, columns: Mapping[Group, Mapping[str, Column]], image_mean: ImageMean | None = None) -> None:
        self._columns = columns
        self._words = {
            (group, name): frozenset(column.words)
            for group, of_group in columns.items()
            for name, column in of_group.items()
        }
        self._image_mean = image_mean

    def columns(self, group: Group) -> Mapping[str, Column]:
        """Return the columns of a group by name."""
        return self._columns.get(group, {})

    def words(self, group: Group, name: str) -> frozenset[int]:
        """Return the known words of a column."""
        return self._words[group, name]

    def read(self, group: Group, value: Any) -> dict[str, Plain]:
        """Return the features of one instance or answer; a column that it lacks is missing."""
        flat = flatten(value, root_of(group))
        found: dict[str, Plain] = {}
        for name, column in self._columns.get(group, {}).items():
            if column.kind == "number":
                found[name] = number_of(flat.get(name))
            else:
                words = self._words[group, name]
                found.update(features_of(name, flat.get(name), column, words, self._image_mean))
        return found


def root_of(group: Group) -> str:
    """Return the name of a group's only column, if its values are single ones."""
    return "input" if group == "inputs" else "answer"


def sketch(
    group: Group,
    values: Sequence[Any],
    *,
    images: Sequence[str] = (),
    image_mean: ImageMean | None = None,
    hours: Sequence[int] = (),
) -> tuple[dict[str, Column], list[FeatureSketch]]:
    """Return the columns and the features' sketches of instances or answers, given as JSON.

    Parameters
    ----------
    images
        Names of the columns of images in base64.
    hours
        The hour of each row; empty: they have no times.
    """
    rows = [flatten(value, root_of(group)) for value in values]
    columns, sketches = {}, []
    for name in dict.fromkeys(name for row in rows for name in row):
        cells = [row.get(name) for row in rows]
        column = column_of(cells, image=name in images)
        if column is None:
            continue
        columns[name] = column
        for feature, plains in _read_column(name, cells, column, image_mean).items():
            half = len(plains) // 2 if feature.endswith(" · known words") else 0
            made = sketch_of(feature, group, plains[half:])
            if made is not None:
                sketches.append(_by_hour(made, plains[half:], hours[half:]))
    return columns, sketches


def _by_hour(made: FeatureSketch, values: Sequence[Plain], hours: Sequence[int]) -> FeatureSketch:
    """Return the sketch with its rows by hour."""
    counts: dict[int, list[int]] = {}
    for value, hour in zip(values, hours, strict=False):
        counts.setdefault(hour, [0] * len(made.counts))[made.bin_of(value)] += 1
    return made.model_copy(update={"hours": {hour: tuple(of) for hour, of in counts.items()}}) if counts else made


def _read_column(
    name: str, cells: Sequence[Any], column: Column, image_mean: ImageMean | None
) -> dict[str, list[Plain]]:
    if column.kind == "number":
        return {name: [number_of(cell) for cell in cells]}
    words = frozenset(column.words)
    read: dict[str, list[Plain]] = {}
    for cell in cells:
        for feature, plain in features_of(name, cell, column, words, image_mean):
            read.setdefault(feature, []).append(plain)
    return read


def sketch_of(name: str, group: Group, values: Sequence[Plain]) -> FeatureSketch | None:
    """Return the sketch of one feature's values; None: all are missing."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], str):
        return _of_labels(name, group, values, Counter(map(str, known)))
    return _of_numbers(name, group, len(values), sorted(map(float, known)))


def _of_numbers(name: str, group: Group, rows: int, ordered: Sequence[float]) -> FeatureSketch:
    count = len(ordered)
    edges = sorted({ordered[count * tenth // _BINS] for tenth in range(1, _BINS)} - {ordered[-1]})
    ends = [0, *(bisect_right(ordered, edge) for edge in edges), count]
    return FeatureSketch(
        name=name,
        group=group,
        rows=rows,
        edges=tuple(edges),
        low=ordered[0],
        high=ordered[-1],
        counts=(*(high - low for low, high in pairwise(ends)), 0, 0, rows - count),
        top_share=_top_share(Counter(ordered)),
    )


def _of_labels(name: str, group: Group, values: Sequence[Plain], counts: Counter[str]) -> FeatureSketch:
    frequent = [(label, count) for label, count in counts.items() if count >= LEAST_ROWS]
    frequent.sort(key=lambda pair: (-pair[1], pair[0]))
    labels = tuple(dict.fromkeys(label[:_LABEL] for label, _ in frequent[: _BINS - 1]))
    made = FeatureSketch(
        name=name,
        group=group,
        rows=len(values),
        labels=labels,
        known=tuple(sorted(zlib.crc32(label.encode()) for label in counts)),
        counts=(0,) * (len(labels) + 1 + 2),
        top_share=_top_share(counts),
    )
    rows = [0] * len(made.counts)
    for label, count in counts.items():
        rows[made.bin_of(label)] += count
    rows[-1] = len(values) - sum(counts.values())
    return FeatureSketch.model_validate(made.model_dump() | {"counts": tuple(rows)})


def _number(value: float) -> str:
    """Format a number with four digits, a large one without an exponent."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def _top_share(counts: Counter[Any]) -> float:
    return round(counts.most_common(1)[0][1] / sum(counts.values()), 6)
