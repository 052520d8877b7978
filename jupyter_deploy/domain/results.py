"""What the verbs return beside endpoints, records and comparisons."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .base import Value
from .capture.artifacts import Manifest
from .release.endpoint import Changes, Role
from .validation.validated import Validated
from .validation.validation import ValidationSpec


class Deployment(Value):
    """A release and the endpoint that it now stands behind.

    ``changed`` is False when the model was deployed already: nothing was started or switched.
    ``captured`` is what the snapshot holds; ``replaced`` names the candidate that this release took the place of.
    ``url`` is for programs on this machine, ``public_url`` (a setting) for everybody else.
    """

    endpoint: str
    url: str
    public_url: str | None = None
    release: str
    role: Role
    percent: float
    snapshot: str
    revision: int
    changed: bool
    replaced: str | None = None
    captured: Manifest
    changes: Changes | None = Field(default=None, description="Against the release that was stable when it came.")
    validation: Validated | None = Field(default=None, description="What its validation found; None: it had none.")
    validations: tuple[ValidationSpec, ...] = Field(default=(), description="What the endpoint asks of releases.")
    asked_before: str = Field(default="", description="What it asked until now, in words; empty: nothing has changed.")
    waiting: tuple[str, ...] = Field(default=(), description="What could not be asked of this release yet, and why.")
    passed_over: str = Field(
        default="", description="The nbdeploy.yaml here, where the endpoint asks what was named elsewhere."
    )
    limits: tuple[str, ...] = Field(default=(), description="How its resources are enforced, one line each.")
    image: str | None = Field(default=None, description="HOST/PATH@sha256:… of the image that it runs from.")
    redact: tuple[str, ...] = Field(default=(), description="Columns whose values are never written down.")
    curl: str = Field(description="A command line that asks the endpoint the example.")


class TrafficChange(Value):
    """One change of who gets which share: the roles before and after."""

    endpoint: str
    url: str
    revision: int
    before: dict[str, str]
    after: dict[str, str]
    change: str
    validation: Validated | None = Field(default=None, description="Of the release that gains; None: it had none.")
    compared: str = Field(default="", description="What the comparison said of the candidate that was promoted.")


class Prediction(Value):
    """An endpoint's answer to one request."""

    endpoint: str
    status: int
    release: str | None
    request_id: str | None
    body: Any


class Reconciled(Value):
    """What had to be done to make what runs equal to what is wanted."""

    endpoint: str
    url: str | None
    started: list[str] = []
    stopped: list[str] = []
    failed: dict[str, str] = {}


class AtBoot(Value):
    """Whether the endpoints come back after a reboot; ``todo``: the command that is still missing for it."""

    unit: str
    on: bool
    todo: str | None = None


class Purged(Value):
    """What was taken out for good, or with ``dry_run`` what would be.

    ``records``, ``feedback`` (what was told of the answers) and ``ledger_lines`` (the gateway's own log) count lines;
    ``unreadable`` those that a kill had torn.
    """

    endpoint: str
    records: int
    feedback: int = 0
    ledger_lines: int
    unreadable: int = 0
    dry_run: bool = False


class Stopped(Value):
    """What no longer runs; records and history are kept."""

    endpoints: list[str]
    releases: list[str]
    scope: Literal["endpoint", "everything"]
