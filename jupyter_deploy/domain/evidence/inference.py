"""Records of inferences, and the comparison of a candidate's answers with stable's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import Field

from jupyter_deploy.domain.base import Value

from .answer_differences import (
    AnswerCount,
    AnswerShape,
    ComparedRefusal,
    FieldAgreement,
    FieldChange,
    NumberDifferences,
    RefusalCounts,
)
from .estimate import Estimate, Interval
from .labelled import LabelledShare
from .segment_figures import SegmentsFigure

__all__ = [
    "Comparison",
    "CountedRequest",
    "Estimate",
    "Flip",
    "Forecast",
    "Interval",
    "LatencyShare",
    "Look",
    "Phase",
    "Record",
    "RecordError",
    "Requirement",
    "VariantSummary",
]


class RecordError(Value):
    type: str
    message: str


class Record(Value):
    """One logged inference, written by the release that answered.

    ``pair_id`` is the gateway's own unique id, the same in stable's and the shadows' records of one request
    (None: the request did not come through the gateway). ``role`` is the release's role at that moment; ``probe`` is
    the check at a start. ``inputs`` and ``outputs`` are the instances and the predictions, without the values of the
    columns in ``redacted``. ``sample`` is the share of the requests that was recorded. ``canary`` is the release that
    shared the requests with stable at that moment, and ``share`` its share of them, whichever release answered.
    ``cluster`` is a salted hash of the caller's ``x-sticky-key``, ``inputs_digest`` a digest of ``inputs``.
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
    redacted: tuple[str, ...] = ()
    sample: float = 1.0
    canary: str | None = None
    share: float | None = None
    cluster: str | None = None
    inputs_digest: str | None = None


