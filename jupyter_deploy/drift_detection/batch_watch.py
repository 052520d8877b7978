"""A watch that reads many records at once, with numpy over rows and features.

Its state after any records is that of ``Watch.add`` for each of them, to the last digit: sums are made in the records'
order. Records for which a reference is still collected, and images, are read one by one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.drift.detector import BLOCK, Mark, pause
from jupyter_deploy.domain.drift.features import Plain, features_of, flatten, number_of
from jupyter_deploy.domain.drift.sketch import FeatureSketch, Group, root_of
from jupyter_deploy.domain.drift.watch import EVENTS, WINDOW, Constant, Tally, Watch, is_redacted, mark_of
from jupyter_deploy.domain.evidence.inference import Record

AT_ONCE = 1_000
"""Records of a batch."""

_GROUPS: tuple[Group, ...] = ("inputs", "answers")
_PLAIN_NUMBERS = {int, float, bool, type(None)}

Bins = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass
class _Entry:
    """An answered record: its rows by group, and whether it is a unit."""

    record: Record
    values: dict[Group, list[Any]]
    is_unit: bool

    @property
    def mark(self) -> Mark:
        return mark_of(self.record)


@dataclass
class _Rows:
    """The rows of a group in a batch: the number of each one's entry, its weight, and whether that is a unit."""

    entries: Bins
    weights: Floats
    of_units: NDArray[np.bool_]
    flat: list[dict[str, Any]]


class BatchWatch(Watch):
    """A watch that reads records in batches."""

    def add_all(self, records: Iterable[Record]) -> None:
        """Count records."""
        iterator = iter(records)
        while batch := list(islice(iterator, AT_ONCE)):
            at = 0
            while at < len(batch) and (self.detector is None or self.is_collecting()):
                self.add(batch[at])
                at += 1
            if at < len(batch):
                self._add_batch(batch[at:])

    def _add_batch(self, batch: Sequence[Record]) -> None:
        entries = [entry for record in batch if (entry := self._entry(record)) is not None]
        if not entries:
            return
        offsets = np.array(self._offsets, np.int64)
        width = int(offsets[-1])
        shares = np.zeros(len(entries) * width)
        for group in _GROUPS:
            rows = _rows_of(entries, group)
            for place, bins, plains in self._columns_of(group, rows, entries):
                known = bins >= 0
                keys = rows.entries[known] * width + offsets[place] + bins[known]
                shares += np.bincount(keys, weights=rows.weights[known], minlength=len(shares))
                self._note_events(self._features[place], bins, rows, entries)
                self._note_constants(self._features[place], plains, bins, rows, entries)
        units = [number for number, entry in enumerate(entries) if entry.is_unit]
        self._count_units(shares.reshape(len(entries), width)[units], [entries[number] for number in units], offsets)

    def _entry(self, record: Record) -> _Entry | None:
        """Count a record; return it if its rows are to be read."""
        if not self.count(record):
            return None
        values = self.rows_of(record)
        is_unit = bool(values["inputs"]) and self._is_new(record)
        self.state.units += is_unit
        return _Entry(record, values, is_unit)

    def _columns_of(
        self, group: Group, rows: _Rows, entries: Sequence[_Entry]
    ) -> Iterable[tuple[int, Bins, Sequence[Plain]]]:
        """Yield the place of each feature with the bins of its rows (-1: not counted) and their values."""
        redacted = {entry.record.redacted for entry in entries} - {()}
        for name, column in self._reader.columns(group).items():
            cells = [flat.get(name) for flat in rows.flat]
            if column.kind == "number":
                found = {name: _numbers(cells)}
            else:
                words = self._reader.words(group, name)
                found = {}
                for cell in cells:
                    for feature, plain in features_of(name, cell, column, words, self._image_mean):
                        found.setdefault(feature, []).append(plain)
            for feature, plains in found.items():
                place = self._places.get((group, feature))
                if place is None:
                    continue
                bins = _bins_of(self._features[place], plains)
                hidden = {columns for columns in redacted if is_redacted(feature, columns)}
                if hidden:
                    bins[[entries[number].record.redacted in hidden for number in rows.entries]] = -1
                yield place, bins, plains

    def _note_events(self, feature: FeatureSketch, bins: Bins, rows: _Rows, entries: Sequence[_Entry]) -> None:
        for at in np.flatnonzero(bins >= feature.ordinary):
            entry = entries[rows.entries[at]]
            event = EVENTS[feature.special[int(bins[at]) - feature.ordinary]]
            tallies = self.state.events.setdefault(f"{feature.group} {feature.name}", {})
            tallies.setdefault(event, Tally()).add(1, float(rows.weights[at]) * entry.is_unit, entry.mark)

    def _note_constants(
        self, feature: FeatureSketch, plains: Sequence[Plain], bins: Bins, rows: _Rows, entries: Sequence[_Entry]
    ) -> None:
        """Note the value that the feature has at the end, and how long it has had it."""
        counted = np.flatnonzero((bins >= 0) & rows.of_units).tolist()
        if not counted:
            return
        name = f"{feature.group} {feature.name}"
        last = plains[counted[-1]]
        if last is None:
            self.state.constants.pop(name, None)
            return
        digest, first = _digest(last), len(counted) - 1
        while first and (before := plains[counted[first - 1]]) is not None and _digest(before) == digest:
            first -= 1
        constant = self.state.constants.get(name) if first == 0 else None
        if constant is None or constant.value != digest:
            constant = Constant(value=digest, units=1, since=entries[rows.entries[counted[first]]].mark)
            self.state.constants[name] = constant
            first += 1
        since = constant.since.request_id
        constant.units += sum(entries[rows.entries[at]].record.request_id != since for at in counted[first:])

    def _count_units(self, shares: Floats, units: Sequence[_Entry], offsets: Bins) -> None:
        """Add the units' shares up to each moment at which the detector looks, a bettor starts or the window ends."""
        state, detector = self.state, self.detector
        if detector is None:
            return
        self._note_periods(shares, units)
        at = 0
        while at < len(units):
            if state.window_units >= WINDOW:
                self._next_window()
            run = detector.run
            end = at + min(len(units) - at, _until_next(run.units), WINDOW - state.window_units)
            detector.begin_block(units[at].mark)
            part = shares[at:end]
            _add(run.totals, part, offsets)
            _add(state.windows[0], part, offsets)
            state.window_units += end - at
            self._keep(detector.counted(end - at, units[end - 1].mark))
            at = end

    def _note_periods(self, shares: Floats, units: Sequence[_Entry]) -> None:
        """Count the units in their periods."""
        if self.rollup is None:
            return
        periods = [self.rollup.period_of_values(unit.record.ts) for unit in units]
        at = 0
        for period, same in groupby(periods):
            end = at + sum(1 for _ in same)
            counts = self.rollup.values_of(period, shares.shape[1])
            counts[:] = np.cumsum(np.vstack((np.asarray(counts), shares[at:end])), axis=0)[-1].tolist()
            at = end


