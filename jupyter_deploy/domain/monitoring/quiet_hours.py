"""Hours in which no notification is sent: ``22:00-07:00``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time

from jupyter_deploy.domain.errors import InvalidInput

_TIME = r"((?:[01]\d|2[0-3]):[0-5]\d)"
_HOURS = re.compile(rf"\s*{_TIME}\s*-\s*{_TIME}\s*")


@dataclass(frozen=True)
class QuietHours:
    """From a time of day to another, over midnight if that is earlier; in the machine's local time."""

    begin: time
    end: time

    def contains(self, moment: datetime) -> bool:
        """Whether a moment, in local time, lies in the quiet hours."""
        clock = moment.time()
        if self.begin <= self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end


def parse_quiet_hours(text: str) -> QuietHours:
    """Parse two times of day.

    Raises
    ------
    InvalidInput
        The text has another form, or no length.
    """
    match = _HOURS.fullmatch(text)
    if match is None or match[1] == match[2]:
        raise InvalidInput(f"'{text}' are no quiet hours", "write two times of day, such as 22:00-07:00")
    return QuietHours(time.fromisoformat(match[1]), time.fromisoformat(match[2]))
