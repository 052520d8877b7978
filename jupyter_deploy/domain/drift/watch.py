"""The watch over one release: recorded requests become counts, evidence and alarms, each record once. Pure.

The unit is a cluster, as in a comparison: the requests of one ``x-sticky-key``, else those of equal inputs if nearly
all rows of the reference are distinct; else each request. A cluster counts with its first request: by the shares of
its first ``MOST_ROWS_OF_REQUEST`` rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from hashlib import blake2b
from itertools import accumulate
from operator import add
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jupyter_deploy.domain.base import duration_in_words
from jupyter_deploy.domain.evidence.inference import CountedRequest
from jupyter_deploy.domain.monitoring.rollup import Rollup

from .daily import DailyDetector
from .detector import Alarm, Detector, Mark, Run
from .features import ImageMean, Plain
from .hours import hour_of, level_of
from .sketch import FeatureReader, Group, ReferenceSketch, sketch

FIRST_REQUESTS = 1_000
"""Units that become the reference if there is none."""

ROLES = ("stable", "canary", "shadow")
REFUSALS = (400, 413, 415, 422)
MOST_ROWS_OF_REQUEST = 100
CLUSTER_BITS = 1 << 23
"""Bits of the table of known clusters: of four million clusters about a fifth is taken for known ones by chance."""

WINDOW = 1_000
"""The present distribution is that of the last 1,000 to 2,000 units."""

_KEPT_ALARMS = 100
_DISTINCT = 0.9

Event = Literal["new", "missing", "out of range"]
EVENTS: dict[str, Event] = {"new": "new", "missing": "missing", "below": "out of range", "above": "out of range"}


class Tally(BaseModel):
    """A number of rows (or requests), their units, and the first of them."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    count: int = 0
    units: float = 0.0
    first: Mark | None = None

    def add(self, units: Sequence[float], first: CountedRequest) -> None:
        """Count rows or requests by the units of each; ``first``: the record of the first one."""
        self.count += len(units)
        self.units = reduce(add, units, self.units)  # ``sum`` rounds otherwise since Python 3.12
        self.first = self.first or mark_of(first)


class Constant(BaseModel):
    """The present value of a feature, as CRC-32, and the units since it last changed."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    value: int
    units: int
    since: Mark


class WatchState(BaseModel):
    """All that the watch over a release knows.

    Attributes
    ----------
    images
        Names of the columns of images.
    pending
        Instances and answers that will become the reference; removed once there are enough.
    pending_times
        The time of each of them.
    windows
        Counts by feature and bin: of the present window and of the one before it.
    files
        By segment: bytes that were read; -1: the segment is complete.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    version: Literal[1] = 1
    reference: ReferenceSketch | None = None
    images: tuple[str, ...] = ()
    pending: dict[Group, list[Any]] = {"inputs": [], "answers": []}
    pending_times: dict[Group, list[datetime]] = {}
    requests: int = 0
    rows: int = 0
    units: int = 0
    without_inputs: int = 0
    refusals: Tally = Tally()
    first: Mark | None = None
    last: Mark | None = None
    run: Run = Run()
    alarms: list[Alarm] = []
    alarm_count: int = 0
    windows: list[list[list[float]]] = []
    window_units: int = 0
    events: dict[str, dict[Event, Tally]] = {}
    constants: dict[str, Constant] = {}
    files: dict[str, int] = Field(default={})


