"""The requests of the verbs. A field here is an option on every face; its description is the help text."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .base import FilePath, RecordMode, Value
from .capture.translation import Engine
from .comparison_options import AbsoluteForOneLook, ForOneLook, Kept, KeptAbsolute, KeptSegments, SegmentsForOneLook
from .model_selection.selection import GivenSelection
from .parsing import Moment, Requirements, Sample, Shares
from .progress import Leaderboard
from .release.resources import ResourceOptions
from .secret_references import SecretOptions
from .validation.parameters import Parameters, Texts

# pydantic warns of a field with the name of a deprecated method.
warnings.filterwarnings("ignore", 'Field name "validate" in "DeployRequest" shadows', UserWarning)

MARKDOWN = (".rmd", ".qmd")
"""The ends, in lower case, of the names of R Markdown and Quarto documents, which are read as notebooks."""


class Step(Value):
    """Progress of a long operation: step ``number`` of ``total`` has begun, or has a new ``board``."""

    number: int
    total: int
    title: str
    board: Leaderboard | None = None

    @property
    def words(self) -> str:
        """The title, with the scores of the board."""
        return f"{self.title}; {self.board.words}" if self.board and self.board.rows else self.title


Record = Annotated[
    RecordMode | None,
    Field(description="Data to record of each request: full, meta (no inputs, outputs and error messages), off."),
]
RecordSample = Annotated[
    Sample | None,
    Field(description="Share of the requests to record, such as 10%; the same requests for stable and shadows."),
]
Reason = Annotated[str, Field(description="The reason; stored in the history.")]
Force = Annotated[bool, Field(description="Continue although gates do not hold; needs a reason, which is stored.")]
IfRevision = Annotated[int | None, Field(description="Refuse if the endpoint is not at this revision.")]
EndpointName = Annotated[
    str, Field(description="The endpoint's name.", json_schema_extra={"positional": True, "completes": "endpoint"})
]


class Request(BaseModel):
    """Base of all requests: unknown options are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class DeployRequest(Request):
    """Capture a model, prove it in a clean process, and release it behind an endpoint.

    The first release of an endpoint becomes stable; a later one starts as a shadow: it gets a copy of every request
    and its answers go only to the records. An unchanged model is a no-op; a changed one replaces the candidate from
    the same notebook and variable that is not promoted yet.
    """

    source: Annotated[str | None, FilePath()] = Field(
        default=None,
        description="A notebook (.ipynb, .qmd, .Rmd; it runs headless, then its variable is captured) or a snapshot's "
        "tag; in a magic: the variable that holds the model.",
        json_schema_extra={"positional": True},
    )
    name: str | None = Field(
        default=None,
        description="The endpoint's name (default: the snapshot's).",
        json_schema_extra={"completes": "endpoint"},
    )
    model: str | None = Field(default=None, description="The notebook's variable that holds the model.")
    method: str | None = Field(
        default=None, description="The method to serve (default: predict if there is one, else the call itself)."
    )
    example: str | None = Field(
        default=None,
        description="An expression for the model's input, such as 'X_test[:5]' "
        "(default: rows of the notebook's tables that show missing values, categories and extremes).",
    )
    role: Literal["auto", "stable", "shadow", "canary"] = Field(
        default="auto", description="The release's role; auto: first stable, later shadow."
    )
    percent: float | None = Field(
        default=None, description="Share of the requests (default: 100 for a shadow, 10 for a canary)."
    )
    keep: bool = Field(default=False, description="Keep the candidate that this release would replace.")
    signature: str | None = Field(
        default=None,
        description="An expression for a pydantic model of one instance (default: inferred from the example and the "
        "annotations).",
    )
    nullable: Texts = Field(
        default=(),
        description="A column whose value may be null in requests although the example has none (repeatable); the "
        "model is called with such a row before it is deployed. Of a stored snapshot it makes another release.",
    )
    lookup: str | None = Field(
        default=None,
        description="An expression for features that are looked up by a key, objects of "
        "jupyter_deploy.feature_lookup: 'customers' or '[customers, products]'; a request may then bring the key.",
    )
    training: str | None = Field(
        default=None,
        description="An expression for the table that the model was fitted on (default: found in the executed cells).",
    )
    include: Annotated[tuple[str, ...], FilePath()] = Field(
        default=(),
        description="A file or folder to pack although it is outside the project, hidden or large (repeatable).",
    )
    engine: Engine = Field(
        default="native",
        description="onnx: serve a translation of the model that is proved to answer as the model does, without the "
        "model's library; auto: onnx if that can be proved.",
    )
    label: str = Field(
        default="", description="A name for the release, such as 'wider trees'; shown before its tag everywhere."
    )
    show_example: bool = Field(
        default=False,
        description="Show the example's rows in openapi.json, to every client; else its examples are made from the "
        "schema.",
    )
    strict: bool = Field(default=False, description="Warnings of the checks refuse the deploy too.")
    waive: tuple[str, ...] = Field(
        default=(), description="Ignore the findings of this check (repeatable); needs a reason, which is stored."
    )
    isolated: bool = Field(
        default=False,
        description="Serve it from its own environment, built from the lock: later installations in the notebook's "
        "environment do not affect it.",
    )
    validate: Annotated[Texts, FilePath()] = Field(  # type: ignore[assignment]
        default=(),
        description="A validation notebook that the release must pass, as must later ones of this endpoint "
        "(repeatable; off: remove all; default: the endpoint's own, or those of nbdeploy.yaml).",
    )
    gate: Texts = Field(
        default=(),
        description="A condition on the notebooks' metrics (repeatable), such as 'accuracy >= stable - 0.01', or, "
        "without --validate, also on the comparison on live traffic, such as 'agreement >= 0.99', before the release "
        "answers clients; without --validate it is added to the existing gates.",
    )
    parameter: Parameters = Field(
        default=(),
        description="KEY=VALUE, or two words KEY VALUE, for the notebooks' parameters cells (repeatable).",
        json_schema_extra={"short": "-p", "pairs": True},
    )
    resources: ResourceOptions = Field(
        default={},
        description="NAME=VALUE (repeatable) of cpu, memory, gpu, workers, threads, idle_after and replicas, such "
        "as workers=4 or memory=512MB; any: no limit (default: those of nbdeploy.yaml, else of the endpoint's stable "
        "release).",
    )
    force: Force = False
    record: Record = None
    record_sample: RecordSample = None
    redact: Texts = Field(
        default=(),
        description="A column whose values are never stored, neither in records nor in logs (repeatable; off: none; "
        "default: the columns of the stable release and of nbdeploy.yaml).",
    )
    secret: SecretOptions = Field(
        default={},
        description="VARIABLE=REFERENCE (repeatable): an environment variable of the model's processes whose value is "
        "read at their start: from env:NAME, file:PATH, keyring:NAME (see 'nbdeploy secret'), command:NAME or, in a "
        "cluster, k8s:SECRET/KEY; off: none (default: those of nbdeploy.yaml, else of the stable release). The value "
        "is in no snapshot, record, log or image.",
    )
    image: str | None = Field(
        default=None,
        description="HOST/PATH:TAG or HOST/PATH@sha256:…: run the release from this published image, by podman or "
        "docker; SOURCE is its snapshot's tag, or is omitted.",
    )
    verify: str | None = Field(
        default=None,
        description="The signer's public key, a file: refuse an image that is not signed by its owner, or that "
        "'nbdeploy verify' does not pass.",
    )
    target: str = Field(default="local", description="The target that runs the release.")
    trust: bool = Field(
        default=False, description="Unpickle a snapshot from another store, after you have checked its origin."
    )
    choice: GivenSelection | None = Field(
        default=None, description="JSON, or @FILE: the table that 'candidates' gave for SOURCE. The release keeps it."
    )
    reason: Reason = ""


