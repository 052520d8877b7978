"""The exporter of a cluster's metrics: pods' own, with the labels of the revision in force."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.endpoint_maps import EndpointMaps
from jupyter_deploy.targets.kubernetes.metrics import exporter as module
from jupyter_deploy.targets.kubernetes.metrics.exporter import Exporter, pods_of, serve
from tests.shared_endpoints import FakeApi, endpoint_at, revision_of

OWN = """# TYPE nbdeploy_requests_total counter
nbdeploy_requests_total{role="stable",status="200"} 7.0
no sample
bentoml_service_request_total 3.0
"""


class Api(FakeApi):
    def __init__(self):
        super().__init__()
        self.slices = []

    def list_(self, kind, selector=""):
        found = super().list_(kind, selector)
        return self.slices if kind == "EndpointSlice" else found


def slice_of(service, *endpoints, port=8080):
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": port}],
        "endpoints": list(endpoints),
    }


def endpoint(host, pod, **conditions):
    return {"addresses": [host], "targetRef": {"name": pod}, "conditions": conditions}


@pytest.fixture
def port():
    """Of a pod's own metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(OWN.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def api():
    return Api()


@pytest.fixture
def url(api, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_KEPT_SECONDS", 0)
    with serve(Exporter(api, tmp_path), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def metrics(url):
    return httpx.get(f"{url}/metrics", trust_env=False, timeout=30)


def test_a_pods_samples_get_the_labels_of_the_revision_in_force(api, url, port):
    running = endpoint_at(1)
    EndpointMaps(lambda: api, "kubernetes").write(revision_of(running), based_on=0)
    tag = running.traffic.stable
    api.slices = [slice_of(names.release_name("churn", tag), endpoint("127.0.0.1", "a", ready=True), port=port)]
    text = metrics(url).text
    of_release = f'endpoint="churn",release="{tag}"'
    assert f'nbdeploy_requests_total{{{of_release},pod="a",role="stable",status="200"}} 7.0' in text
    assert f'nbdeploy_release_up{{{of_release},role="stable"}} 1.0' in text
    assert f'nbdeploy_release_pods{{{of_release},role="stable"}} 1.0' in text
    assert 'nbdeploy_endpoint_revision{endpoint="churn"} 1.0' in text
    assert "bentoml" not in text
    api.slices = []
    assert f'nbdeploy_release_up{{{of_release},role="stable"}} 0.0' in metrics(url).text


def test_drift_of_releases_with_traffic_has_their_labels(api, url, tmp_path):
    running = endpoint_at(1)
    EndpointMaps(lambda: api, "kubernetes").write(revision_of(running), based_on=0)
    folder = tmp_path / "drift" / "churn"
    folder.mkdir(parents=True)
    for version in ("aaa", "bbb"):
        (folder / f"{version}.prom").write_text(
            '# TYPE nbdeploy_drift_e_value gauge\nnbdeploy_drift_e_value{feature="age"} 9.0\n'
        )
    samples = [line for line in metrics(url).text.splitlines() if line.startswith("nbdeploy_drift")]
    assert samples == ['nbdeploy_drift_e_value{endpoint="churn",release="churn:aaa",role="stable",feature="age"} 9.0']


def test_without_the_api_there_is_a_reason_and_no_metric(api, url):
    api.away = True
    answer = metrics(url)
    assert (answer.status_code, answer.json()["detail"]) == (503, "the API does not answer")
    assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200


def test_a_pod_that_ends_is_none():
    found = pods_of(
        [
            slice_of("nbd-a", endpoint("10.0.0.1", "a", ready=True), endpoint("10.0.0.2", "b", ready=False)),
            slice_of("nbd-a", endpoint("10.0.0.3", "c", ready=True, terminating=True)),
            {**slice_of("nbd-b"), "endpoints": None},
        ]
    )
    assert {service: [(pod.name, pod.ready) for pod in pods] for service, pods in found.items()} == {
        "nbd-a": [("a", True), ("b", False)]
    }
