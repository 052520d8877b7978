"""A release's requests and values by period: minutes, later hours, later days. Pure.

Each record is counted in one period. ``fold`` adds old periods to longer ones, so the counts of a year stay small, and
a look at any range reads no record. Latencies are counted in buckets whose edges grow by 4 %, so a quantile is off by
2 % at most (C. Masson, J. Rim, H. Lee 2019, DDSketch, PVLDB 12).
"""

from __future__ import annotations

import json
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import ceil, exp, log
from typing import Any

from jupyter_deploy.domain.evidence.inference import CountedRequest
from jupyter_deploy.domain.evidence.record_pages import TimeBucket

MINUTE, HOUR, DAY = 60, 3_600, 86_400

KEPT = ((MINUTE, 26 * HOUR), (HOUR, 35 * DAY))
"""Lengths of the periods of requests, and the age in seconds up to which they stay; older ones are days."""

KEPT_OF_VALUES = ((HOUR, 8 * DAY),)
"""The same for the values of features, which are many more numbers."""

SHADOW, CLIENTS = "shadow", "clients"
"""The role whose requests are copies, and the name of all others together."""

_GROWTH = log(1.04)
_LEAST_MS = 1e-3
_QUANTILES = (0.5, 0.95, 0.99)

Period = tuple[int, int]
"""A period's begin (seconds since 1970, UTC) and its length in seconds."""


@dataclass
class Requests:
    """The requests of a period: sums of ``1 / sample``; ``latencies``: answers of status 200 by bucket."""

    requests: float = 0.0
    errors: float = 0.0
    refused: float = 0.0
    latencies: dict[int, int] = field(default_factory=dict)

    def add(self, other: Requests) -> None:
        """Add the requests of another period."""
        self.requests += other.requests
        self.errors += other.errors
        self.refused += other.refused
        for bucket, count in other.latencies.items():
            self.latencies[bucket] = self.latencies.get(bucket, 0) + count

    def quantiles(self) -> tuple[float | None, ...]:
        """Return the median, the 95th and the 99th percentile in milliseconds; None: no answer."""
        total, ordered = sum(self.latencies.values()), sorted(self.latencies.items())
        return tuple(_quantile(ordered, ceil(share * total)) if total else None for share in _QUANTILES)