class Watch:
    """Adds records to a state.

    Parameters
    ----------
    clusters
        The table of known clusters: ``CLUSTER_BITS`` bits. It is changed in place.
    rollup
        The counts by period, to be added to; None: they are not kept.
    """

    _detector: type[Detector] = Detector

    def __init__(
        self,
        state: WatchState,
        clusters: bytearray,
        image_mean: ImageMean | None = None,
        rollup: Rollup | None = None,
    ) -> None:
        self.state = state
        self.rollup = rollup
        self._clusters = clusters
        self._image_mean = image_mean
        self._begin(state.reference)

    def add(self, record: CountedRequest) -> None:
        """Count a record."""
        if not self.count([record]):
            return
        mark = mark_of(record)
        values = self.rows_of(record)
        is_unit = bool(values["inputs"]) and self._is_new(record)
        self.state.units += is_unit
        bins = self._read(values, record, mark, is_unit=is_unit)
        if is_unit:
            self._count(bins, mark)
            self._note_values(bins, record)
            self._collect(values, record.ts)

    def count(self, records: Iterable[CountedRequest]) -> list[CountedRequest]:
        """Count requests; return those whose rows are to be read."""
        counted = [record for record in records if record.role in ROLES]
        if not counted:
            return []
        state, answered = self.state, [record for record in counted if record.status == 200]
        if self.rollup is not None:
            self.rollup.add_all(counted)
        state.requests += len(counted)
        state.first = state.first or mark_of(counted[0])
        state.last = mark_of(counted[-1])
        refused = [record for record in counted if record.status in REFUSALS]
        if refused:
            state.refusals.add([1.0] * len(refused), refused[0])
        read = [record for record in answered if isinstance(record.inputs, list)]
        state.without_inputs += len(answered) - len(read)
        state.rows += sum(len(record.inputs) for record in read)
        return read

    @staticmethod
    def rows_of(record: CountedRequest) -> dict[Group, list[Any]]:
        """Return the rows of an answered request that count."""
        answers = record.outputs[:MOST_ROWS_OF_REQUEST] if isinstance(record.outputs, list) else []
        return {"inputs": record.inputs[:MOST_ROWS_OF_REQUEST], "answers": answers}

    def is_collecting(self) -> bool:
        """Whether requests may still become a part of the reference."""
        known = self.state.reference.columns if self.state.reference else {}
        return not {"inputs", "answers"} <= known.keys()

    def _begin(self, reference: ReferenceSketch | None) -> None:
        features = reference.features if reference else ()
        self._features = features
        self._offsets = [0, *accumulate(len(feature.counts) for feature in features)]
        self._reader = FeatureReader(reference.columns if reference else {}, self._image_mean)
        self._places = {(feature.group, feature.name): at for at, feature in enumerate(features)}
        state = self.state
        if len(state.run.totals) != len(features):  # a group of features was added: its evidence begins now
            state.run, state.windows, state.window_units = Run(), [], 0
            if self.rollup is not None:
                self.rollup.values.clear()
        self.detector: Detector | None = None
        if reference is not None and features:
            self.detector = detector_of(reference, state.run, self._detector)
        if not state.windows:
            state.windows = [[[0.0] * len(feature.counts) for feature in features] for _ in range(2)]

    def _is_new(self, record: CountedRequest) -> bool:
        reference = self.state.reference
        if record.cluster is not None:
            key = f"k{record.cluster}"
        elif record.inputs_digest is not None and (reference is None or reference.distinct >= _DISTINCT):
            key = f"i{record.inputs_digest}"
        else:
            return True
        place = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little") % CLUSTER_BITS
        byte, bit = place >> 3, 1 << (place & 7)
        if self._clusters[byte] & bit:
            return False
        self._clusters[byte] |= bit
        return True

    def _read(
        self, parts: Mapping[Group, Sequence[Any]], record: CountedRequest, mark: Mark, *, is_unit: bool
    ) -> dict[int, dict[int, float]]:
        """Return the shares of the request's rows by feature and bin; note missing, new and constant values."""
        bins: dict[int, dict[int, float]] = {}
        for group, values in parts.items():
            weight = 1 / len(values) if values else 0.0
            for value in values:
                for name, plain in self._reader.read(group, value).items():
                    place = self._places.get((group, name))
                    if place is None or is_redacted(name, record.redacted):
                        continue
                    feature = self._features[place]
                    one = feature.bin_of(plain)
                    shares = bins.setdefault(place, {})
                    shares[one] = shares.get(one, 0.0) + weight
                    if one >= feature.ordinary:
                        event = EVENTS[feature.special[one - feature.ordinary]]
                        tallies = self.state.events.setdefault(f"{group} {name}", {})
                        tallies.setdefault(event, Tally()).add([weight * is_unit], record)
                    if is_unit:
                        self._note_constant(f"{group} {name}", plain, mark)
        return bins

    def _note_constant(self, name: str, value: Plain, mark: Mark) -> None:
        if value is None:  # missing values have their own count
            self.state.constants.pop(name, None)
            return
        digest = zlib.crc32(repr(value).encode())
        constant = self.state.constants.get(name)
        if constant is None or constant.value != digest:
            self.state.constants[name] = Constant(value=digest, units=1, since=mark)
        elif mark.request_id != constant.since.request_id:
            constant.units += 1

    def _count(self, bins: Mapping[int, Mapping[int, float]], mark: Mark) -> None:
        state = self.state
        if self.detector is None:
            return
        if state.window_units >= WINDOW:
            self._next_window()
        state.window_units += 1
        for place, shares in bins.items():
            for one, share in shares.items():
                state.windows[0][place][one] += share
        self._keep(self.detector.add(bins, mark))

    def _note_values(self, bins: Mapping[int, Mapping[int, float]], record: CountedRequest) -> None:
        """Count a unit in its period."""
        if self.rollup is None or self.detector is None:
            return
        counts = self.rollup.values_of(self.rollup.period_of_values(record.ts), self._offsets[-1])
        for place, shares in bins.items():
            for one, share in shares.items():
                counts[self._offsets[place] + one] += share

    def _next_window(self) -> None:
        empty = [[0.0] * len(feature.counts) for feature in self._features]
        self.state.windows, self.state.window_units = [empty, self.state.windows[0]], 0

    def _keep(self, alarm: Alarm | None) -> None:
        if alarm is not None:
            self.state.alarm_count += 1
            self.state.alarms = [*self.state.alarms, alarm][-_KEPT_ALARMS:]

    def _collect(self, values: Mapping[Group, Sequence[Any]], at: datetime) -> None:
        """Collect the first rows of the units, and make the missing reference of them once they are enough."""
        state = self.state
        for group, rows in values.items():
            known = state.reference.columns if state.reference else {}
            if group in known or not rows:
                continue
            pending, times = state.pending.setdefault(group, []), state.pending_times.setdefault(group, [])
            pending.append(rows[0])
            times.append(at)
            if len(pending) >= FIRST_REQUESTS:
                made = self._recorded(group, pending, times)
                state.reference = _joined(state.reference, made)
                pending.clear()
                times.clear()
                self._begin(state.reference)

    def _recorded(self, group: Group, rows: Sequence[Any], times: Sequence[datetime]) -> ReferenceSketch:
        """Return a reference of recorded rows: by hour, if their times suffice and the other group has these hours."""
        other = self.state.reference
        whole = len(times) == len(rows)  # else the first of them were collected by a version without times
        level = level_of(times) if whole else None
        if other is not None and other.level != level:
            level = None
        span = f", of {_span_in_words(max(times) - min(times))}" if whole else ""
        made = reference_of(
            {group: rows},
            {group: f"the first {len(rows):,} recorded requests{span}, {'with' if level else 'without'} their times"},
            images=self.state.images,
            image_mean=self._image_mean,
            moments=times if level else (),
        )
        return made.model_copy(update={"recorded": (group,)})


