"""Ground truth: what was really so of rows that were predicted, told later and joined by request and row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from jupyter_deploy.domain.base import Value

LATE = timedelta(days=1)
"""What is told longer than this after the answer is late; it is joined all the same."""

MOST_ROWS = 100_000
"""So many recorded rows a validation notebook is given, the last ones, unless it asks for more."""

SINCE = timedelta(days=1)
"""How far back recorded rows are taken from, unless somebody says so."""


FILE, OF = "NBDEPLOY_RECORDED", "NBDEPLOY_RECORDED_OF"
"""What a kernel is told of recorded rows: the file of them (``RecordedRows``), and how many there are on record."""


class Actual(Value):
    """What was really so of one row: ``row`` is the place of the instance in its request, from 0.

    ``actual`` is any JSON value; None takes back what was told before.
    """

    request_id: str
    row: int = 0
    actual: Any


class Feedback(Value):
    """What was told of an endpoint's answers, and how much of it could be joined with them.

    ``posted = joined + repeated + ambiguous + unknown``: each line that is kept is counted once.

    Attributes
    ----------
    accepted
        Sent by this call, and written down.
    posted
        Lines that are kept, of all time.
    joined
        The last word on a row that stable or the canary answered.
    late
        Those of the joined ones that came more than a day after the answer (``LATE``).
    repeated
        Earlier words on a row of which another one was told later, which counts.
    ambiguous
        Several requests of one id were answered: which one is meant cannot be known, so it is joined with none.
    unknown
        No answer with this id and row is on record: not yet, no longer (purged, cleared away), or never. It is kept,
        and joins when the record turns up.
    rows_with_truth
        Joined rows of which the actual value is known: those that were not taken back.
    releases
        How many of these rows each release answered, shadows too.
    unreadable
        Lines that a kill had torn, or that hold something else.
    removed
        Lines that were purged or cleared away, ever.
    """

    endpoint: str
    record_sample: float = Field(default=1.0, description="The share of the requests that is recorded now.")
    accepted: int = 0
    posted: int = 0
    joined: int = 0
    late: int = 0
    repeated: int = 0
    ambiguous: int = 0
    unknown: int = 0
    rows_with_truth: int = 0
    releases: dict[str, int] = Field(default={}, description="Rows with truth that each release answered.")
    unreadable: int = 0
    removed: int = 0


@dataclass(frozen=True)
class RecordedRows:
    """A private file of rows that were asked and answered, one JSON object a line, oldest first.

    Each has ``request_id``, ``row``, ``ts``, ``release``, ``instance``, ``predicted`` and ``actual`` (null: not known);
    ``redacted``, where there are some, names the columns that an instance lacks.

    Attributes
    ----------
    rows
        How many it holds.
    of
        How many there are on record; more than ``rows``: the oldest were left out.
    bare
        Requests of the time that were recorded without their data, and are not in it.
    """

    path: Path
    rows: int
    of: int
    bare: int


class GroundTruth(Protocol):
    def read(self, data: Any, *, texts: bool) -> list[Actual]:
        """What is told by a file (CSV, JSON lines, JSON or Parquet), a JSON text, or objects of Python.

        ``texts``: the model answers texts, so that what stands in a CSV file is one, be it ``1`` or ``true``.
        Raises InvalidInput, naming each bad line by its number.
        """

    def counts(self, endpoint: str) -> Feedback:
        """What is kept, and what of it is joined. Raises StoreError."""

    def recorded(self, endpoint: str, *, since: datetime | None, limit: int) -> AbstractContextManager[RecordedRows]:
        """Within, a file of the last so many rows that stable and canary answered. Raises StoreError."""


def batches(actuals: Sequence[Actual], sizes: Sequence[int], *, most: int, size: int) -> list[list[Actual]]:
    """In their order, at most ``most`` at once, of at most ``size`` bytes unless one alone is longer."""
    parts: list[list[Actual]] = []
    filled = 0
    for actual, length in zip(actuals, sizes, strict=True):
        if not parts or len(parts[-1]) >= most or filled + length > size:
            parts.append([])
            filled = 0
        parts[-1].append(actual)
        filled += length
    return parts
