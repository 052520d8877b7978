"""Drift of streams with cycles, against a reference whose rows have times: false alarms, and days until an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np

from jupyter_deploy.domain.drift.daily import DailyDetector
from jupyter_deploy.domain.drift.detector import FALSE_ALARMS, Mark, Run
from jupyter_deploy.domain.drift.hours import hour_of, level_of
from jupyter_deploy.domain.drift.sketch import FeatureSketch

from .drift import Rows, bins_of, sketch_of_column
from .streams import SEED, percent
from .table import Row

_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Cycles:
    """A stream with a daily cycle of ± 0.5 sd, and with ``weekly`` 0.5 sd more at weekends."""

    features: int
    days_of_reference: int = 10
    rows_of_reference: int = 10_000
    live_days: int = 5
    rows_a_day: int = 1_000
    weekly: bool = False
    shift: float = 0.0

    def days_until_alarm(self, seed: int) -> int | None:
        """Return the live days until the first alarm; None: there is none."""
        rng = np.random.default_rng(SEED + seed)
        times = _times(rng, self.days_of_reference, self.rows_of_reference, _MONDAY)
        table, level = self._rows(rng, times, 0.0), level_of(times)
        if level != ("hour of the week" if self.weekly else "hour of the day"):
            raise RuntimeError(f"the reference is counted by {level}")
        hours = np.array([hour_of(moment, level) for moment in times])
        features = [_by_hour(sketch_of_column(str(at), column), column, hours) for at, column in enumerate(table.T)]
        detector = DailyDetector(features, Run(), level)
        begin = _MONDAY + timedelta(weeks=-(-self.days_of_reference // 7))
        live = _times(rng, self.live_days, self.live_days * self.rows_a_day, begin)
        bins = bins_of(features, self._rows(rng, live, self.shift))
        at = 0
        for _, of_hour in groupby(live, key=lambda moment: (moment.date(), moment.hour)):
            moments = list(of_hour)
            end = at + len(moments)
            counts = [
                np.bincount(of[at:end], minlength=len(feature.counts)).tolist()
                for feature, of in zip(features, bins, strict=True)
            ]
            if detector.add_many(counts, len(moments), Mark(request_id="r", ts=moments[0].isoformat())) is not None:
                return (moments[0] - begin).days
            at = end
        return None

    def _rows(self, rng: np.random.Generator, times: list[datetime], shift: float) -> Rows:
        hours = np.array([moment.hour + moment.minute / 60 for moment in times])
        mean = 0.5 * np.sin(hours * np.pi / 12)
        if self.weekly:
            mean += 0.5 * np.array([moment.weekday() >= 5 for moment in times])
        rows = rng.normal(size=(len(times), self.features)) + mean[:, None]
        rows[:, 0] += shift
        return rows


def _times(rng: np.random.Generator, days: int, count: int, since: datetime) -> list[datetime]:
    return [since + timedelta(days=float(at)) for at in np.sort(rng.random(count) * days)]


def _by_hour(feature: FeatureSketch, column: Rows, hours: Rows) -> FeatureSketch:
    (bins,) = bins_of([feature], column[:, None])
    counts = {
        int(hour): tuple(np.bincount(bins[hours == hour], minlength=len(feature.counts)).tolist())
        for hour in np.unique(hours)
    }
    return feature.model_copy(update={"hours": counts})


def rows() -> Iterator[Row]:
    """Measure false alarms, then delays."""
    weekly = {"weekly": True, "days_of_reference": 56}
    recorded = {"days_of_reference": 7, "rows_of_reference": 1_000, "rows_a_day": 143}
    for streams, words, cycles in (
        (1_000, "3 features, 10,000 reference rows of 10 days", Cycles(3)),
        (100, "3 features, 10,000 reference rows of 10 days, 30 days of traffic", Cycles(3, live_days=30)),
        (200, "3 features, a weekly cycle too, 10,000 reference rows of 8 weeks", Cycles(3, live_days=14, **weekly)),
        (1_000, "3 features, the first 1,000 requests of 7 days, then 30 days", Cycles(3, live_days=30, **recorded)),
    ):
        alarms = sum(cycles.days_until_alarm(seed) is not None for seed in range(streams))
        name = f"{streams:,} streams with a daily cycle of ± 0.5 sd and no drift, rows with times: {words}"
        yield Row(name, "any alarm", f"≤ {percent(FALSE_ALARMS)}", percent(alarms / streams))
    for words, cycles in (
        ("0.2 sd in 1 of 10 features", Cycles(10, live_days=15, shift=0.2)),
        ("0.5 sd in 1 of 10 features", Cycles(10, live_days=7, shift=0.5)),
        ("1 sd in 1 of 10 features", Cycles(10, live_days=3, shift=1.0)),
        ("0.5 sd in 1 of 10 features, a weekly cycle too", Cycles(10, live_days=14, shift=0.5, **weekly)),
    ):
        found = [cycles.days_until_alarm(seed) for seed in range(12)]
        days = [float("inf") if each is None else each for each in found]
        low, middle, high = np.quantile(days, (0.1, 0.5, 0.9), method="nearest")
        observed = f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
        remark = f"{sum(each is not None for each in found)} of 12 streams"
        figure = "days of 1,000 rows until the alarm: median (10th to 90th percentile)"
        yield Row(f"rows with times, a daily cycle of ± 0.5 sd, {words}", figure, "", observed, remark)
