"""The sink of all outcomes: records, metrics, traces."""

from __future__ import annotations

from collections.abc import Sequence

from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..telemetry import metrics
from ..telemetry.records import Records
from ..telemetry.tracing import Tracing
from .outcomes import Outcome

_NOT_RECORDED = (
    "the request cannot be recorded now (is the disk full?), and this service answers recorded requests only; try again"
)


class OutcomeSink:
    """Records, counts and traces outcomes before their responses are sent.

    Parameters
    ----------
    records, tracing
        None: no records, no traces.
    required
        Refuse with 503 a request that cannot be recorded.
    """

    def __init__(self, records: Records | None, tracing: Tracing | None, *, required: bool) -> None:
        self._records, self._tracing, self._required = records, tracing, required

    def commit(self, outcomes: Sequence[Outcome]) -> list[Response | None]:
        """Record outcomes in one write, count and trace them; return the responses to send."""
        entries = [outcome.entry() for outcome in outcomes]
        written = self._records is None or self._records.write_all(entries)
        answered = written or not self._required
        for entry in entries:
            metrics.count(str(entry.status if answered else 503), entry.role, entry.latency_ms / 1000)
        if self._tracing is not None:
            for outcome, entry in zip(outcomes, entries, strict=True):
                self._tracing.record_span(outcome, entry.status if answered else 503, entry.latency_ms)
        if answered:
            return [outcome.answer for outcome in outcomes]
        problem = Problem(503, _NOT_RECORDED, headers=[(b"retry-after", b"10")])
        return [outcome.pending.refusal(problem) for outcome in outcomes]

    def close(self) -> None:
        """Write the pending records and send the pending spans."""
        if self._records is not None:
            self._records.close()
        if self._tracing is not None:
            self._tracing.close()
