"""Spans and durations of requests for OpenTelemetry; without the variable ``ENDPOINT`` nothing is created or sent.

Durations are the histogram ``http.server.request.duration`` of the semantic conventions for HTTP metrics
(https://opentelemetry.io/docs/specs/semconv/http/http-metrics/); its exemplars name the trace of a slow request. Spans
continue the trace of ``traceparent``, which the gateway sends to a release and its shadows alike. They hold no
value of a request or response and no exception message.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .logging import log

if TYPE_CHECKING:
    from opentelemetry.context import Context

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


_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds; those of the semantic conventions."""


class Tracing:
    """Creates a span for each request, with a child span for the model's call, and sends them in the background.

    The durations of all requests are sent too, once a minute.

    ``OTEL_TRACES_SAMPLER`` sets the share of new traces that are kept.
    """

    def __init__(self, endpoint: str, release: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = {"service.name": endpoint, "service.version": release.rpartition(":")[2]}
        self._provider = TracerProvider(resource=Resource.create(resource))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("nbdeploy")
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter())]
        self._meters = MeterProvider(readers, Resource.create(resource))
        self._durations = self._meters.get_meter("nbdeploy").create_histogram(
            "http.server.request.duration",
            "s",
            "Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
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
        self._record_duration(status, latency_ms, context.role, self._within(span, parent))
        if pending.model_call is not None and span.is_recording():
            began, ended, rows = pending.model_call
            start = context.ts_ns + int((began - context.started) * 1e9)
            call = self._tracer.start_span(
                "model", self._within(span, parent), self._internal, {"nbdeploy.rows": rows}, start_time=start
            )
            call.end(start + int((ended - began) * 1e9))
        span.end(context.ts_ns + int(latency_ms * 1e6))

    def _record_duration(self, status: int, latency_ms: float, role: str, within: Context) -> None:
        about: dict[str, str | int] = {
            "http.request.method": "POST",
            "http.response.status_code": status,
            "url.scheme": "http",
            "nbdeploy.role": role,
        }
        if status >= 500:
            about["error.type"] = str(status)
        self._durations.record(latency_ms / 1000, about, within)

    def close(self) -> None:
        """Send the pending spans and durations."""
        self._provider.shutdown()
        self._meters.shutdown()
