"""The detector of a reference whose rows have times: each day against the reference's rows of the same hours. Pure.

A day's requests have some share ``v_s`` in each hour ``s``. Without drift the mean of their distributions is the same
mixture of the hours' distributions, and the reference estimates it by its own rows of these hours: as well as
``m = min_s n_s / v_s`` rows do, the largest sample with this mixture of hours that it contains. A bettor's stake is
multiplied at the end of each day by ``prod_t r(x_t) / q(x_t)``, with a bet ``r`` and the distribution ``q`` near the
mixture that is nearest to ``r`` (``evidence.gains``).

Given the hours, the values of a day are independent, of different distributions ``q_t``. With
``e_t = sum_x q_t(x) r(x) / q(x)`` the expectation of the product is ``prod_t e_t``, at most ``(mean_t e_t)^n`` (the
inequality of the means), and the mean of the ``e_t`` is the expectation under the mean distribution, which is near the
mixture: at most 1. So the wealth at the ends of days is an e-process, however many requests each hour has. Within a
day it is none, since one hour may have more of a value than the mixture: evidence is looked at once a day.

The tolerance of day ``j`` has the part ``6 / (pi j)^2`` of the probability that a reference is further away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import inf, log, pi

from .detector import (
    FALSE_ALARMS,
    OF_REFERENCE,
    Alarm,
    Days,
    DayStart,
    Detector,
    Mark,
    Run,
    Start,
    log_sum,
    start_weight,
    stays,
    tolerance_of_rows,
)
from .evidence import bets, gains
from .hours import LEAST_ROWS_OF_HOUR, Level, hour_of
from .sketch import FeatureSketch


class DailyDetector(Detector):
    """Adds units to a run, and raises alarms at the ends of days.

    Parameters
    ----------
    level
        The hours by which the reference's rows are counted.
    """

    def __init__(self, features: Sequence[FeatureSketch], run: Run, level: Level) -> None:
        super().__init__(features, run)
        self._level: Level = level
        self.days = run.days = run.days or Days()
        rows = [{hour: sum(counts) for hour, counts in feature.hours.items()} for feature in features]
        self._known = {hour for hour in rows[0] if all(of.get(hour, 0) >= LEAST_ROWS_OF_HOUR for of in rows)}
        self._rows = rows
        self._found: Alarm | None = None
        if not self.days.gains:
            self.days.gains = [[0.0] * len(feature.log_bets) for feature in features]

    def takes(self, mark: Mark) -> bool:
        """Whether the reference has enough rows of the hour of a unit; others are no evidence."""
        return self._hour(mark) in self._known

    def begin_block(self, mark: Mark) -> None:
        """End the present day if the next unit is of a later one."""
        days, day = self.days, datetime.fromisoformat(mark.ts).astimezone(UTC).date().toordinal()
        if days.day is not None and day <= days.day:
            return
        if days.hours and days.last is not None:
            self._end_day()
            self._found = self._alarm(days.last)
        days.day, days.hours, days.before = day, {}, [list(counts) for counts in self.run.totals]
        firsts = set(self.run.begins)
        days.starts = [start for start in days.starts if start.block in firsts or stays(start.block, days.count, 2)]
        days.starts.append(
            DayStart(block=days.count, mark=mark, before=days.before, gains=[list(each) for each in days.gains])
        )

    def counted(self, units: int, mark: Mark) -> Alarm | None:
        """Note that units of one hour were added to the totals; return the alarm of the day that ended before them."""
        self.run.units += units
        if (hour := self._hour(mark)) in self._known:
            self.days.hours[hour] = self.days.hours.get(hour, 0) + units
        self.days.last = mark
        found, self._found = self._found, None
        return found

    def bettors(
        self,
        place: int,
        least: float = -inf,
        starts: Sequence[Start] | None = None,  # noqa: ARG002 - few, and quickly judged
    ) -> list[tuple[float, Start]]:
        begin, found = self.run.begins[place], []
        for start in self.days.starts:
            if begin <= start.block < self.days.count:
                won = [now - before for now, before in zip(self.days.gains[place], start.gains[place], strict=True)]
                prior = log(self.weights[place] * start_weight(start.block - begin))
                found.append((log_sum(won) - log(len(won)) + prior, start))
        return [pair for pair in found if pair[0] > least]

    def units_since(self, block: int) -> int:
        start = next(start for start in self.days.starts if start.block == block)
        return round(max(sum(now) - sum(before) for now, before in zip(self.run.totals, start.before, strict=True)))

    def next_begin(self) -> int:
        return self.days.count + 1

    def _hour(self, mark: Mark) -> int:
        return hour_of(datetime.fromisoformat(mark.ts), self._level)

    def _end_day(self) -> None:
        days, units = self.days, sum(self.days.hours.values())
        days.count += 1
        shares = {hour: count / units for hour, count in days.hours.items()}
        chance = FALSE_ALARMS * OF_REFERENCE * 6 / (pi * days.count) ** 2
        for place, feature in enumerate(self._features):
            rows = min(self._rows[place][hour] / share for hour, share in shares.items())
            expected = _mixture(feature, shares, rows)
            tolerance = tolerance_of_rows(rows, len(expected), chance * self.weights[place])
            counts = [now - before for now, before in zip(self.run.totals[place], days.before[place], strict=True)]
            last = range(feature.ordinary, len(expected))
            single = [*last] if feature.is_number else [*range(len(expected))]
            chosen = bets(expected, ordered=feature.ordinary if feature.is_number else 0, single=single)
            for at, bet in enumerate(chosen):
                won = gains(bet, expected, tolerance)
                days.gains[place][at] += sum(count * gain for count, gain in zip(counts, won, strict=True))


def _mixture(feature: FeatureSketch, shares: Mapping[int, float], rows: float) -> list[float]:
    """Return the expected share of each bin, none of them 0, as of a reference of so many rows."""
    mixed = [0.0] * len(feature.counts)
    for hour, share in shares.items():
        counts = feature.hours[hour]
        total = sum(counts)
        mixed = [sum_ + share * count / total for sum_, count in zip(mixed, counts, strict=True)]
    least = [
        (1.0 if at >= feature.ordinary and feature.special[at - feature.ordinary] in ("below", "above") else 0.5)
        for at in range(len(mixed))
    ]
    floored = [max(share, few / rows) for share, few in zip(mixed, least, strict=True)]
    return [share / sum(floored) for share in floored]
