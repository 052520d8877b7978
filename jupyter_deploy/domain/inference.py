"""What was asked and answered, and what a candidate's answers say against stable's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Value


class RecordError(Value):
    type: str
    message: str


class Record(Value):
    """One logged inference, written by the release that answered.

    ``pair_id`` is the gateway's own unique id, the same in stable's and the shadows' records of one request
    (None: the request did not come through the gateway). ``role`` is the role in which it was asked; ``probe`` is
    the check at a start. ``inputs`` and ``outputs`` are the instances and the predictions.
    """

    request_id: str
    pair_id: str | None
    ts: datetime
    endpoint: str
    release: str
    role: str
    status: int
    latency_ms: float
    rows: int | None
    inputs: Any = None
    outputs: Any = None
    error: RecordError | None = None


class Interval(Value):
    low: float
    high: float
    level: float = 0.95


class Estimate(Value):
    """A figure with its interval; ``n`` is what it was estimated from."""

    value: float
    interval: Interval
    n: int


class Flip(Value):
    """One row on which stable and the candidate do not agree."""

    pair_id: str
    request_id: str
    row: int
    ts: datetime
    input: Any
    stable: Any
    candidate: Any


class SideSummary(Value):
    """One side of a comparison on its own.

    ``error_rate`` counts answers of 500 and above. Latencies in milliseconds, as measured inside the release.
    ``answers`` counts the most frequent answers (labels), or holds ``quantiles`` (numbers).
    """

    release: str
    requests: int
    rows: int
    errors: int
    error_rate: Estimate | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    answers: dict[str, int] = {}
    quantiles: dict[str, float] = {}


class Comparison(Value):
    """A candidate against stable.

    A shadow is compared on the same requests (``paired``), joined by ``pair_id`` and row where stable answered; a
    canary answers other requests than stable, so its figures are unpaired.

    Attributes
    ----------
    mirrored
        Copies of stable's requests sent to the shadow: ledger lines, shadow records and overflow (paired only).
    pairs
        Requests that stable answered and both recorded, whatever the status.
    rows
        Rows of those pairs that both answered with 200.
    coverage
        ``pairs / mirrored``.
    agreement
        Share of rows on which both agree; rows of one request are not independent, which widens the interval.
    error_difference, latency_difference_ms
        Candidate minus stable; latency by the median of the paired differences, or of the medians if unpaired.
    answer_shares
        Unpaired only: for each frequent answer, the candidate's share minus stable's.
    verdict
        ``inconclusive`` while there is too little evidence, else ``agrees`` or ``differs`` (see ``reason``).
    """

    endpoint: str
    stable: str
    candidate: str
    role: Literal["shadow", "canary", "idle"]
    paired: bool
    since: datetime | None
    pairs: int
    rows: int
    mirrored: int
    overflowed: int = 0
    coverage: Estimate | None
    agreement: Estimate | None
    flips: list[Flip] = []
    flip_count: int = 0
    numeric_difference: dict[str, float] = Field(default={}, description="Quantiles of |candidate - stable|.")
    errors: dict[str, int] = Field(default={}, description="Most frequent exceptions of the candidate.")
    shadow_failures: dict[str, int] = Field(default={}, description="Mirrored requests without an answer, by reason.")
    sides: dict[Literal["stable", "candidate"], SideSummary]
    error_difference: Estimate | None
    latency_difference_ms: Estimate | None
    answer_shares: dict[str, Estimate] = {}
    verdict: Literal["inconclusive", "agrees", "differs"]
    reason: str
    stochastic: bool = False
    skipped_lines: int = Field(default=0, description="Record lines that could not be read (torn by a kill).")