class ListRequest(Request):
    """All endpoints."""


class DescribeRequest(Request):
    """One endpoint: its URL, releases, roles, health and revision."""

    name: EndpointName


class TrafficRequest(Request):
    """Set the shares of canary and shadows, the recording, and the settings of comparisons.

    0 switches a release off; what is not named stays.
    """

    name: EndpointName
    shadow: Shares = Field(
        default={},
        description="TAG=PERCENT of the requests copied to a shadow (repeatable).",
        json_schema_extra={"completes": "share"},
    )
    canary: Shares = Field(
        default={},
        description="TAG=PERCENT of the requests answered by the canary.",
        json_schema_extra={"completes": "share"},
    )
    record: Record = None
    record_sample: RecordSample = None
    tolerance: Kept = None
    absolute_tolerance: KeptAbsolute = None
    segment: KeptSegments = ()
    force: Force = False
    if_revision: IfRevision = None
    reason: Reason = ""


class PromoteRequest(Request):
    """Make the candidate stable, at once and without losing a request."""

    name: EndpointName
    tag: str | None = Field(
        default=None,
        description="The candidate (default: the canary, else the only shadow).",
        json_schema_extra={"positional": True, "completes": "release"},
    )
    force: Force = False
    if_revision: IfRevision = None
    reason: Reason = ""


