"""Results of the verbs, in addition to endpoints, records and comparisons."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .base import Value
from .capture.artifacts import Manifest
from .release.endpoint import Changes
from .release.traffic import Role
from .validation.validated import Validated
from .validation.validation import ValidationSpec


class Deployment(Value):
    """A release and its endpoint.

    ``changed`` is False when the model was deployed already: nothing was started or switched.
    ``captured`` is the snapshot's manifest; ``replaced`` names the candidate that this release replaced.
    ``url`` is for programs on this machine, ``public_url`` (a setting) for all others.
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
    changes: Changes | None = Field(default=None, description="Changes from the release that was stable at its deploy.")
    validation: Validated | None = Field(default=None, description="The outcome of its validation; None: it had none.")
    validations: tuple[ValidationSpec, ...] = Field(default=(), description="The endpoint's validations of releases.")
    asked_before: str = Field(default="", description="The former validations, in words; empty: no change.")
    waiting: tuple[str, ...] = Field(default=(), description="Postponed validations of this release, with reasons.")
    passed_over: str = Field(
        default="", description="The nbdeploy.yaml that was ignored, since the endpoint has other validations."
    )
    limits: tuple[str, ...] = Field(default=(), description="The limits on its resources, one line each.")
    image: str | None = Field(default=None, description="HOST/PATH@sha256:… of the image of the release.")
    redact: tuple[str, ...] = Field(default=(), description="Columns whose values are never stored.")
    secrets: dict[str, str] = Field(default={}, description="References to its secrets, by variable.")
    curl: str = Field(description="A command line that sends the example to the endpoint.")


class TrafficChange(Value):
    """A change of traffic: the roles before and after."""

    endpoint: str
    url: str
    revision: int
    before: dict[str, str]
    after: dict[str, str]
    change: str
    validation: Validated | None = Field(
        default=None, description="Of the release that gains traffic; None: it had none."
    )
    compared: str = Field(default="", description="The comparison's verdict on the promoted candidate.")


class Prediction(Value):
    """An endpoint's answer to one request."""

    endpoint: str
    status: int
    release: str | None
    request_id: str | None
    body: Any


class Reconciled(Value):
    """Changes that a reconciliation made to reach the desired state.

    Attributes
    ----------
    moved_from
        The former URL, if another process has taken the gateway's port; None: it is the same.
    """

    endpoint: str
    url: str | None
    moved_from: str | None = None
    started: list[str] = []
    stopped: list[str] = []
    failed: dict[str, str] = {}


class AtBoot(Value):
    """Whether the endpoints start again after a reboot; ``todo``: a command that the user must still run."""

    unit: str
    on: bool
    todo: str | None = None


class Exported(Value):
    """Records in a file; ``rows``: one for each instance, 0 for a notebook, which reads them when it runs."""

    endpoint: str
    file: str
    rows: int
    bytes: int


class Purged(Value):
    """Counts of permanently removed data, or with ``dry_run`` of data to be removed.

    ``records``, ``feedback`` (ground truth) and ``ledger_lines`` (the gateway's own log) count lines; ``unreadable``
    counts lines that a kill left incomplete.
    """

    endpoint: str
    records: int
    feedback: int = 0
    ledger_lines: int
    unreadable: int = 0
    dry_run: bool = False


class Labelled(Value):
    """A release's label, and its former one; empty: none."""

    endpoint: str
    release: str
    label: str
    before: str


class Stopped(Value):
    """Stopped endpoints and releases. Records remain, and history too unless the scope is ``target``."""

    endpoints: list[str]
    releases: list[str]
    scope: Literal["endpoint", "everything", "target"]
