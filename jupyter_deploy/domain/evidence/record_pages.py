"""Pages of an endpoint's records, and time series of its requests."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput

from .inference import Record

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})?")


class RecordKey(NamedTuple):
    """The unique key of a record, also after compaction; records are listed in the order of their keys.

    ``ts`` has nanoseconds, ``2026-11-25 12:00:00.123456789``: two requests seldom begin in the same one.
    """

    ts: str
    request_id: str
    pair_id: str
    release: str
    role: str

    @property
    def text(self) -> str:
        """Return the key for an address, in letters, digits, ``-`` and ``_``."""
        return base64.urlsafe_b64encode(json.dumps(self).encode()).decode().rstrip("=")

    @classmethod
    def parsed(cls, text: str) -> RecordKey:
        """Parse a key.

        Raises
        ------
        InvalidInput
            ``text`` is not a key.
        """
        try:
            parts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, RecursionError):
            parts = None
        known = isinstance(parts, list) and len(parts) == len(cls._fields) and all(isinstance(p, str) for p in parts)
        if not known or not _MOMENT.fullmatch(parts[0]):
            raise InvalidInput(
                f"'{text[:80]}' is not a record's key", "take a 'key', or for the next page 'next', from the list"
            )
        return cls(*parts)


RecordOrder = Literal["newest", "difference"]
"""``difference``: only requests with different answers, those that differ most first (``answer_distance.distance``)."""


class RecordRange(NamedTuple):
    """The records of a release from ``since`` to before ``until``."""

    release: str
    since: datetime
    until: datetime


class RecordFilter(Value):
    """A filter of records; None, or an empty ``text``: any. The record at ``until`` is left out.

    Attributes
    ----------
    text
        Searched in inputs, outputs and errors, ignoring case.
    differs
        Only requests to which two releases gave different answers, exactly.
    where
        Columns with bins, as segments are declared (``age: >=60``): only requests with a row in one of the bins, for
        each of these.
    ranges
        Only records in one of these ranges; None: in any.
    request_ids
        Only records of these requests; none: of any.
    """

    since: datetime | None = None
    until: datetime | None = None
    role: str | None = None
    status: int | None = None
    release: str | None = None
    text: str = ""
    differs: bool = False
    where: tuple[str, ...] = ()
    ranges: tuple[RecordRange, ...] | None = None
    request_ids: tuple[str, ...] = ()


EVERY_RECORD = RecordFilter()


class RecordSummary(Value):
    """A record in a list: ``input`` and ``output`` are the beginning of the first instance's JSON.

    Both are empty if they were not recorded (``bare``). ``difference``: of the answers to its request, in a list that
    is ordered by it.
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
    difference: float | None = None


class RecordPage(Value):
    """A page. ``total`` counts all matches, ``unreadable`` lines; ``next`` is the next page's key.

    ``unordered``: older requests with different answers, which a list by difference leaves out.
    """

    heads: tuple[RecordSummary, ...]
    total: int
    next: str | None
    unreadable: int = 0
    unordered: int = 0


class TimeBucket(Value):
    """The requests to one release in one role from ``start`` on, for the requested length of time.

    ``errors`` are answers with status 500 and above, ``refused`` with a status from 400 to 498; latencies are of
    answers with status 200.
    """

    start: datetime
    release: str
    role: str
    requests: int
    errors: int
    refused: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Refusal(Value):
    """Requests that a release refused (status 400 to 498) for the same reason.

    ``reason`` names the column and the violation, without the number of the row; empty: no message is recorded.
    ``shadows`` counts those of them that a shadow answered with 200.
    """

    release: str
    role: str
    status: int
    reason: str
    requests: int
    shadows: int = 0


class TimeSeries(NamedTuple):
    """The requests of a period in time buckets, and those of them that were refused, by reason."""

    buckets: list[TimeBucket]
    refusals: list[Refusal]


class Pair(Value):
    """A record, and all records of its request including itself: the client's answer first."""

    record: Record
    answers: Sequence[Record]
