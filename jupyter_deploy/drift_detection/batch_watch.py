"""A watch that reads many records at once, with numpy over rows and features.

Its state after any records is that of ``Watch.add`` for each of them, to the last digit: sums are made in the records'
order. Records for which a reference is still collected, and images, are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice, repeat

import numpy as np

from jupyter_deploy.domain.drift.detector import BLOCK, pause
from jupyter_deploy.domain.drift.sketch import FeatureSketch, Group
from jupyter_deploy.domain.drift.watch import EVENTS, WINDOW, Constant, Tally, Watch, is_redacted, mark_of
from jupyter_deploy.domain.evidence.inference import CountedRequest

from .batch_columns import (
    Bins,
    Floats,
    Plains,
    Rows,
    bins_of,
    digest_of,
    features_in,
    length_of_last,
    plain_at,
    rows_of,
)
from .batch_detector import BatchDetector

AT_ONCE = 1_000
"""Records of a batch."""

_GROUPS: tuple[Group, ...] = ("inputs", "answers")


class BatchWatch(Watch):
    """A watch that reads records in batches."""

    _detector = BatchDetector

    def add_all(self, records: Iterable[CountedRequest]) -> None:
        """Count records."""
        iterator = iter(records)
        while batch := list(islice(iterator, AT_ONCE)):
            at = 0
            while at < len(batch) and (self.detector is None or self.is_collecting()):
                self.add(batch[at])
                at += 1
            if at < len(batch):
                self._add_batch(batch[at:])

    def _add_batch(self, batch: Sequence[CountedRequest]) -> None:
        entries = self.count(batch)  # the answered records, in this order everywhere below
        if not entries:
            return
        values = [self.rows_of(entry) for entry in entries]
        is_unit = [bool(each["inputs"]) and self._is_new(entry) for each, entry in zip(values, entries, strict=True)]
        units = [entry for entry, one in zip(entries, is_unit, strict=True) if one]
        self.state.units += len(units)
        numbers = np.cumsum(is_unit) - 1  # of the unit that an entry is
        shares = np.zeros((len(units), self._offsets[-1]))
        for group in _GROUPS:
            rows = rows_of([each[group] for each in values], is_unit, group)
            units_of_rows = numbers[rows.entries]
            for place, bins, plains in self._columns_of(group, rows, entries):
                feature, offset = self._features[place], self._offsets[place]
                known = (bins >= 0) & rows.of_units
                width = len(feature.counts)
                keys = units_of_rows[known] * width + bins[known]
                sums = np.bincount(keys, weights=rows.weights[known], minlength=len(units) * width)
                shares[:, offset : offset + width] = sums.reshape(len(units), width)
                self._note_events(feature, bins, rows, entries)
                self._note_constants(feature, plains, np.flatnonzero(known), rows, entries)
        self._count_units(shares, units)

    def _columns_of(
        self, group: Group, rows: Rows, entries: Sequence[CountedRequest]
    ) -> Iterator[tuple[int, Bins, Plains]]:
        """Yield the place of each feature with the bins of its rows (-1: not counted) and their values."""
        if not rows.flat:
            return
        redacted = {entry.redacted for entry in entries} - {()}
        for name, plains in features_in(rows, self._reader.columns(group), self._reader, group, self._image_mean):
            place = self._places.get((group, name))
            if place is None:
                continue
            bins = bins_of(self._features[place], plains)
            hidden = {columns for columns in redacted if is_redacted(name, columns)}
            if hidden:
                bins[[entries[number].redacted in hidden for number in rows.entries]] = -1
            yield place, bins, plains

    def _note_events(self, feature: FeatureSketch, bins: Bins, rows: Rows, entries: Sequence[CountedRequest]) -> None:
        places = np.flatnonzero(bins >= feature.ordinary)
        if not len(places):
            return
        tallies = self.state.events.setdefault(f"{feature.group} {feature.name}", {})
        special, units = bins[places] - feature.ordinary, np.where(rows.of_units, rows.weights, 0.0)[places]
        named = [EVENTS[name] for name in feature.special]
        events = np.array([named.index(event) for event in named])[special]  # below and above are one event
        for event in dict.fromkeys(named):
            found = events == named.index(event)
            if found.any():
                first = entries[rows.entries[places[found][0]]]
                tallies.setdefault(event, Tally()).add(units[found].tolist(), first)

    def _note_constants(
        self, feature: FeatureSketch, plains: Plains, counted: Bins, rows: Rows, entries: Sequence[CountedRequest]
    ) -> None:
        """Note the value that the feature has at the end, and how long it has had it."""
        if not len(counted):
            return
        name = f"{feature.group} {feature.name}"
        last = plain_at(plains, int(counted[-1]))
        if last is None:
            self.state.constants.pop(name, None)
            return
        digest, same = digest_of(last), counted[-length_of_last(plains, counted) :]
        constant = self.state.constants.get(name) if len(same) == len(counted) else None
        if constant is None or constant.value != digest:
            constant = Constant(value=digest, units=1, since=mark_of(entries[rows.entries[same[0]]]))
            self.state.constants[name] = constant
            same = same[1:]
        since = constant.since.request_id
        constant.units += sum(entries[at].request_id != since for at in rows.entries[same].tolist())

    def _count_units(self, shares: Floats, units: Sequence[CountedRequest]) -> None:
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
            step = _units_of_hour(units, at) if run.days else _until_next(run.units)
            end = at + min(len(units) - at, step, WINDOW - state.window_units)
            detector.begin_block(mark_of(units[at]))
            part = shares[at:end]
            if detector.takes(mark_of(units[at])):
                self._add(run.totals, part)
            self._add(state.windows[0], part)
            state.window_units += end - at
            self._keep(detector.counted(end - at, mark_of(units[end - 1])))
            at = end

    def _add(self, counts: list[list[float]], shares: Floats) -> None:
        """Add the shares of units to counts by feature."""
        sums = _sum(np.fromiter(chain.from_iterable(counts), np.float64, self._offsets[-1]), shares)
        for place, of_one in enumerate(counts):
            of_one[:] = sums[self._offsets[place] : self._offsets[place + 1]]

    def _note_periods(self, shares: Floats, units: Sequence[CountedRequest]) -> None:
        """Count the units in their periods."""
        if self.rollup is None or not units:
            return
        moments = [unit.ts for unit in units]
        ends = self.rollup.period_of_values(min(moments)), self.rollup.period_of_values(max(moments))
        same_for_all = ends[0] == ends[1]  # the usual case, as an hour has more requests than a batch
        periods = repeat(ends[0], len(units)) if same_for_all else map(self.rollup.period_of_values, moments)
        at = 0
        for period, same in groupby(periods):
            end = at + sum(1 for _ in same)
            counts = self.rollup.values_of(period, shares.shape[1])
            counts[:] = _sum(np.asarray(counts), shares[at:end])
            at = end


def _until_next(units: int) -> int:
    """Return the units until the next look or the end of the block."""
    step = pause(units + 1) if units < 10 * BLOCK else BLOCK
    return step - units % step


def _units_of_hour(units: Sequence[CountedRequest], at: int) -> int:
    """Return the units from a place on that are of one hour."""
    hour = units[at].ts.timestamp() // 3_600
    return next((end for end in range(at, len(units)) if units[end].ts.timestamp() // 3_600 != hour), len(units)) - at


def _sum(counts: Floats, shares: Floats) -> list[float]:
    """Add rows to counts, one after another as a loop does: numpy sums the first axis in its order."""
    return np.add.reduce(np.vstack((counts, shares)), axis=0).tolist()  # type: ignore[no-any-return]