class CountedRequest(Protocol):
    """The fields of a record that a watch reads, in whatever form the record is."""

    @property
    def request_id(self) -> str: ...
    @property
    def ts(self) -> datetime: ...
    @property
    def role(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def latency_ms(self) -> float: ...
    @property
    def inputs(self) -> Any: ...
    @property
    def outputs(self) -> Any: ...
    @property
    def redacted(self) -> tuple[str, ...]: ...
    @property
    def sample(self) -> float: ...
    @property
    def cluster(self) -> str | None: ...
    @property
    def inputs_digest(self) -> str | None: ...


class Requirement(Value):
    """A requirement of a comparison and its outcome.

    ``met``: the whole interval is on the right side; ``not met``: the whole interval is on the wrong side;
    ``undecided``: neither, or the figure is missing, and ``why`` gives the reason. A count (``pairs``) has no interval:
    it may still grow.
    """

    expression: str
    outcome: Literal["met", "not met", "undecided"]
    value: float | None = None
    interval: Interval | None = None
    why: str = ""


class Flip(Value):
    """One row on which stable and the candidate disagree; ``changes``: fields of it that differ."""

    pair_id: str
    request_id: str
    row: int
    ts: datetime
    input: Any
    stable: Any
    candidate: Any
    changes: list[FieldChange] = []


class Look(Value):
    """The estimate of a share after a number of compared requests; their last cluster began at ``ts``."""

    requests: int
    ts: datetime
    estimate: Estimate


class LatencyShare(Value):
    """The share of a release's answers that took at most ``ms``."""

    ms: float
    share: float


class VariantSummary(Value):
    """One release of a comparison on its own.

    ``error_rate`` counts answers of 500 and above. Latencies in milliseconds, as measured inside the release.
    ``answers`` counts the most frequent answers (labels), or holds ``quantiles`` (numbers). ``latencies`` is the whole
    distribution, in steps of a tenth.
    """

    release: str
    requests: int
    rows: int
    errors: int
    error_rate: Estimate | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latencies: list[LatencyShare] = []
    answers: dict[str, int] = {}
    quantiles: dict[str, float] = {}


Doubt = Literal["answers", "rows", "refusals", "errors", "coverage", "slow answers", "clusters"]
"""A condition of a promotion that is not shown; ``rows``: the agreement of all rows, large requests counting more."""


class Forecast(Value):
    """The requests until a verdict, if the figures stay as they are.

    Attributes
    ----------
    requests
        The number with which there usually is a verdict; None: none up to ten million.
    more
        Those that are still missing.
    hours
        The time until then at the rate of the last 24 hours with requests; None without a rate.
    effect
        The smallest effect that the number could show: how far the agreement is below 99 %, or for a canary how far its
        error rate is above stable's. None if nothing is decided.
    doubt
        The condition that ten million requests leave undecided; None if they decide.
    """

    requests: int | None
    more: int | None = None
    hours: float | None = None
    effect: float | None = None
    doubt: Doubt | None = None


Verdict = Literal["inconclusive", "agrees", "differs"]
Recommendation = Literal["promote", "stop", "decide", "wait"]


class Phase(Value):
    """The evidence of one role in which the candidate was compared with stable, from ``first`` to ``last`` request."""

    role: Literal["shadow", "canary"]
    paired: bool
    first: datetime
    last: datetime
    requests: int
    clusters: int
    pairs: int
    rows: int
    agreement: Estimate | None
    error_difference: Estimate | None
    latency_difference_ms: Estimate | None
    verdict: Verdict
    reason: str
    recommendation: Recommendation


class Comparison(Value):
    """A candidate against stable.

    A shadow is compared on the same requests (``paired``), joined by ``pair_id`` and row if stable answered; a
    canary answers other requests than stable of the same time, so its figures are unpaired. All intervals hold at
    every look (``domain.evidence.sequential``).

    Attributes
    ----------
    mirrored
        Copies of stable's requests sent to the shadow that were to be recorded: ledger lines, shadow records and
        overflow (paired only).
    pairs
        Requests that stable answered and both recorded, whatever the status.
    rows
        Rows of those pairs that both answered with 200.
    coverage
        ``pairs / mirrored``.
    clusters
        Units of the figures: requests of one ``x-sticky-key``, else of equal inputs, else of one minute. A cluster
        counts once, by the mean of its first 100 requests.
    distinct_inputs
        Requests with different inputs (those with recorded inputs only).
    agreement
        Share of a request's rows on which both agree, on average over the clusters. Numbers agree within
        ``relative_tolerance`` of stable's or ``absolute_tolerance``.
    agreement_worst_case
        ``agreement * coverage``: the agreement if all mirrored requests without a comparison disagreed.
    agreement_course
        The course of the agreement and its interval: at most 100 looks, evenly over the clusters, the last one being
        ``agreement``.
    refusal_rate
        Share of the pairs in which stable answered with 200 and the candidate refused the input (paired only).
    relative_difference
        Quantiles (p50, p90, p99, max) of ``|candidate - stable| / max(|candidate|, |stable|)``, if answers hold
        floating-point numbers (paired only). Each request has the same weight. A row with another kind of difference
        counts as 2, the largest possible.
    error_difference, latency_difference_ms
        Candidate minus stable; latency by the median of the paired differences, or of the medians if unpaired.
        A canary's errors are compared by inverse propensity (``domain.evidence.propensity``).
    slow_rate
        Share of the candidate's answers that take longer than stable's 95th percentile: 5 % if it is as fast. The
        unit is the minute.
    by_minute
        ``agreement``, ``error_rate_difference`` and ``latency_p50_difference_ms`` with one-minute blocks as the unit:
        wider than the figure itself if requests depend on the time.
    accuracy_difference
        The candidate's share of right answers minus stable's, on the rows with ground truth; None without any, and
        for models of numbers.
    absolute_error_difference
        Median of ``|candidate - actual| - |stable - actual|`` over the clusters, in the answers' unit: below 0 the
        candidate is closer. Paired, and for numbers only.
    labelled
        Requests with ground truth by release, predicted class and age.
    answer_shares
        Unpaired only: for each frequent answer, the candidate's share minus stable's, by inverse propensity.
    verdict
        ``inconclusive`` while there is too little evidence, else ``agrees`` or ``differs`` (see ``reason``).
    recommendation
        ``promote``: shown to be no worse; ``stop``: shown to be worse; ``decide``: shown to give other answers, which
        only a person can judge; ``wait``: more requests are needed.
    forecast
        The number of requests with which there usually is a verdict, and the smallest effect that they could show; only
        if more requests are needed.
    requirements
        The requirements with their outcomes.
    answers
        The frequencies of at most 20 labels, and of all others; empty for numbers.
    refused, refusals
        Requests refused by each release, and the most frequent reasons, at most 10 of each release.
    numbers
        The differences of answers that are single numbers (paired only).
    fields, fields_total
        The agreement on each field of structured answers, at most 20, most different first; the number of fields.
    shapes
        Texts, lists, images and probabilities in a sample of the answers (paired only).
    segments
        The figures by segments; None: none were declared.
    phases
        The evidence of each role of the candidate, if it had several, the present one last.
    tolerance_from
        The origin of the tolerance: this request, the endpoint, or the default, by which no verdict is based on floats.
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
    record_sample: float = Field(
        default=1.0, description="The share of the requests that is recorded now: counts are of recorded requests."
    )
    coverage: Estimate | None
    clusters: int = 0
    distinct_inputs: int = 0
    agreement: Estimate | None
    agreement_worst_case: float | None = None
    agreement_course: list[Look] = []
    refusal_rate: Estimate | None = None
    flips: list[Flip] = []
    flip_count: int = 0
    numeric_difference: dict[str, float] = Field(default={}, description="Quantiles of |candidate - stable|.")
    relative_difference: dict[str, Estimate] = {}
    relative_tolerance: float = 1e-6
    absolute_tolerance: float = 1e-9
    errors: dict[str, int] = Field(default={}, description="Most frequent exceptions of the candidate.")
    shadow_failures: dict[str, int] = Field(default={}, description="Mirrored requests without an answer, by reason.")
    sides: dict[Literal["stable", "candidate"], VariantSummary]
    error_difference: Estimate | None
    latency_difference_ms: Estimate | None
    slow_rate: Estimate | None = None
    by_minute: dict[str, Estimate] = {}
    accuracy_difference: Estimate | None = None
    absolute_error_difference: Estimate | None = None
    labelled: list[LabelledShare] = []
    answer_shares: dict[str, Estimate] = {}
    verdict: Verdict
    reason: str
    recommendation: Recommendation = "wait"
    forecast: Forecast | None = None
    requirements: list[Requirement] = []
    stochastic: bool = False
    answers: list[AnswerCount] = []
    refused: RefusalCounts = RefusalCounts()
    refusals: list[ComparedRefusal] = []
    numbers: NumberDifferences | None = None
    fields: list[FieldAgreement] = []
    fields_total: int = 0
    shapes: list[AnswerShape] = []
    segments: SegmentsFigure | None = None
    phases: list[Phase] = []
    tolerance_from: Literal["request", "endpoint", "default"] = "default"
    notes: list[str] = Field(default=[], description="Messages about missing, sampled and redacted data.")
    skipped_lines: int = Field(default=0, description="Record lines that could not be read (torn by a kill).")