def _span_in_words(span: timedelta) -> str:
    seconds = span.total_seconds()
    unit = next((unit for unit in (86_400, 3_600, 60) if seconds >= unit), 1)
    return duration_in_words(round(seconds / unit) * unit)


def detector_of(reference: ReferenceSketch, run: Run, usual: type[Detector] = Detector) -> Detector:
    """Return the detector for a reference; ``usual``: that of one without hours."""
    if reference.hourly is not None:
        return DailyDetector(reference.features, run, reference.hourly)
    return usual(reference.features, run)


def mark_of(record: CountedRequest) -> Mark:
    """Return the mark of a record."""
    return Mark(request_id=record.request_id, ts=record.ts.isoformat())


def reference_of(
    rows: Mapping[Group, Sequence[Any]],
    origin: Mapping[Group, str],
    *,
    images: Sequence[str] = (),
    image_mean: ImageMean | None = None,
    notes: Iterable[str] = (),
    moments: Sequence[datetime] = (),
) -> ReferenceSketch:
    """Return the reference of instances and of answers, given as JSON.

    Parameters
    ----------
    moments
        The time of each instance; the answers are those to the first ones. Empty: unknown.
    """
    columns, features = {}, []
    level = level_of(moments[: min(map(len, rows.values()), default=0)])
    hours = [hour_of(moment, level) for moment in moments] if level else []
    for group, values in rows.items():
        columns[group], sketches = sketch(
            group, values, images=images if group == "inputs" else (), image_mean=image_mean, hours=hours
        )
        features += sketches
    inputs = rows.get("inputs", ())
    return ReferenceSketch(
        origin=dict(origin),
        rows=max(map(len, rows.values()), default=0),
        distinct=round(len(set(map(_identity, inputs))) / len(inputs), 4) if inputs else 1.0,
        level=level,
        columns=columns,
        features=tuple(features),
        notes=tuple(notes),
    )


def _identity(instance: Any) -> Any:
    try:
        return hash(tuple(instance.values())) if isinstance(instance, dict) else repr(instance)
    except TypeError:  # a nested list
        return repr(instance)


def _joined(left: ReferenceSketch | None, right: ReferenceSketch) -> ReferenceSketch:
    if left is None:
        return right
    ours = left if "inputs" in left.columns else right
    return left.model_copy(
        update={
            "origin": left.origin | right.origin,
            "rows": max(left.rows, right.rows),
            "distinct": ours.distinct,
            "recorded": (*left.recorded, *right.recorded),
            "columns": left.columns | right.columns,
            "features": (*left.features, *right.features),
        }
    )


def is_redacted(name: str, redacted: Sequence[str]) -> bool:
    return any(name == column or name.startswith((f"{column}.", f"{column} · ")) for column in redacted)
