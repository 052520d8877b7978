"""Documents of records and logs for the widgets; TypeScript's types are made from these too."""

from __future__ import annotations

from datetime import datetime

from jupyter_deploy.domain.base import Value


class RecordRow(Value):
    """One record in the list; the beginnings of its first input and output.

    ``summary``: the input, else what went wrong, or why there is nothing to show. ``answer``: the output.
    ``difference``: the largest one of two answers to the request, in a list that is ordered by it.
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
    summary: str
    answer: str
    difference: float | None = None


class RecordsView(Value):
    """A page of records, newest first. ``total`` of all that match; ``next``: where the next page begins.

    ``notes``: what the records do not hold, and what to do about it, in words.
    """

    records: tuple[RecordRow, ...]
    total: int
    next: str | None
    notes: tuple[str, ...] = ()


class Answered(Value):
    """What one release answered; ``output`` is JSON, ``cut``: not all of it."""

    release: str
    role: str
    status: int
    latency_ms: float
    output: str
    error: str
    cut: bool
    ts: datetime


class RecordView(Value):
    """One request with every answer to it; ``input`` is JSON, ``cut``: not all of it.

    ``cell``: Python that loads it in a notebook, empty where there is nothing to load; ``note`` says why.
    """

    request_id: str
    pair_id: str
    ts: datetime
    rows: int
    input: str
    cut: bool
    answers: tuple[Answered, ...]
    cell: str
    note: str = ""


class ReleaseLogView(Value):
    """The latest lines that a release printed, oldest first; secrets are masked.

    ``cut``: there are earlier ones that are not shown. ``note``: why there are none; empty: there are.
    """

    release: str
    lines: tuple[str, ...]
    cut: bool
    note: str = ""