class Rollup:
    """The counts of a release by period.

    Parameters
    ----------
    now
        The age of a record decides the length of its period.

    Attributes
    ----------
    requests
        By period and role.
    values
        By period: the counts of the watch's clusters by feature and bin, one list for all features.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now.timestamp()
        self.requests: dict[tuple[Period, str], Requests] = {}
        self.values: dict[Period, list[float]] = {}

    def add_all(self, records: Iterable[CountedRequest]) -> None:
        """Count requests."""
        for record in records:
            key = (self._period(record.ts.timestamp(), KEPT), record.role)
            found = self.requests.get(key)
            if found is None:
                found = self.requests[key] = Requests()
            weight, status = 1 / (record.sample or 1.0), record.status
            found.requests += weight
            if status == 200:
                bucket = bucket_of(record.latency_ms)
                found.latencies[bucket] = found.latencies.get(bucket, 0) + 1
            elif status >= 500:
                found.errors += weight
            elif 400 <= status <= 498:
                found.refused += weight

    def period_of_values(self, moment: datetime) -> Period:
        """Return the period in which the values of a record of this moment are counted."""
        return self._period(moment.timestamp(), KEPT_OF_VALUES)

    def values_of(self, period: Period, width: int) -> list[float]:
        """Return the counts of a period, to be added to; ``width``: the number of all bins."""
        found = self.values.get(period)
        if found is None or len(found) != width:
            found = self.values[period] = [0.0] * width
        return found

    def fold(self) -> None:
        """Add the periods that are too old for their length to longer ones."""
        for (period, role), counts in list(self.requests.items()):
            longer = self._period(period[0], KEPT)
            if longer[1] > period[1]:
                del self.requests[period, role]
                self.requests.setdefault((longer, role), Requests()).add(counts)
        for period, values in list(self.values.items()):
            longer = self._period(period[0], KEPT_OF_VALUES)
            if longer[1] > period[1]:
                del self.values[period]
                sums = self.values_of(longer, len(values))
                sums[:] = map(float.__add__, sums, values)

    def _period(self, moment: float, kept: Sequence[tuple[int, int]]) -> Period:
        age = self._now - moment
        for seconds, most in kept:  # a loop: ``next`` of a generator takes three times as long, for each record
            if age < most:
                return int(moment // seconds) * seconds, seconds
        return int(moment // DAY) * DAY, DAY

    def text(self) -> str:
        """Return all counts as one line of JSON."""
        requests = [
            [*period, role, c.requests, c.errors, c.refused, [part for pair in c.latencies.items() for part in pair]]
            for (period, role), c in self.requests.items()
        ]
        values = [[*period, b64encode(array("d", counts).tobytes()).decode()] for period, counts in self.values.items()]
        return json.dumps({"requests": requests, "values": values}, separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str | bytes, now: datetime) -> Rollup:
        """Return the counts that ``text`` returned.

        Raises
        ------
        ValueError
            It is something else.
        """
        rollup = cls(now)
        try:
            document: Mapping[str, Any] = json.loads(text)
            for start, seconds, role, requests, errors, refused, flat in document["requests"]:
                latencies = dict(zip(flat[::2], flat[1::2], strict=True))
                rollup.requests[(start, seconds), role] = Requests(requests, errors, refused, latencies)
            for start, seconds, encoded in document["values"]:
                counts = array("d")
                counts.frombytes(b64decode(encoded))
                rollup.values[start, seconds] = counts.tolist()
        except (TypeError, KeyError, IndexError) as error:
            raise ValueError("not the counts of a rollup") from error
        return rollup


def bucket_of(milliseconds: float) -> int:
    """Return the bucket of a latency."""
    return ceil(log(max(milliseconds, _LEAST_MS)) / _GROWTH)


def first_of(rollup: Rollup) -> datetime | None:
    """Return the begin of the earliest period with requests; None: there is none."""
    starts = [period[0] for period, _ in rollup.requests]
    return datetime.fromtimestamp(min(starts), UTC) if starts else None


def buckets_of(rollup: Rollup, release: str, since: datetime, until: datetime, every: timedelta) -> list[TimeBucket]:
    """Return the requests of a range in spans of one length, by begin and role, without empty ones.

    A period belongs to the span in which it begins.
    """
    spans = _spans([rollup], since, until, every)
    return [_bucket(since + place * every, release, role, counts) for (place, role), counts in sorted(spans.items())]


def clients_of(
    rollups: Iterable[Rollup], since: datetime, until: datetime, every: timedelta
) -> tuple[list[TimeBucket], Requests]:
    """Return the requests of clients to all releases together, in spans without empty ones, and those of the range."""
    spans: dict[int, Requests] = {}
    total = Requests()
    for (place, role), counts in _spans(rollups, since, until, every).items():
        if role != SHADOW:
            spans.setdefault(place, Requests()).add(counts)
            total.add(counts)
    return [_bucket(since + place * every, "", CLIENTS, counts) for place, counts in sorted(spans.items())], total


def _spans(
    rollups: Iterable[Rollup], since: datetime, until: datetime, every: timedelta
) -> dict[tuple[int, str], Requests]:
    """Return the requests by the number of their span and by role."""
    width, first, last = every.total_seconds(), since.timestamp(), until.timestamp()
    spans: dict[tuple[int, str], Requests] = {}
    for rollup in rollups:
        for ((start, seconds), role), counts in rollup.requests.items():
            if start + seconds > first and start < last:
                place = max(int((start - first) // width), 0)
                spans.setdefault((place, role), Requests()).add(counts)
    return spans


def _bucket(start: datetime, release: str, role: str, counts: Requests) -> TimeBucket:
    p50, p95, p99 = counts.quantiles()
    return TimeBucket(
        start=start,
        release=release,
        role=role,
        requests=round(counts.requests),
        errors=round(counts.errors),
        refused=round(counts.refused),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )


def values_in(rollup: Rollup, since: datetime, until: datetime) -> tuple[list[float], datetime, datetime] | None:
    """Return the counts of a range's values, and the begin and the end of the periods with them; None: none."""
    periods = [
        (start, seconds)
        for start, seconds in rollup.values
        if start + seconds > since.timestamp() and start < until.timestamp()
    ]
    if not periods:
        return None
    sums = [0.0] * len(rollup.values[periods[0]])
    for period in periods:
        sums = list(map(float.__add__, sums, rollup.values[period]))
    ends = min(start for start, _ in periods), max(start + seconds for start, seconds in periods)
    return sums, datetime.fromtimestamp(ends[0], UTC), datetime.fromtimestamp(ends[1], UTC)


def _quantile(ordered: Sequence[tuple[int, int]], rank: int) -> float:
    below = accumulate(count for _, count in ordered)
    bucket = next(bucket for (bucket, _), so_far in zip(ordered, below, strict=True) if so_far >= rank)
    return round(2 * exp(_GROWTH * bucket) / (exp(_GROWTH) + 1), 4)
