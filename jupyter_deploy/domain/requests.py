"""What each verb is asked with. A field here is an option on every face; its description is the help."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .base import FilePath, RecordMode, Value
from .parsing import Moment, Requirements, Sample, Shares, Tolerance
from .release.resources import ResourceOptions
from .validation.parameters import Parameters, Texts

# pydantic warns of a field that has the name of a method which it no longer wants to be called.
warnings.filterwarnings("ignore", 'Field name "validate" in "DeployRequest" shadows', UserWarning)


class Step(Value):
    """Progress of a long operation: step ``number`` of ``total`` has begun."""

    number: int
    total: int
    title: str


Record = Annotated[
    RecordMode | None,
    Field(description="What is recorded of each request: full, meta (no inputs, outputs and error messages), off."),
]
RecordSample = Annotated[
    Sample | None,
    Field(description="The share of the requests that is recorded, such as 10%, the same ones of stable and shadows."),
]
Reason = Annotated[str, Field(description="Why; kept in the history.")]
Force = Annotated[bool, Field(description="Do it although gates do not hold; needs a reason, which is kept for good.")]
IfRevision = Annotated[int | None, Field(description="Refuse if the endpoint is not at this revision.")]
EndpointName = Annotated[str, Field(description="The endpoint's name.", json_schema_extra={"positional": True})]


class Request(BaseModel):
    """Base of all requests: unknown options are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class DeployRequest(Request):
    """Capture a model, prove it in a clean process, and release it behind an endpoint.

    The first release of an endpoint becomes stable; a later one starts as a shadow: it gets a copy of every request
    and its answers go to the records alone. An unchanged model is a no-op; a changed one takes the place of the not
    yet promoted candidate that came from the same notebook and variable.
    """

    source: Annotated[str | None, FilePath()] = Field(
        default=None,
        description="A notebook (run headless with all its cells, then its variable is captured) or a snapshot's tag; "
        "in a magic: the variable that holds the model.",
        json_schema_extra={"positional": True},
    )
    name: str | None = Field(default=None, description="The endpoint's name (default: the snapshot's).")
    model: str | None = Field(default=None, description="The notebook's variable that holds the model.")
    method: str | None = Field(
        default=None, description="The method that answers (default: predict if there is one, else the call itself)."
    )
    example: str | None = Field(
        default=None, description="An expression for what the model is called with, such as 'X_test[:5]'."
    )
    role: Literal["auto", "stable", "shadow", "canary"] = Field(
        default="auto", description="The release's role; auto: first stable, later shadow."
    )
    percent: float | None = Field(
        default=None, description="Share of the requests (default: 100 for a shadow, 10 for a canary)."
    )
    keep: bool = Field(default=False, description="Keep the candidate that this one would replace.")
    signature: str | None = Field(
        default=None,
        description="An expression for a pydantic model that says what one instance may be (default: what the example "
        "and the annotations say).",
    )
    training: str | None = Field(
        default=None,
        description="An expression for the table that the model was fitted on (default: found in the executed cells).",
    )
    include: Annotated[tuple[str, ...], FilePath()] = Field(
        default=(),
        description="A file or folder to pack although it is outside of the project, hidden or large (repeatable).",
    )
    strict: bool = Field(default=False, description="Warnings of the checks refuse the deploy too.")
    waive: tuple[str, ...] = Field(
        default=(), description="Let the findings of this check pass (repeatable); needs a reason, which is kept."
    )
    isolated: bool = Field(
        default=False,
        description="Serve it from an environment of its own, built from the lock: what is installed later beside "
        "the notebook does not touch it.",
    )
    validate: Annotated[Texts, FilePath()] = Field(  # type: ignore[assignment]
        default=(),
        description="A validation notebook that the release must pass, as must later ones of this endpoint "
        "(repeatable; off: none any more; default: those that the endpoint has, or nbdeploy.yaml's).",
    )
    gate: Texts = Field(
        default=(),
        description="What must hold (repeatable): of what the notebooks measure, such as 'accuracy >= stable - 0.01', "
        "or, without --validate, of the comparison on live traffic too, such as 'agreement >= 0.99', before it answers "
        "clients; alone it comes beside the gates that there are.",
    )
    parameter: Parameters = Field(
        default=(),
        description="KEY=VALUE, or two words KEY VALUE, for the notebooks' parameters cells (repeatable).",
        json_schema_extra={"short": "-p", "pairs": True},
    )
    resources: ResourceOptions = Field(
        default={},
        description="NAME=VALUE (repeatable) of cpu, memory, gpu, workers and threads, such as workers=4 or "
        "memory=512MB; any: no limit (default: as nbdeploy.yaml says, else as the endpoint's stable release has).",
    )
    force: Force = False
    record: Record = None
    record_sample: RecordSample = None
    redact: Texts = Field(
        default=(),
        description="A column whose values are never written down, neither in records nor in logs (repeatable; off: "
        "none any more; default: those that stable redacts, and nbdeploy.yaml's).",
    )
    image: str | None = Field(
        default=None,
        description="HOST/PATH:TAG or HOST/PATH@sha256:…: the release runs from this published image, by podman or "
        "docker; SOURCE is its snapshot's tag, or is left out.",
    )
    verify: str | None = Field(
        default=None,
        description="The signer's public key, a file: refuse an image that is not signed by its owner, or that "
        "'nbdeploy verify' does not pass.",
    )
    target: str = Field(default="local", description="Where it runs.")
    trust: bool = Field(
        default=False, description="Unpickle a snapshot that this store did not capture, having seen its origin."
    )
    reason: Reason = ""


