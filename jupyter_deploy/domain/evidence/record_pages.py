"""What people look at of an endpoint's records: a page of a list, and how it went over time."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput

from .inference import Record

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})?")


class RecordKey(NamedTuple):
    """What tells one record from all others, also after its segment was compacted; records are listed in its order.

    ``ts`` has nanoseconds, ``2026-11-25 12:00:00.123456789``: two workers seldom begin in the same one.
    """

    ts: str
    request_id: str
    pair_id: str
    release: str
    role: str

    @property
    def text(self) -> str:
        """For an address: letters, digits, ``-`` and ``_`` alone."""
        return base64.urlsafe_b64encode(json.dumps(self).encode()).decode().rstrip("=")

    @classmethod
    def parsed(cls, text: str) -> RecordKey:
        """The key that ``text`` is of.

        Raises
        ------
        InvalidInput
            It is none.
        """
        try:
            parts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, RecursionError):
            parts = None
        known = isinstance(parts, list) and len(parts) == len(cls._fields) and all(isinstance(p, str) for p in parts)
        if not known or not _MOMENT.fullmatch(parts[0]):
            raise InvalidInput(
                f"'{text[:80]}' is no record's key", "take a 'key', or for the next page 'next', from the list"
            )
        return cls(*parts)


class RecordFilter(Value):
    """Which records are meant; None, or an empty ``text``: any.

    ``text`` is looked for in inputs, outputs and errors, whatever its case.
    """

    since: datetime | None = None
    role: str | None = None
    status: int | None = None
    release: str | None = None
    text: str = ""


class RecordSummary(Value):
    """A record as a list shows it: ``input`` and ``output`` are the beginning of the first instance's JSON.

    Both are empty where they were not recorded (``bare``).
    """

    key: str
    request_id: str
    pair_id: str
    ts: datetime
    release: str
    role: str
    status: int
    latency_ms: float
    rows: int
    input: str
    output: str
    error: str
    bare: bool


class RecordPage(Value):
    """Newest first. ``total`` of all that match; ``next``: where the next page begins; ``unreadable`` lines of all."""

    heads: tuple[RecordSummary, ...]
    total: int
    next: str | None
    unreadable: int = 0


class TimeBucket(Value):
    """What one release answered in one role from ``start`` on, for as long as was asked for.

    ``errors`` are answers of 500 and above; latencies are of what was answered with 200.
    """

    start: datetime
    release: str
    role: str
    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Pair(Value):
    """One request: the record that was asked for, and all that answered it, it among them: clients' answer first."""

    record: Record
    answers: Sequence[Record]
