"""What the widgets in JupyterLab show, as documents; TypeScript's types are made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.answer_differences import (
    AnswerCount,
    AnswerShape,
    ComparedRefusal,
    FieldAgreement,
    FieldChange,
    NumberDifferences,
    RefusalCounts,
)
from jupyter_deploy.domain.evidence.inference import Estimate, Phase, Recommendation, VariantSummary, Verdict
from jupyter_deploy.domain.evidence.labelled import LabelledShare
from jupyter_deploy.domain.evidence.record_pages import Refusal
from jupyter_deploy.domain.evidence.segment_figures import SegmentsFigure
from jupyter_deploy.domain.health import HealthCheck
from jupyter_deploy.domain.jobs import Job, JobEvent
from jupyter_deploy.domain.release.serve_document import ServeDocument
from jupyter_deploy.domain.release.traffic import Role

Chart = dict[str, Any]
"""A Vega-Lite 5 specification, its data within."""


class JobWithEvents(Job):
    """One job with all its events, oldest first."""

    events: tuple[JobEvent, ...]


class ResultPageView(Value):
    """A job's result as a page: HTML without scripts, in which data are escaped."""

    title: str
    html: str


class DrawingView(Value):
    """A chart as SVG, without scripts."""

    svg: str


class EndpointRow(Value):
    """One endpoint in the list.

    Attributes
    ----------
    url
        What clients post to.
    rate
        Answered requests a second between the last two looks; None before there were two, or without a gateway.
    changed_at
        When it came to this revision.
    """

    name: str
    url: str
    revision: int
    running: bool
    healthy: bool
    words: str
    stable: str
    candidates: int
    rate: float | None = None
    changed_at: datetime | None = None


class EndpointsView(Value):
    endpoints: tuple[EndpointRow, ...]
    home: str


class UsageCard(Value):
    """The resources that a release uses, next to its limits (None: no limit).

    ``cpu``: processors since the last look, None before there were two; ``memory``: bytes; ``workers`` of
    ``most_workers``; ``waiting``: requests that wait for the model, None: unknown.
    """

    cpu: float | None
    most_cpu: float | None
    memory: int
    most_memory: int | None
    workers: int
    most_workers: str
    waiting: int | None


class GatesCard(Value):
    verdict: str
    words: str
    lines: tuple[str, ...]
    at: datetime
    forced: bool
    report: bool


class Counted(Value):
    """Requests that the gateway counted of a release in its present role; ``rates``: a second, the latest last.

    ``errors``: answers of 500 and above; ``refused``: of 400 to 499. ``since``: the start of these counts, which is the
    gateway's start or the change that gave the release this role; None: it is not known. ``recorded``: all recorded
    requests of the release in this role, of earlier periods too; None: none are recorded, or they are not counted yet.
    """

    requests: int
    errors: int
    refused: int
    p50_ms: float | None
    rates: tuple[float, ...] = ()
    since: datetime | None = None
    recorded: int | None = None


class ReleaseCard(Value):
    """One release; ``usage`` is None while no process of it runs here.

    ``image``: what it runs from, HOST/PATH@sha256:…; empty: a bento. ``published``: references without their digests,
    the newest first. ``metrics``: the notebook's own, by the variable. ``limits``: how its resources are enforced, such
    as its replicas, if ``usage`` does not show it.
    """

    tag: str
    role: Role
    percent: float
    healthy: bool
    health: str
    variable: str
    notebook: str
    path: str
    framework: str
    image: str
    stochastic: bool
    changes: str
    gates: GatesCard | None
    found: str
    findings: tuple[str, ...]
    created: datetime
    label: str = ""
    metrics: dict[str, float] = {}
    published: tuple[str, ...] = ()
    counts: Counted | None = None
    usage: UsageCard | None = None
    limits: tuple[str, ...] = ()


class Models(Value):
    """Two releases of which ``diff`` can tell what changed from ``a`` to ``b``."""

    a: str
    b: str


class RevisionRow(Value):
    """One revision of an endpoint.

    ``diffs``: what it brought or made stable, each with the release that was stable before. ``state``: the releases
    with traffic and their shares, in words.
    """

    revision: int
    at: datetime
    by: str
    what: str
    reason: str
    diffs: tuple[Models, ...] = ()
    state: str = ""


class RampView(Value):
    """A ramp in progress, or one that went back; ``words``: its step, how long it lasts, and why it holds."""

    candidate: str
    words: str
    paused: bool
    ended: bool
    evidence: tuple[str, ...]


class WayCard(Value):
    """A way in which an endpoint is called besides HTTP; ``words``: source and sink, ``state``: its condition now."""

    way: Literal["batch", "stream"]
    words: str
    state: str
    healthy: bool


