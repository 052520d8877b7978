"""Cron expressions: when a schedule is due. Pure; the moments have the time zone of what is given."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import islice, takewhile

from cronsim import CronSim, CronSimError

from jupyter_deploy.domain.errors import InvalidInput

MOST_COUNTED = 1000
"""Moments of a schedule that are counted; more are as many."""

_FIELDS = 5
_ONLY_OF_SOME = re.compile(r"[#LW]|/0")
_NAMED = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
_EXAMPLE = "write minute, hour, day of the month, month and day of the week, such as '0 3 * * *': each night at 3"


def check_schedule(text: str) -> str:
    """Return a cron expression in its plain form: five fields, without extensions of some crons.

    Raises
    ------
    InvalidInput
        It is none, or it is never due.
    """
    plain = " ".join(_NAMED.get(text.strip().lower(), text).split())
    words = re.sub(r"JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT", "", plain.upper())
    if len(plain.split()) != _FIELDS or _ONLY_OF_SOME.search(words):
        raise InvalidInput(f"'{text}' is no schedule", _EXAMPLE)
    try:
        next(CronSim(plain, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise InvalidInput(f"'{text}' is no schedule: {str(error).lower()}", _EXAMPLE) from error
    except StopIteration:
        raise InvalidInput(f"the schedule '{text}' is never due", _EXAMPLE) from None
    return plain


def next_due(schedule: str, after: datetime) -> datetime:
    """Return the first moment after another one."""
    return next(CronSim(schedule, after))


def latest_due(schedule: str, until: datetime) -> datetime:
    """Return the last moment that is not after another one."""
    # Backwards it begins with the given second, unless that has no fraction.
    return next(CronSim(schedule, until.replace(microsecond=1), reverse=True))


def count_due(schedule: str, after: datetime, until: datetime) -> int:
    """Return how many moments come after one and not after the other, at most ``MOST_COUNTED``."""
    moments = takewhile(lambda moment: moment <= until, CronSim(schedule, after))
    return sum(1 for _ in islice(moments, MOST_COUNTED))