def _until_next(units: int) -> int:
    """Return the units until the next look or the end of the block."""
    step = pause(units + 1) if units < 10 * BLOCK else BLOCK
    return step - units % step


def _add(counts: list[list[float]], shares: Floats, offsets: Bins) -> None:
    """Add the shares of units to counts by feature, one after another as a loop does."""
    flat = np.concatenate([np.asarray(of_one) for of_one in counts])
    sums = np.cumsum(np.vstack((flat, shares)), axis=0)[-1]
    for place, of_one in enumerate(counts):
        of_one[:] = sums[offsets[place] : offsets[place + 1]].tolist()


def _rows_of(entries: Sequence[_Entry], group: Group) -> _Rows:
    lengths = [len(entry.values[group]) for entry in entries]
    weights = [1 / length if length else 0.0 for length in lengths]
    return _Rows(
        np.repeat(np.arange(len(entries)), lengths),
        np.repeat(np.asarray(weights), lengths),
        np.repeat(np.asarray([entry.is_unit for entry in entries]), lengths),
        [flatten(value, root_of(group)) for entry in entries for value in entry.values[group]],
    )


def _numbers(cells: Sequence[Any]) -> list[Plain]:
    if set(map(type, cells)) <= {float}:
        return [cell if isfinite(cell) else None for cell in cells]
    return [number_of(cell) for cell in cells]


def _bins_of(feature: FeatureSketch, plains: Sequence[Plain]) -> Bins:
    """Return ``feature.bin_of`` of each value."""
    if feature.low is None or feature.high is None:
        known: dict[Plain, int] = {plain: feature.bin_of(plain) for plain in set(plains)}
        return np.asarray([known[plain] for plain in plains], np.int64)
    values = np.asarray(plains, np.float64)
    bins = np.searchsorted(np.asarray(feature.edges), values, side="left").astype(np.int64)
    bins[values < feature.low] = feature.ordinary
    bins[values > feature.high] = feature.ordinary + 1
    bins[np.isnan(values)] = len(feature.counts) - 1
    return bins


def _digest(value: Plain) -> int:
    return zlib.crc32(repr(value).encode())
