"""The serving package in front of a real BentoML, in processes without this project."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_deploy import serving
from jupyter_deploy.serving.agreement import differences
from jupyter_deploy.serving.values.codec import instances_of, to_json
from tests.contract.serving.test_serving_snapshot import write_snapshot

SERVICE = """
import bentoml
from serving import Front, load


@bentoml.service(name="{name}")
class Served:
    snapshot = bentoml.models.BentoModel("{name}:1a2b")

    def __init__(self) -> None:
        self.model = load(self.snapshot.path, digest="{digest}")

    @bentoml.api
    def predict(self, instances: list) -> dict:
        return {{"predictions": self.model.answer(instances)}}


Served.add_asgi_middleware(Front)


def app():
    return Front(Served.to_asgi())
"""

STORE = """
import pathlib, shutil, sys, bentoml
for name in sys.argv[2:]:
    with bentoml.models.create(f"{name}:1a2b") as stored:
        for file in pathlib.Path(sys.argv[1], name, "1a2b").iterdir():
            shutil.copy(file, stored.path)
"""


def pipeline():
    frame, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, labels)
    example = frame[:5]
    return model, example, model.predict(example), "frame", {"method": "predict", "prototype": example[:0]}


def network():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layers = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Dropout(0.5), torch.nn.Softmax(-1))

        def forward(self, batch):
            return self.layers(batch)

    model, example = Net().eval(), torch.arange(12.0).reshape(3, 4)
    return model, example, model(example).detach(), "tensor", {"framework": "torch", "prototype": example[:0]}


def function():
    def risk(age: int, sex: str) -> dict:
        return {"risk": age / 100 if sex == "F" else age / 80}

    example = {"age": 40, "sex": "F"}
    return risk, example, [risk(**example)], "call", {"parameters": ("age", "sex")}


MODELS = {"tumour": pipeline, "net": network, "risk": function}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Make a BentoML home with the three models, and a folder with a service for each."""
    root = tmp_path_factory.mktemp("served")
    for name, make in MODELS.items():
        native, example, answers, container, more = make()
        folder = root / "captured" / name / "1a2b"
        digest = write_snapshot(folder, native, example, answers, container, **more)
        shutil.copytree(Path(serving.__file__).parent, root / name / "serving")
        (root / name / "service.py").write_text(SERVICE.format(name=name, digest=digest))
    command = [sys.executable, "-c", STORE, str(root / "captured"), *MODELS]
    subprocess.run(command, env=environment(root), cwd=root, check=True)
    return root


def environment(root):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NBDEPLOY"))}
    return kept | {"BENTOML_HOME": str(root / "bentoml"), "BENTOML_DO_NOT_TRACK": "true"}


# uvicorn closes a connection that has waited for five seconds, perhaps just when a request is on its way.
RESTED = httpx.Limits(keepalive_expiry=1)


class Server:
    """Start a server; ``how`` is ``uvicorn`` (on a unix socket) or ``bentoml`` (on a loopback port)."""

    def __init__(self, how, root, name, scratch, **more):
        self.records = scratch / "records"
        self.log = scratch / "log"
        if how == "uvicorn":
            path = str(scratch / "s")
            command = [sys.executable, "-m", "uvicorn", "--factory", "service:app", "--uds", path]
            transport, base = httpx.HTTPTransport(uds=path, limits=RESTED), "http://model"
        else:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            command = [sys.executable, "-m", "bentoml", "serve", "service:Served", "--port", str(port)]
            command += ["--host", "127.0.0.1"]
            transport, base = httpx.HTTPTransport(limits=RESTED), f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            command,
            cwd=root / name,
            env=environment(root) | {"NBDEPLOY_RECORDS": str(self.records)} | more,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.client = httpx.Client(transport=transport, base_url=base, timeout=60, trust_env=False)

    def until_ready(self):
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.client.get("/readyz").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready in time: {self.log.read_text()}")

    def stop(self):
        self.client.close()
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        except ProcessLookupError:
            self.process.wait()

    def recorded(self):
        return [json.loads(line) for file in self.records.glob("*.jsonl") for line in file.read_text().splitlines()]


