"""What each verb is asked with. A field here is an option on every face; its description is the help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .base import RecordMode, Value
from .errors import InvalidInput, InvalidTraffic


class Step(Value):
    """Progress of a long operation: step ``number`` of ``total`` has begun."""

    number: int
    total: int
    title: str


def parse_shares(given: Any) -> Any:
    """``TAG=PERCENT`` texts (one or a list) as a mapping; a mapping stays as it is.

    Raises
    ------
    InvalidTraffic
        A text without ``=``, a percentage that is not a number, or one tag twice.
    """
    if given is None or isinstance(given, Mapping):
        return given or {}
    shares: dict[str, float] = {}
    for text in list(given) if isinstance(given, list | tuple) else [given]:
        tag, equals, percent = str(text).rpartition("=")
        try:
            number = float(percent.removesuffix("%"))
        except ValueError:
            number = None
        if not equals or not tag or number is None:
            raise InvalidTraffic(
                f"'{text}' is not TAG=PERCENT", "write, for example, --shadow 1a2b3c4d=100; in Python {'1a2b3c4d': 100}"
            )
        if tag in shares:
            raise InvalidTraffic(f"{tag} stands twice", "name each release once")
        shares[tag] = number
    return shares


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(given: Any) -> Any:
    """``90s``, ``15m``, ``1h``, ``7d`` as a timedelta."""
    if not isinstance(given, str):
        return given
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", given)
    if not match:
        raise InvalidInput(f"'{given}' is not a duration", "write 90s, 15m, 1h, 7d or 2w")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def parse_tolerance(given: Any) -> Any:
    """``1%`` or ``0.01`` as a share of at least 0.

    Raises
    ------
    InvalidInput
        It is none.
    """
    if given is None:
        return None
    try:
        number = float(str(given).strip().removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InvalidInput(f"'{given}' is not a tolerance", "write a share of at least 0, such as 1% or 0.01")
    if str(given).strip().endswith("%"):
        return number / 100
    if number > 1:
        raise InvalidInput(f"'{given}' would be {number:.0%}", f"did you mean {number:g}%?")
    return number


def parse_moment(given: Any) -> Any:
    """``7d`` (so long ago) as a timedelta, ``2026-11-25T12:00`` as a datetime; without a zone it is local time."""
    if not isinstance(given, str):
        return given
    try:
        return datetime.fromisoformat(given.strip()).astimezone()
    except ValueError:
        pass
    try:
        return parse_duration(given)
    except InvalidInput:
        raise InvalidInput(
            f"'{given}' is not a duration and not a moment", "write 15m, 7d, 2026-11-25 or 2026-11-25T12:00+01:00"
        ) from None


def _requirements(given: Any) -> Any:
    from .requirement import parse_requirements  # noqa: PLC0415 - figures and comparisons, which --help needs not

    return parse_requirements(given)


Shares = Annotated[dict[str, float], BeforeValidator(parse_shares)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Tolerance = Annotated[float, BeforeValidator(parse_tolerance)]
Requirements = Annotated[list[str], BeforeValidator(_requirements)]
Moment = Annotated[timedelta | datetime, BeforeValidator(parse_moment)]
Record = Annotated[
    RecordMode | None,
    Field(description="What is recorded of each request: full, meta (no inputs, outputs and error messages), off."),
]
Reason = Annotated[str, Field(description="Why; kept in the history.")]
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

    source: str | None = Field(
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
    include: tuple[str, ...] = Field(
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
    record: Record = None
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
    """Take records out for good, from JSON lines, Parquet and the gateway's ledger; at least one condition is needed.

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
