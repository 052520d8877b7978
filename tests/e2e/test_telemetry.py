"""Traces and metrics: sent only to a configured address, continued through the gateway into release and shadow."""

import http.server
import threading

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.conftest import until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = 78123.25  # a value of a row: no span may hold it


def chunked(request):
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


@pytest.fixture
def collector():
    """What an OpenTelemetry collector is sent: (service, span) pairs, metrics, and the bytes themselves."""
    spans, durations, sent = [], [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = self.headers["content-length"]
            body = self.rfile.read(int(length)) if length else chunked(self)
            sent.append(body)
            if self.path == "/v1/metrics":
                for of_one in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    durations.extend(metric for scope in of_one.scope_metrics for metric in scope.metrics)
                body = b""
            for of_one in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {a.key: a.value.string_value for a in of_one.resource.attributes}
                spans.extend((about["service.name"], span) for scope in of_one.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.spans, server.durations, server.sent = spans, durations, sent
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def attribute(span, name):
    (value,) = [a.value for a in span.attributes if a.key == name]
    return value.string_value or value.int_value


def test_a_callers_trace_goes_on_through_the_gateway_into_the_release_and_its_shadow(home, deploy, collector):
    home.environment["NBDEPLOY_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.server_address[1]}"
    url = deploy(1.0)["url"]
    deploy(0.01)
    asked = {"instances": [{"age": 50, "weight": SECRET}]}
    answer = httpx.post(f"{url}/predict", json=asked, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    assert answer.status_code == 200

    def ours():
        """All spans of the trace: each is sent when its process gets to it."""
        found = [(service, span) for service, span in collector.spans if span.trace_id.hex() == TRACE]
        gateway = {span.span_id: span for service, span in found if service == "nbdeploy-gateway"}
        named = {name: [span for _, span in found if span.name == name] for name in ("predict", "model")}
        told = len(named["predict"]) == len(named["model"]) == 2
        known = all(span.parent_span_id in gateway for span in named["predict"])
        edges = [span for span in gateway.values() if span.parent_span_id.hex() == CALLER]
        return (gateway, named) if told and known and edges else None

    gateway, named = until(ours)
    (edge,) = [span for span in gateway.values() if span.parent_span_id.hex() == CALLER]
    # Envoy may make a span of its own for the copy.
    assert all(span is edge or span.parent_span_id == edge.span_id for span in gateway.values())
    predictions = {attribute(span, "nbdeploy.role"): span for span in named["predict"]}
    assert predictions.keys() == {"stable", "shadow"}
    for span in predictions.values():
        assert (attribute(span, "http.response.status_code"), attribute(span, "nbdeploy.rows")) == (200, 1)
    request_id = answer.headers["x-request-id"]
    assert attribute(predictions["stable"], "nbdeploy.request_id") == request_id, "a trace leads to its record"
    assert home.json("logs", "churn", "--request-id", request_id, "--role", "stable")
    assert attribute(predictions["stable"], "nbdeploy.pair_id") == attribute(predictions["shadow"], "nbdeploy.pair_id")
    assert {span.parent_span_id for span in named["model"]} == {span.span_id for span in predictions.values()}

    home.run("stop", "churn")  # a release that ends sends its metrics
    points = until(lambda: [p for m in collector.durations for p in m.histogram.data_points if p.count])
    assert {metric.name for metric in collector.durations} == {"http.server.request.duration"}
    about = {a.key: a.value.string_value or a.value.int_value for a in points[0].attributes}
    assert about.items() >= {"http.request.method": "POST", "http.response.status_code": 200}.items()
    assert TRACE in {exemplar.trace_id.hex() for point in points for exemplar in point.exemplars}
    assert not any(str(SECRET).encode() in sent for sent in collector.sent)
