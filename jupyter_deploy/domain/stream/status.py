"""The observed state of an endpoint's stream."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from jupyter_deploy.domain.base import Value

from .spec import StreamSpec


class StreamState(Value):
    """The state of a stream's worker; the counts are those since its start.

    Attributes
    ----------
    problem
        Why it answers nothing now, in words; empty: it can.
    lag
        Messages in the source that are not acknowledged yet; None: unknown.
    open
        Messages that were read and are not acknowledged yet.
    retried
        Attempts after a failure.
    repeated
        Messages that the broker delivered again.
    """

    running: bool
    problem: str = ""
    lag: int | None = None
    open: int = 0
    answered: int = 0
    dead_lettered: int = 0
    retried: int = 0
    repeated: int = 0
    since: datetime | None = None


class StreamStatus(Value):
    """Desired and observed state of an endpoint's stream; ``spec`` None: it has none."""

    endpoint: str
    revision: int
    running: bool = Field(description="Whether the endpoint runs; a stopped endpoint answers no stream.")
    spec: StreamSpec | None
    state: StreamState | None = None

    @property
    def words(self) -> str:
        """The state in short, with what is read."""
        return f"{self.spec.words}: {self.condition}" if self.spec else "no stream"

    @property
    def condition(self) -> str:
        """The state in short: ``running, lag 3 messages``."""
        if not self.running:
            return "stopped with the endpoint"
        if self.state is None or not self.state.running:
            return "NOT RUNNING: 'nbdeploy reconcile' starts it"
        if self.state.problem:
            return f"WAITING: {self.state.problem}"
        lag = "unknown" if self.state.lag is None else f"{self.state.lag:,} messages"
        return f"running, lag {lag}"

    @property
    def healthy(self) -> bool:
        """Whether its worker runs and can answer."""
        return self.state is not None and self.state.running and not self.state.problem
