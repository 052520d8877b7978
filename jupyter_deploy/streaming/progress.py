"""The counts of a stream's worker, for its status and for the exporter. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from jupyter_deploy.domain.monitoring.exposition import Exposition
from jupyter_deploy.domain.stream.status import StreamState


@dataclass
class Progress:
    """The counts since the worker's start; see ``StreamState``."""

    answered: int = 0
    dead_lettered: int = 0
    retried: int = 0
    repeated: int = 0
    open: int = 0
    lag: int | None = None
    problems: dict[str, str] = field(default_factory=dict)
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def state(self) -> StreamState:
        """Return the state of a running worker."""
        return StreamState(
            running=True,
            problem="; ".join(self.problems.values()),
            lag=self.lag,
            open=self.open,
            answered=self.answered,
            dead_lettered=self.dead_lettered,
            retried=self.retried,
            repeated=self.repeated,
            since=self.since,
        )


def metrics_of(endpoint: str, state: StreamState) -> str:
    """Return a stream's metrics in Prometheus' text format."""
    labels = {"endpoint": endpoint}
    metrics = Exposition()
    if state.lag is not None:
        metrics.add(
            "nbdeploy_stream_lag_messages", "gauge", "Messages that are not acknowledged yet", [(labels, state.lag)]
        )
    metrics.add("nbdeploy_stream_open_messages", "gauge", "Messages in the worker", [(labels, state.open)])
    waiting = float(bool(state.problem))
    metrics.add("nbdeploy_stream_waiting", "gauge", "Whether the worker waits for a broker", [(labels, waiting)])
    outcomes = {"answered": state.answered, "dead_lettered": state.dead_lettered}
    metrics.add(
        "nbdeploy_stream_messages_total",
        "counter",
        "Messages by outcome",
        [({**labels, "outcome": name}, float(count)) for name, count in outcomes.items()],
    )
    metrics.add("nbdeploy_stream_retries_total", "counter", "Attempts after a failure", [(labels, state.retried)])
    metrics.add("nbdeploy_stream_repeated_total", "counter", "Messages that came again", [(labels, state.repeated)])
    return metrics.text()
