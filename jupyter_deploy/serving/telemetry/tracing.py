"""Spans of requests for OpenTelemetry; without the variable ``ENDPOINT`` nothing is created or sent.

Spans continue the trace of ``traceparent``, which the gateway sends to a release and its shadows alike. They hold no
value of a request or response and no exception message.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .logging import log

if TYPE_CHECKING:
    from ..dispatch.outcomes import Outcome

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The variable with the collector's URL, such as ``http://127.0.0.1:4318``."""

_MISSING = (
    f"{ENDPOINT} is set, but the OpenTelemetry exporter is not installed: run pip install 'nbdeploy[otlp]', "
    "then deploy again"
)


def tracing(endpoint: str, release: str) -> Tracing | None:
    """Return the tracing of a release; None if no collector is set or the exporter is not installed."""
    if not os.environ.get(ENDPOINT):
        return None
    try:
        return Tracing(endpoint, release)
    except ImportError:
        log(_MISSING)
        return None


class Tracing:
    """Creates a span for each request, with a child span for the model's call, and sends them in the background.

    ``OTEL_TRACES_SAMPLER`` sets the share of new traces that are kept.
    """

    def __init__(self, endpoint: str, release: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # an extra
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = {"service.name": endpoint, "service.version": release.rpartition(":")[2]}
        self._provider = TracerProvider(resource=Resource.create(resource))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("nbdeploy")
        self._propagator = TraceContextTextMapPropagator()
        self._server, self._internal = SpanKind.SERVER, SpanKind.INTERNAL
        self._error = Status(StatusCode.ERROR)
        self._within = set_span_in_context
        self._release = release

    def record_span(self, outcome: Outcome, status: int, latency_ms: float) -> None:
        """Record the span of a completed request; ``latency_ms`` is its duration."""
        pending = outcome.pending
        context = pending.context
        carrier = {name: context.header(name.encode()) for name in ("traceparent", "tracestate")}
        parent = self._propagator.extract(carrier)
        about: dict[str, str | int] = {
            "http.request.method": "POST",
            "http.response.status_code": status,
            "nbdeploy.release": self._release,
            "nbdeploy.role": context.role,
            "nbdeploy.request_id": context.request_id,
        }
        if context.pair_id is not None:
            about["nbdeploy.pair_id"] = context.pair_id
        if pending.parsed is not None:
            about["nbdeploy.rows"] = pending.parsed.rows
        if outcome.error is not None:
            about["error.type"] = outcome.error["type"]
        span = self._tracer.start_span("predict", parent, self._server, about, start_time=context.ts_ns)
        if status >= 500:
            span.set_status(self._error)
        if pending.model_call is not None and span.is_recording():
            began, ended, rows = pending.model_call
            start = context.ts_ns + int((began - context.started) * 1e9)
            call = self._tracer.start_span(
                "model", self._within(span, parent), self._internal, {"nbdeploy.rows": rows}, start_time=start
            )
            call.end(start + int((ended - began) * 1e9))
        span.end(context.ts_ns + int(latency_ms * 1e6))

    def close(self) -> None:
        """Send the pending spans."""
        self._provider.shutdown()