@pytest.fixture(scope="module", params=["uvicorn", "bentoml"])
def tumour(request, home, tmp_path_factory):
    server = Server(request.param, home, "tumour", tmp_path_factory.mktemp("tumour"))
    yield server.until_ready()
    server.stop()


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ("uvicorn", "risk"),
        ("bentoml", "net"),
        pytest.param("uvicorn", "net", marks=pytest.mark.exhaustive),
        pytest.param("bentoml", "risk", marks=pytest.mark.exhaustive),
    ],
)
def test_a_model_answers_over_http_what_it_answered_in_the_notebook(how, name, home, tmp_path):
    _, example, answers, container, more = MODELS[name]()
    server = Server(how, home, name, tmp_path)
    try:
        server.until_ready()
        body = {"instances": instances_of(example, container, more.get("parameters", ()))}
        response = server.client.post("/predict", json=body)
        assert response.status_code == 200, server.log.read_text()
        assert differences(to_json(answers), response.json()["predictions"], rtol=1e-6, atol=1e-7) == []
        assert response.headers["x-model-version"] == f"{name}:1a2b"
    finally:
        server.stop()


def test_a_pipeline_answers_rows_of_a_frame(tumour):
    _, example, answers, _, _ = pipeline()
    response = tumour.client.post("/predict", json={"instances": instances_of(example, "frame")})
    assert response.json() == {"predictions": answers.tolist()}
    assert len(response.headers["x-request-id"]) == 36


def test_a_missing_column_is_named_and_recorded(tumour):
    (row,) = instances_of(pipeline()[1][:1], "frame")
    del row["mean radius"]
    response = tumour.client.post("/predict", json={"instances": [row]}, headers={"x-request-id": "missing"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"] == [
        {"loc": ["instances", 0, "mean radius"], "msg": "missing feature 'mean radius'"}
    ]
    (record,) = [record for record in tumour.recorded() if record["request_id"] == "missing"]
    assert (record["status"], record["release"], record["inputs"]) == (422, "tumour:1a2b", [row])


def test_wrong_paths_and_methods_are_problems(tumour):
    for method, path, status in (("GET", "/predict", 405), ("GET", "/nowhere", 404), ("POST", "/livez", 405)):
        response = tumour.client.request(method, path)
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
        assert response.headers["x-request-id"] == response.json()["request_id"]
        assert response.headers["x-model-version"] == "tumour:1a2b"


def test_health_and_description_pages_are_served(tumour):
    for path in ("/livez", "/readyz", "/metadata", "/openapi.json", "/docs.json", "/schema.json", "/"):
        response = tumour.client.get(path)
        assert response.status_code == 200, path
        assert response.headers["x-model-version"] == "tumour:1a2b"
        assert tumour.client.head(path).status_code in (200, 405)


def test_prometheus_gets_the_metrics_of_this_package_and_of_bentoml(tumour):
    tumour.client.post("/predict", json={"instances": []}, headers={"x-rollout-role": "probe"})
    text = tumour.client.get("/metrics").text
    assert 'nbdeploy_requests_total{role="probe",status="200"}' in text
    assert "nbdeploy_request_duration_seconds_bucket" in text
    assert "nbdeploy_records_lost_total" in text
    assert "bentoml_" in text


def test_an_upload_that_is_too_large_is_refused_by_a_real_server(tumour):
    response = tumour.client.post(
        "/predict", content=b" " * (33 * 1024 * 1024), headers={"content-type": "application/json"}
    )
    assert response.status_code == 413


def test_a_changed_model_keeps_the_server_from_starting(home, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(home / "risk", changed / "risk")
    shutil.copytree(home / "bentoml", changed / "bentoml")
    (changed / "bentoml" / "models" / "risk" / "1a2b" / "model.pkl").write_bytes(b"changed")
    server = Server("uvicorn", changed, "risk", tmp_path)
    assert server.process.wait(60) != 0
    server.client.close()
    assert "model.pkl changed after it was captured" in server.log.read_text()


def test_a_changed_environment_keeps_the_server_from_starting_if_it_is_checked(home, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(home / "risk", changed / "risk")
    shutil.copytree(home / "bentoml", changed / "bentoml")
    manifest = changed / "bentoml" / "models" / "risk" / "1a2b" / "snapshot.json"
    document = json.loads(manifest.read_text())
    document["environment"]["distributions"]["numpy"] = "0.1"
    manifest.write_text(json.dumps(document))
    service = changed / "risk" / "service.py"
    service.write_text(service.read_text().replace("digest=", "digest=None and "))
    server = Server("uvicorn", changed, "risk", tmp_path, NBDEPLOY_CHECK_ENVIRONMENT="1")
    assert server.process.wait(60) != 0
    server.client.close()
    assert "numpy: captured 0." in server.log.read_text()
