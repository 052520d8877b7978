"""The observed state of an endpoint and its releases."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from jupyter_deploy.domain.base import RecordMode, Value
from jupyter_deploy.domain.batch.results import BatchStatus
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.evidence.record_pages import Refusal
from jupyter_deploy.domain.model_selection.selection import Choice
from jupyter_deploy.domain.ramp.status import RampStatus
from jupyter_deploy.domain.stream.status import StreamStatus
from jupyter_deploy.domain.validation.validated import Validated
from jupyter_deploy.domain.validation.validation import ValidationSpec

from .comparison_settings import ComparisonSettings
from .endpoint import Changes
from .resources import Resources
from .traffic import Role, Traffic


class Counts(Value):
    """The gateway's counters of a release in its present role, since the gateway started.

    ``requests`` counts answered predictions (of a shadow: copies), without feedback and metadata; ``errors`` those with
    status 500 and above, also if the release was not reached; ``refused`` those with a status from 400 to 499;
    ``p50_ms`` is the median time to an answer of any kind, None before the first. ``since``: the gateway's start.
    """

    requests: int
    errors: int
    refused: int = 0
    p50_ms: float | None = None
    since: datetime | None = None


class Usage(Value):
    """The resources that a release's processes use.

    Attributes
    ----------
    cpu_seconds
        Processor time since their start; the difference of two observations tells the processors in use.
    memory
        Bytes; pages that several processes share count once.
    workers
        Processes that answer requests.
    waiting
        Requests that wait for the model; None: unknown.
    """

    cpu_seconds: float
    memory: int
    workers: int
    waiting: int | None = None


class ReleaseStatus(Value):
    tag: str
    label: str = ""
    role: Role
    percent: float
    healthy: bool
    framework: str = ""
    stochastic: bool = False
    source: Source = Source()
    changes: Changes | None = None
    detail: str = ""
    findings: tuple[Finding, ...] = ()
    validation: Validated | None = None
    redact: tuple[str, ...] = ()
    secrets: dict[str, str] = Field(default={}, description="References to its secrets, by variable.")
    image: str | None = Field(default=None, description="HOST/PATH@sha256:… of the image that it runs from.")
    resources: Resources = Resources()
    limits: tuple[str, ...] = Field(default=(), description="How its resources are enforced.")
    pods: str = Field(default="", description="On a cluster, how many of its pods are ready.")
    choice: Choice | None = Field(default=None, description="The choice among models that led to it, if it is known.")
    counts: Counts | None = Field(default=None, description="None: there is no gateway, or it sends nothing here.")
    created_at: datetime

    @property
    def words(self) -> str:
        """The label before the tag."""
        return f"{self.label} · {self.tag}" if self.label else self.tag

    @property
    def health_words(self) -> str:
        """``healthy``, ``healthy: 2 of 2 pods are ready``, or why it is not."""
        if self.detail:
            return self.detail
        return ": ".join(filter(None, ("healthy", self.pods))) if self.healthy else "not healthy"


class EndpointStatus(Value):
    """Desired and observed state of an endpoint; ``gateway``: whether the gateway listens at the URL.

    ``url`` is for programs on this machine, ``public_url`` (a setting) for all others.
    """

    name: str
    target: str = "local"
    url: str
    public_url: str | None = None
    revision: int
    running: bool
    gateway: bool
    gateways: str = Field(default="", description="How many of several gateways have the routes in force; empty: all.")
    traffic: Traffic
    record: RecordMode = "full"
    record_sample: float = 1.0
    comparison: ComparisonSettings = ComparisonSettings()
    validations: tuple[ValidationSpec, ...] = ()
    removed_records: int = Field(default=0, description="Purged or cleared away, ever.")
    refusals: tuple[Refusal, ...] = Field(
        default=(), description="Of 'describe': requests refused in the last 24 hours by reason, most frequent first."
    )
    ramp: RampStatus | None = Field(default=None, description="The latest ramp; None: there was none.")
    stream: StreamStatus | None = Field(default=None, description="None: the endpoint answers no stream.")
    batch: BatchStatus | None = Field(default=None, description="None: the endpoint scores no files by a schedule.")
    releases: list[ReleaseStatus]

    @property
    def refused(self) -> tuple[int, int]:
        """The refused requests of clients, and all, as the gateway counts them."""
        counts = [r.counts for r in self.releases if r.counts is not None and r.role != "shadow"]
        return sum(c.refused for c in counts), sum(c.requests for c in counts)

    @property
    def healthy(self) -> bool:
        return self.running and self.gateway and all(r.healthy for r in self.releases if r.role != "idle")