class ListRequest(Request):
    """All endpoints."""


class DescribeRequest(Request):
    """One endpoint: its URL, releases, roles, health and revision."""

    name: EndpointName


class TrafficRequest(Request):
    """Set the shares of canary and shadows, and what is recorded; what is not named stays, 0 switches off."""

    name: EndpointName
    shadow: Shares = Field(default={}, description="TAG=PERCENT of the requests copied to a shadow (repeatable).")
    canary: Shares = Field(default={}, description="TAG=PERCENT of the requests answered by the canary.")
    record: Record = None
    record_sample: RecordSample = None
    force: Force = False
    if_revision: IfRevision = None
    reason: Reason = ""


class PromoteRequest(Request):
    """The candidate becomes stable, at once and without losing a request."""

    name: EndpointName
    tag: str | None = Field(
        default=None,
        description="The candidate (default: the canary, else the only shadow).",
        json_schema_extra={"positional": True},
    )
    force: Force = False
    if_revision: IfRevision = None
    reason: Reason = ""


class RollbackRequest(Request):
    """Back to the releases, the traffic and what is recorded of the previous revision, or of a named one."""

    name: EndpointName
    to: int | None = Field(default=None, description="The revision to go back to (default: the previous one).")
    if_revision: IfRevision = None
    reason: Reason = ""


class HistoryRequest(Request):
    """The endpoint's revisions: who, when, why, what changed."""

    name: EndpointName


class CompareRequest(Request):
    """A candidate against stable: a shadow paired on the same requests, a canary unpaired."""

    name: EndpointName
    candidate: str | None = Field(
        default=None, description="The candidate (default: the canary, else the only shadow)."
    )
    since: Moment | None = Field(
        default=None, description="Only requests of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00."
    )
    tolerance: Tolerance | None = Field(
        default=None, description="Numbers agree within this share of stable's, such as 1% or 0.01 (default: 1e-6)."
    )
    absolute_tolerance: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Numbers agree within this difference too, in the answers' unit (default: 1e-9).",
    )
    require: Requirements = Field(
        default=[],
        description="A figure that must be shown, such as 'agreement >= 0.99' (repeatable); the exit code is 0 when "
        "all are met, 1 when one is not, 4 while one is undecided.",
    )