class EndpointView(Value):
    """One endpoint, its desired and its observed state; ``url``: the address for clients, ``words``: its state.

    ``serve``: how it is called, as its YAML document says; ``ways``: the ways besides HTTP as they are now.
    ``tolerance``, ``absolute_tolerance`` and ``segments``: the settings of its comparisons; None: the default.
    """

    name: str
    target: str
    url: str
    revision: int
    previous: int | None
    running: bool
    healthy: bool
    words: str
    record: str
    validations: tuple[str, ...]
    cards: tuple[ReleaseCard, ...]
    history: tuple[RevisionRow, ...]
    serve: ServeDocument = ServeDocument()
    ways: tuple[WayCard, ...] = ()
    ramp: RampView | None = None
    tolerance: float | None = None
    absolute_tolerance: float | None = None
    segments: tuple[str, ...] = ()


class RoleChange(Value):
    tag: str
    before: str
    after: str


class RoleEvidence(Value):
    """A comparison with stable in one role of a candidate: the verdict (empty: there is none yet) and a sentence."""

    role: Role
    verdict: str
    reason: str


class Preview(Value):
    """What a change would do, before it is done.

    Attributes
    ----------
    asks
        Whether people want to be asked first: it touches clients.
    evidence
        The comparison of the candidate that gains clients; of a canary that was a shadow, both. Empty: nothing to
        compare.
    """

    title: str
    revision: int
    rows: tuple[RoleChange, ...]
    notes: tuple[str, ...]
    asks: bool
    evidence: tuple[RoleEvidence, ...] = ()


class FlippedRow(Value):
    """One instance that both answered, differently; texts are JSON, cut. ``changes``: the fields that differ."""

    pair_id: str
    row: int
    ts: datetime
    input: str
    stable: str
    candidate: str
    changes: tuple[FieldChange, ...] = ()


class ComparisonView(Value):
    """A candidate against stable.

    Attributes
    ----------
    recommended
        What to do about the verdict, in words.
    charts
        By name: agreement (its course; not of a canary), latency (distributions, once something was answered), scatter
        and differences (of numbers), calibration … (of probabilities), segments … (forest plots).
    flips, flipped
        How many rows were answered differently, and the latest 50 of them.
    notes
        What the records do not hold, in words.
    clusters
        Units of the figures: requests of one user, or of equal inputs, count once.
    forecast
        The number of requests and the time until a verdict, in words; empty if no more requests are needed.

    The fields from ``paired`` on are those of ``domain.evidence.inference.Comparison``.
    """

    stable: str
    candidate: str
    role: Role
    verdict: Verdict
    reason: str
    recommended: str
    pairs: int
    charts: dict[str, Chart]
    flipped: tuple[FlippedRow, ...]
    flips: int
    notes: tuple[str, ...] = ()
    since: datetime | None = None
    clusters: int = 0
    forecast: str = ""
    paired: bool = True
    rows: int = 0
    agreement: Estimate | None = None
    coverage: Estimate | None = None
    mirrored: int = 0
    agreement_worst_case: float | None = None
    error_difference: Estimate | None = None
    latency_difference_ms: Estimate | None = None
    slow_rate: Estimate | None = None
    refusal_rate: Estimate | None = None
    accuracy_difference: Estimate | None = None
    absolute_error_difference: Estimate | None = None
    recommendation: Recommendation = "wait"
    sides: dict[Literal["stable", "candidate"], VariantSummary] = {}
    answers: list[AnswerCount] = []
    refused: RefusalCounts = RefusalCounts()
    refusals: list[ComparedRefusal] = []
    numbers: NumberDifferences | None = None
    relative_tolerance: float = 1e-6
    absolute_tolerance: float = 1e-9
    tolerance_from: Literal["request", "endpoint", "default"] = "default"
    fields: list[FieldAgreement] = []
    fields_total: int = 0
    shapes: list[AnswerShape] = []
    segments: SegmentsFigure | None = None
    phases: list[Phase] = []
    distinct_inputs: int = 0
    by_minute: dict[str, Estimate] = {}
    errors: dict[str, int] = {}
    shadow_failures: dict[str, int] = {}
    labelled: list[LabelledShare] = []
    answer_shares: dict[str, Estimate] = {}


class ValidationRow(Value):
    """One validation; ``trigger`` is the verb that asked for it, ``release`` its tag (empty: no model was asked)."""

    id: str
    at: datetime
    by: str
    trigger: str
    release: str
    verdict: Literal["pass", "fail", "inconclusive"]


class ValidationsView(Value):
    """The latest validations of an endpoint, newest first; ``charts``: one a metric that was measured twice or more."""

    validations: tuple[ValidationRow, ...]
    charts: tuple[Chart, ...]


class LiveView(Value):
    """The last minutes; ``charts`` by name: rate, errors, refused, latency. ``requests`` of clients, without copies.

    ``refusals``: the reasons of refused requests, the most frequent first. ``note``: the reason why a part is missing;
    empty: nothing is.
    """

    charts: dict[str, Chart]
    minutes: int
    requests: int
    refusals: tuple[Refusal, ...] = ()
    note: str = ""


class HealthView(Value):
    """The parts of nbdeploy itself that are broken, as ``doctor`` finds them."""

    broken: tuple[HealthCheck, ...]
