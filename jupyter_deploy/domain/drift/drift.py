"""The verb's request, and its result: the drift of a release's inputs and answers. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.inference import Requirement
from jupyter_deploy.domain.expressions import error_at
from jupyter_deploy.domain.gates.parser import Use, parse_gate
from jupyter_deploy.domain.monitoring.confidence import ExpectedPeriod
from jupyter_deploy.domain.parsing import Moment
from jupyter_deploy.domain.requests import EndpointName, Request

from .hours import Level
from .sketch import Group

FIGURES = ("drift_alarms", "quality_alarms")
_WITH_IT = timedelta(milliseconds=1)
_REQUIREMENT = Use("requirement", "'drift_alarms <= 0'")


def check_requirements(texts: Any) -> Any:
    """Check one text or several; they stay texts.

    Raises
    ------
    InvalidInput
        A text is no gate, or there is no such figure.
    """
    expressions = [texts] if isinstance(texts, str) else list(texts or [])
    for expression in expressions:
        gate = parse_gate(str(expression), _REQUIREMENT)
        if gate.metric not in FIGURES or gate.group or gate.needs_stable:
            known = " and ".join(FIGURES)
            raise error_at("requirement", gate.expression, 0, f"drift has no figure '{gate.label}'", f"it has {known}")
    return expressions


class DriftRequest(Request):
    """Show the drift of a release's inputs and answers against its training data."""

    name: EndpointName
    since: Moment | None = Field(
        default=None,
        description="Only requests of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00: a look of its own at "
        "them; without it the watch since the release began.",
    )
    release: str | None = Field(
        default=None,
        description="The release (default: stable).",
        json_schema_extra={"completes": "release"},
    )
    require: Annotated[list[str], BeforeValidator(check_requirements)] = Field(
        default=[],
        description="A condition such as 'drift_alarms <= 0' or 'quality_alarms <= 0' (repeatable); the exit code is 0 "
        "if all are met, 1 if one is not, 4 while one is undecided.",
    )


class DriftedFeature(Value):
    """A feature's part in an alarm.

    Attributes
    ----------
    evidence
        Its e-value; ``alone``: it suffices for the alarm.
    since
        The begin of the requests with the most evidence; ``since_request``: the first of them.
    shares
        Shares of the values since then, by bin.
    """

    name: str
    evidence: float
    alone: bool
    since: datetime
    since_request: str
    shares: list[float]


class DriftAlarm(Value):
    """The request at which the evidence sufficed, with the features that had at least a tenth of it."""

    ts: datetime
    request_id: str
    units: int = Field(description="Clusters of requests since the features' last alarm, or since the release began.")
    evidence: float
    features: list[DriftedFeature]

    @property
    def since(self) -> datetime:
        """The begin of the requests behind it."""
        return min((part.since for part in self.features), default=self.ts)

    @property
    def until(self) -> datetime:
        """The end of the requests behind it: the one that raised it is the last."""
        return self.ts + _WITH_IT


class FeatureDrift(Value):
    """One feature now against the reference.

    Attributes
    ----------
    evidence
        The e-value of the present run: ``1 / 0.008`` of all features together raises an alarm.
    bins, reference, now
        Names of the bins, and the shares of the reference and of the last 1,000 to 2,000 clusters.
    psi, jensen_shannon
        Sizes without a scale of good and bad: the population stability index, and the Jensen-Shannon divergence (bits).
    """

    name: str
    group: Group
    alarms: int = 0
    evidence: float
    reference_rows: int
    clusters: float = Field(description="Clusters behind 'now'.")
    bins: list[str]
    reference: list[float]
    now: list[float]
    psi: float | None = None
    jensen_shannon: float | None = None


class QualityAlarm(Value):
    """Rows (requests, for refusals) that the reference has rarely or never; ``shown``: certainly more of them.

    Attributes
    ----------
    what
        ``new`` category, ``missing`` value, ``out of range``, ``constant``, ``refused``.
    share, reference
        The share of clusters with it, and the reference's share.
    """

    feature: str
    what: Literal["new", "missing", "out of range", "constant", "refused"]
    count: int
    share: float
    reference: float | None = None
    first_request: str
    first: datetime
    shown: bool


class JointShift(Value):
    """A classifier between the first recorded requests and those of a range, by all features together.

    Attributes
    ----------
    auc
        The area under its curve, out of fold: 0.5 if it cannot tell them apart, 1 if it always can. No test.
    rows, first_rows
        Requests of the range, a sample of more, and first requests, up to ``first_until``.
    """

    auc: float
    since: datetime
    until: datetime
    rows: int
    first_rows: int
    first_until: datetime


class Drift(Value):
    """The drift of a release.

    Attributes
    ----------
    state
        ``collecting``: the first requests become the reference; ``none``: there are no requests to look at.
    origin
        The origin of the reference of inputs and of answers.
    hours
        Each day is compared with the reference's rows of the same hours (UTC), at its end; None: all requests with all
        rows, since the reference's rows have no times. ``days``: the days that are over.
    false_alarms
        The probability of a false alarm in a run of any length.
    tolerance
        The largest difference, in standard deviations of a normal feature, that no feature is reported for.
    expected
        The accuracy, estimated by the probabilities of the answers of the last day, or since the moment; None: the
        answers are no probabilities.
    joint
        The same requests against the first recorded ones, by all inputs together; None: there are too few of either.
    """

    endpoint: str
    release: str
    since: datetime | None = None
    state: Literal["watching", "collecting", "none"]
    origin: dict[Group, str] = {}
    hours: Level | None = None
    days: int = 0
    reference_rows: int = 0
    requests: int = 0
    rows: int = 0
    clusters: int = 0
    first: datetime | None = None
    last: datetime | None = None
    false_alarms: float
    tolerance: float | None = None
    evidence: float = 0.0
    drift_alarms: int = 0
    quality_alarms: int = 0
    alarms: list[DriftAlarm] = []
    features: list[FeatureDrift] = []
    quality: list[QualityAlarm] = []
    requirements: list[Requirement] = []
    expected: ExpectedPeriod | None = None
    joint: JointShift | None = None
    notes: list[str] = []


def judged(expression: str, drift: Drift) -> Requirement:
    """Return a requirement's outcome; it is undecided while there is no reference or no block of clusters."""
    gate = parse_gate(expression, _REQUIREMENT)
    count = drift.drift_alarms if gate.metric == "drift_alarms" else drift.quality_alarms
    if not gate.holds(count):
        return Requirement(expression=gate.expression, outcome="not met", value=count)
    if drift.state != "watching":
        return Requirement(expression=gate.expression, outcome="undecided", value=count, why=_UNDECIDED[drift.state])
    if drift.clusters < LEAST_CLUSTERS:
        why = f"{drift.clusters} of {LEAST_CLUSTERS} clusters of requests so far"
        return Requirement(expression=gate.expression, outcome="undecided", value=count, why=why)
    if drift.hours and not drift.days:
        why = f"no day (UTC) is over yet, and the reference is compared by {drift.hours}"
        return Requirement(expression=gate.expression, outcome="undecided", value=count, why=why)
    return Requirement(expression=gate.expression, outcome="met", value=count)


LEAST_CLUSTERS = 100
_UNDECIDED = {"collecting": "the reference is being collected", "none": "no requests were recorded with their inputs"}