class RollbackRequest(Request):
    """Restore the releases, traffic and recording of the previous revision, or of a named one."""

    name: EndpointName
    to: int | None = Field(default=None, description="The revision to go back to (default: the previous one).")
    if_revision: IfRevision = None
    reason: Reason = ""


class HistoryRequest(Request):
    """Show the endpoint's revisions: author, time, reason and change."""

    name: EndpointName


class CompareRequest(Request):
    """Compare a candidate with stable: a shadow paired on the same requests, a canary unpaired."""

    name: EndpointName
    candidate: str | None = Field(
        default=None,
        description="The candidate (default: the canary, else the only shadow).",
        json_schema_extra={"completes": "release"},
    )
    since: Moment | None = Field(
        default=None, description="Only requests of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00."
    )
    tolerance: ForOneLook = None
    absolute_tolerance: AbsoluteForOneLook = None
    segment: SegmentsForOneLook = ()
    require: Requirements = Field(
        default=[],
        description="A figure that must be shown, such as 'agreement >= 0.99' (repeatable); the exit code is 0 when "
        "all are met, 1 when one is not, 4 while one is undecided.",
    )


class PredictRequest(Request):
    """Call the endpoint through its gateway."""

    name: EndpointName
    data: Any = Field(
        default=None,
        description="JSON, or @FILE: a request body, or its list of instances (default: the stable release's example); "
        "in Python also a list, an array or a data frame.",
    )


class FeedbackRequest(Request):
    """Send ground truth to an endpoint, and show the share that could be joined with its answers.

    Any client can send it: POST /NAME/feedback takes {"request_id", "row", "actual"}, or {"feedback": [...]} of many.
    If a row is sent again, the last value counts.
    """

    name: EndpointName
    data: Annotated[Any, FilePath()] = Field(
        default=None,
        description="A file (CSV, JSON lines, JSON or Parquet) or JSON with request_id (an answer's x-request-id), row "
        "(from 0; default 0) and actual; in Python also a list or a data frame (default: only the counts are shown).",
    )


class PurgeRequest(Request):
    """Remove records permanently, from JSON lines, Parquet and the gateway's ledger, with their feedback.

    At least one condition is needed.

    With both, only records of one of the ids *and* before the moment are removed.
    """

    name: EndpointName
    before: Moment | None = Field(
        default=None, description="Records older than 7d, 12h, …, or from before 2026-11-25T12:00."
    )
    request_id: tuple[str, ...] = Field(default=(), description="Records of this x-request-id (repeatable).")
    dry_run: bool = Field(default=False, description="Count the records without removing them.")


class StopRequest(Request):
    """Stop an endpoint. Records and history remain; 'nbdeploy rollback NAME' starts it again."""

    name: EndpointName
    if_revision: IfRevision = None
    reason: Reason = ""


class LabelRequest(Request):
    """Name a release in your own words; every command takes the label in place of the tag."""

    name: EndpointName
    release: str = Field(
        description="The release's tag, version or present label.",
        json_schema_extra={"positional": True, "completes": "release"},
    )
    label: str = Field(
        default="",
        description="At most 60 characters, such as 'wider trees'; empty: none.",
        json_schema_extra={"positional": True},
    )
    if_revision: IfRevision = None
    reason: Reason = ""


class ReconcileRequest(Request):
    """Restore the desired state: after a crash, a kill or a reboot."""

    at_boot: Literal["on", "off"] | None = Field(
        default=None,
        description="Reconcile at each boot instead of now, by a systemd user unit with the current settings; off: "
        "remove the unit.",
    )