class DiffRequest(Request):
    """What changed from one model to another: cells, code, hyperparameters, features, data, versions, answers.

    A and B are snapshots' tags (NAME:VERSION; the beginning of the version will do) or an endpoint's name, which means
    its stable release. An endpoint's name alone compares its candidate with stable; a tag alone with its predecessor,
    the release that was stable when it came.
    """

    a: str = Field(
        description="A tag, or an endpoint's name: what to start from; alone, what to look at.",
        json_schema_extra={"positional": True},
    )
    b: str | None = Field(
        default=None,
        description="A tag, a version under A's name, or an endpoint's name: what A became.",
        json_schema_extra={"positional": True},
    )


class LogsRequest(Request):
    """The endpoint's records, oldest first."""

    name: EndpointName
    since: Moment | None = Field(
        default=None, description="Only records of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00."
    )
    role: Literal["stable", "canary", "shadow", "probe", "direct"] | None = Field(
        default=None, description="Only records of this role; probe: the check at a start; direct: past the gateway."
    )
    status: int | None = Field(default=None, description="Only this HTTP status.")
    request_id: tuple[str, ...] = Field(
        default=(), description="Only what was asked under this x-request-id (repeatable)."
    )
    limit: int | None = Field(default=None, ge=1, description="Only the last so many.")
    follow: bool = Field(default=False, description="Go on with new records until interrupted.")


class PredictRequest(Request):
    """Call the endpoint through its gateway."""

    name: EndpointName
    data: Any = Field(
        default=None,
        description="JSON, or @FILE: a request body, or its list of instances (default: the stable release's example); "
        "in Python also a list, an array or a data frame.",
    )


class FeedbackRequest(Request):
    """Tell an endpoint what was really so of its answers, and see how much of it could be joined with them.

    Any client can: POST /NAME/feedback takes {"request_id", "row", "actual"}, or {"feedback": [...]} of many. Of a row
    that comes again the last word counts.
    """

    name: EndpointName
    data: Annotated[Any, FilePath()] = Field(
        default=None,
        description="A file (CSV, JSON lines, JSON or Parquet) or JSON with request_id (an answer's x-request-id), row "
        "(from 0; default 0) and actual; in Python also a list or a data frame (default: only the counts are shown).",
    )


class ReproduceRequest(Request):
    """Run the notebook that made a snapshot again, in a clean environment, and compare what it makes with the snapshot.

    Its cells run from the top, up to the one that deployed, in the notebook's folder: what they write there is written,
    and what they deploy is left out. Where the notebook's file is gone, the cells that were executed run instead.
    The exit code is 0 when the same answers come, 1 when others do.
    """

    tag: str = Field(
        description="A tag (of a release the beginning of its version will do), or an endpoint's name, which means its "
        "stable release.",
        json_schema_extra={"positional": True},
    )
    trust: bool = Field(
        default=False,
        description="Run the cells of a snapshot that this store did not capture, having seen its origin.",
    )


class PurgeRequest(Request):
    """Take records out for good, from JSON lines, Parquet and the gateway's ledger, and the feedback on them.

    At least one condition is needed.

    With both, only what was asked under one of the ids *and* before the moment goes.
    """

    name: EndpointName
    before: Moment | None = Field(
        default=None, description="What is older than 7d, 12h, … or was recorded before 2026-11-25T12:00."
    )
    request_id: tuple[str, ...] = Field(default=(), description="What was asked under this x-request-id (repeatable).")
    dry_run: bool = Field(default=False, description="Count what would go, and leave it.")


class StopRequest(Request):
    """Stop an endpoint. Records and history stay; 'nbdeploy rollback NAME' brings it back."""

    name: EndpointName
    if_revision: IfRevision = None
    reason: Reason = ""


class DownRequest(Request):
    """Stop all processes: workers, gateway and supervisor. 'nbdeploy reconcile' brings them back."""


class ReconcileRequest(Request):
    """Make what runs equal to what is wanted: after a crash, a kill or a reboot."""

    at_boot: Literal["on", "off"] | None = Field(
        default=None,
        description="Nothing now, but at each boot from now on, by a systemd user unit with the present settings; off: "
        "no longer.",
    )
