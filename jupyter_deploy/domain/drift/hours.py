"""Hours of the week or of the day (UTC), in which rows are compared if the reference has their times. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

Level = Literal["hour of the week", "hour of the day"]

LEAST_ROWS_OF_HOUR = 10
"""Requests of an hour of which the reference has fewer rows are no evidence."""

_LEVELS: tuple[tuple[Level, int, int], ...] = (("hour of the week", 7, 4), ("hour of the day", 1, 7))
"""Each level, the days of its cycle, and the cycles that the reference must have."""

_LEAST_HOURS = 2
_LEAST_SHARE = 0.95


def hour_of(moment: datetime, level: Level) -> int:
    """Return the number of a moment's hour: of the week from Monday 0:00, or of the day."""
    at = moment.astimezone(UTC)
    return at.hour + (24 * at.weekday() if level == "hour of the week" else 0)


def level_of(moments: Sequence[datetime]) -> Level | None:
    """Return the finest level at which nearly all rows have enough others of their hour; None: there is none.

    The rows must have several cycles, and more than one hour: dates without a time have one.
    """
    days = {moment.astimezone(UTC).date().toordinal() for moment in moments}
    for level, length, cycles in _LEVELS:
        rows = Counter(hour_of(moment, level) for moment in moments)
        known = [count for count in rows.values() if count >= LEAST_ROWS_OF_HOUR]
        if (
            len({day // length for day in days}) >= cycles
            and len({hour % 24 for hour in rows}) >= _LEAST_HOURS
            and sum(known) >= _LEAST_SHARE * len(moments)
        ):
            return level
    return None
