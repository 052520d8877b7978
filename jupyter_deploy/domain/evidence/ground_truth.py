"""Ground truth: actual values of predicted rows that arrive later and are joined by request and row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from jupyter_deploy.domain.base import Value

if TYPE_CHECKING:
    from jupyter_deploy.domain.monitoring.confidence import Confidence
    from jupyter_deploy.domain.monitoring.performance import Performance

LATE = timedelta(days=1)
"""Feedback that arrives later than this after the answer counts as late; it is joined too."""

MOST_ROWS = 100_000
"""The default number of recorded rows for a validation notebook, the latest ones."""

SINCE = timedelta(days=1)
"""The default age up to which recorded rows are used."""

FILE, OF = "NBDEPLOY_RECORDED", "NBDEPLOY_RECORDED_OF"
"""Environment variables of a kernel: the file of recorded rows (``RecordedRows``), and the number on record."""


class Actual(Value):
    """The actual value of one row: ``row`` is the index of the instance in its request, from 0.

    ``actual`` is any JSON value; None withdraws an earlier value.
    """

    request_id: str
    row: int = 0
    actual: Any


class Feedback(Value):
    """Counts of an endpoint's feedback, and how much of it is joined to the answers.

    ``posted = joined + repeated + ambiguous + unknown``: each stored line is counted once.

    Attributes
    ----------
    accepted
        Items that this call sent and the endpoint stored.
    posted
        Stored lines, of all time.
    joined
        The latest values of rows that stable or the canary answered.
    late
        Joined values that arrived more than a day after the answer (``LATE``).
    repeated
        Earlier values of rows that have a later one.
    ambiguous
        Values whose request id belongs to several answered requests; they are joined to none.
    unknown
        Values without a record of this id and row: not yet, no longer (purged, cleared), or never. They are stored,
        and are joined once the record exists.
    rows_with_truth
        Joined rows with an actual value that was not withdrawn.
    releases
        The number of these rows that each release answered, shadows too.
    unreadable
        Lines that a kill truncated, or that are invalid.
    removed
        Lines that were ever purged or cleared.
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
    """A private file of recorded rows, one JSON object a line, oldest first.

    Each has ``request_id``, ``row``, ``ts``, ``release``, ``instance``, ``predicted`` and ``actual`` (null: unknown);
    ``redacted``, if present, names the columns that an instance lacks.

    Attributes
    ----------
    rows
        The number of rows in the file.
    of
        The number of rows on record; if it exceeds ``rows``, the oldest were left out.
    bare
        Requests of that time that were recorded without their data, and are not in the file.
    """

    path: Path
    rows: int
    of: int
    bare: int


class GroundTruth(Protocol):
    def read(self, data: Any, *, texts: bool) -> list[Actual]:
        """Read actual values from a file (CSV, JSON lines, JSON or Parquet), a JSON text, or Python objects.

        ``texts``: the model answers texts, so values of a CSV file are texts, also ``1`` and ``true``.
        Raises InvalidInput, naming each bad line by its number.
        """

    def counts(self, endpoint: str) -> Feedback:
        """Count the stored feedback, and how much of it is joined. Raises StoreError."""

    def performance(
        self, endpoint: str, *, since: datetime, until: datetime, every: timedelta, segments: Sequence[str] = ()
    ) -> Performance:
        """Judge the answers of each release by ground truth, in spans of time. Raises InvalidInput, StoreError.

        ``segments``: declarations such as ``region``, by which the rows are divided too.
        """

    def confidence(
        self, endpoint: str, releases: Sequence[str], *, since: datetime, until: datetime, every: timedelta
    ) -> Confidence:
        """Return the largest probabilities of some releases' answers. Raises StoreError.

        Those of the range, and those of earlier answers with ground truth.
        """

    def recorded(
        self, endpoint: str, *, since: datetime | None, until: datetime | None = None, limit: int
    ) -> AbstractContextManager[RecordedRows]:
        """Provide a file of the last ``limit`` rows that stable and canary answered. Raises StoreError."""


def batches(actuals: Sequence[Actual], sizes: Sequence[int], *, most: int, size: int) -> list[list[Actual]]:
    """Split values in order: at most ``most`` per batch, of at most ``size`` bytes unless one alone is longer."""
    parts: list[list[Actual]] = []
    filled = 0
    for actual, length in zip(actuals, sizes, strict=True):
        if not parts or len(parts[-1]) >= most or filled + length > size:
            parts.append([])
            filled = 0
        parts[-1].append(actual)
        filled += length
    return parts
