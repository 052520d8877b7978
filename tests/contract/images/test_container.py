"""The program of an image as a process: readiness, platforms' expectations, shutdown.

Its records are in ``test_container_records.py``; ``e2e/images/test_container_podman.py`` runs it in containers.
"""

from __future__ import annotations

import signal
import socket
import stat
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.contract.contained import RIGHT, ROW, built, container

pytestmark = pytest.mark.usefixtures("forked_replays")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("contained")


@pytest.fixture(scope="module")
def churn(home):
    return built(home, "churn")


@pytest.fixture(scope="module")
def waits(home):
    return built(home, "waits")


def test_it_is_alive_during_the_load_and_ready_when_the_example_agrees(churn, tmp_path):
    gate = tmp_path / "gate"
    with container(churn, tmp_path / "run", ready=False, LOADED_WHEN=str(gate)) as running:
        running.until("/livez", 200)
        refused = running.until("/readyz", 503)
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["detail"] == "the model is being loaded"
        early = running.predict(ROW)
        assert (early.status_code, early.headers["retry-after"]) == (503, "1")
        gate.touch()
        running.until("/readyz", 200)
        assert running.predict(ROW).json() == {"predictions": [RIGHT]}
        assert running.get("/livez").status_code == 200


def test_its_metrics_name_the_release(churn, tmp_path):
    with container(churn, tmp_path) as running:
        running.until("/readyz", 200)
        tag = running.predict(ROW).headers["x-model-version"]
        name, _, version = tag.rpartition(":")
        lines = running.get("/metrics").text.splitlines()
        assert f'nbdeploy_release_info{{endpoint="{name}",release="{tag}"}} 1.0' in lines
        of_bentoml = [line for line in lines if line.startswith("bentoml_")]
        assert of_bentoml
        labels = f'runner_name="{name}",service_name="{name}",service_version="{version}"'
        assert [line for line in of_bentoml if labels not in line and "worker_index" not in line] == []


def test_a_client_that_only_connects_delays_nothing(churn, tmp_path):
    gate = tmp_path / "gate"
    with container(churn, tmp_path / "run", ready=False, LOADED_WHEN=str(gate)) as running:
        running.until("/livez", 200)
        with socket.create_connection(("127.0.0.1", running.port)) as idle:
            gate.touch()
            running.until("/readyz", 200)
            idle.settimeout(60)
            assert idle.recv(1) == b""


def test_it_listens_on_all_addresses(churn, tmp_path):
    with container(churn, tmp_path) as running:
        for address in ("127.0.0.1", "127.1.2.3", "[::1]"):
            answer = httpx.get(f"http://{address}:{running.port}/livez", trust_env=False)
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("variables", "arguments", "said"),
    [
        ({"PORT": "http"}, (), "PORT=http: a port must be a number from 1 to 65535"),
        ({"NBDEPLOY_WORKERS": "0"}, (), "NBDEPLOY_WORKERS=0: must be a number from 1 to 64, or a range such as 1-8"),
        ({"NBDEPLOY_LOG_FORMAT": "xml"}, (), "NBDEPLOY_LOG_FORMAT must be text or json, not 'xml'"),
        ({"NBDEPLOY_MAX_BODY_BYTES": "x"}, (), "NBDEPLOY_MAX_BODY_BYTES must be a number of bytes above 0, not 'x'"),
        (
            {"NBDEPLOY_REDACT": "ssn"},
            (),
            "NBDEPLOY_REDACT: the model has no column 'ssn'; its columns are age, weight, sex",
        ),
        ({}, ("train",), "'train' is not a valid argument list; usage: container.py [serve] [--uds PATH | --tcp]"),
        ({}, ("--uds", "/nowhere/s"), "cannot listen on /nowhere/s: No such file or directory"),
    ],
)
def test_an_invalid_setting_ends_it_with_one_log_line(churn, tmp_path, variables, arguments, said):
    with container(churn, tmp_path, *arguments, ready=False, **variables) as running:
        assert running.process.wait(120) == 2
        (line,) = running.said()
    assert (line["level"], line["message"]) == ("error", said)
    assert not running.err.read_text()


def test_a_used_port_ends_it_with_one_log_line(churn, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with container(churn, tmp_path, ready=False, PORT=str(port)) as running:
            assert running.process.wait(120) == 2
            (line,) = running.said()
    assert line["message"] == f"cannot listen on port {port}: another process is listening there"


def test_it_exits_with_the_reason_if_the_example_is_answered_differently(churn, tmp_path):
    with container(churn, tmp_path, ready=False, ANSWERS_OTHERWISE="0.5") as running:
        while running.process.poll() is None:
            answer = running.get("/readyz")
            assert answer is None or answer.status_code == 503
        assert running.process.wait() == 3
        (line,) = running.said()
    assert line["message"].startswith("churn:")
    assert "does not answer its example as the notebook did: row 0: expected 120.5, got 135.5" in line["message"]


def test_it_exits_with_the_reason_if_the_model_cannot_be_loaded(churn, tmp_path):
    with container(churn, tmp_path, ready=False, LOADING_FAILS="1") as running:
        assert running.process.wait(120) == 1
        line = running.said()[-1]
    assert line["message"] == "the model cannot be loaded: RuntimeError: the weights are broken"
    assert line["details"].startswith("Traceback")


def test_the_proof_of_a_stochastic_model_compares_the_structure_only(home, tmp_path):
    with container(built(home, "drawn"), tmp_path) as running:
        (answer,) = running.predict(ROW).json()["predictions"]
        assert 0 <= answer < 1


def test_vertex_ai_sets_port_and_routes(churn, tmp_path):
    routes = {"AIP_PREDICT_ROUTE": "/v1/endpoints/7:predict", "AIP_HEALTH_ROUTE": "/health"}
    with container(churn, tmp_path, PORT="", AIP_HTTP_PORT="0", ready=False) as running:
        assert running.process.wait(120) == 2
        assert running.said()[0]["message"] == "AIP_HTTP_PORT=0: a port must be a number from 1 to 65535"
    with container(churn, tmp_path, **routes) as running:
        assert running.get("/health").status_code == 200
        assert running.predict(ROW, path="/v1/endpoints/7:predict").json() == {"predictions": [RIGHT]}
        assert running.predict(ROW).json() == {"predictions": [RIGHT]}


def test_sagemaker_and_kserve_requests_work(churn, tmp_path):
    with container(churn, tmp_path, "serve") as running:
        assert running.get("/ping").status_code == 200
        csv = running.client.post(
            "/invocations", content="age,weight,sex\n1,2,f\n", headers={"content-type": "text/csv"}
        )
        assert csv.json() == {"predictions": [RIGHT]}
        assert running.predict(ROW, path="/v1/models/churn:predict").json() == {"predictions": [RIGHT]}
        assert running.get("/v2/health/ready").json() == {"ready": True}
        columns = {"age": ("INT64", 1), "weight": ("FP64", 2.0), "sex": ("BYTES", "f")}
        inputs = [
            {"name": name, "shape": [1], "datatype": datatype, "data": [value]}
            for name, (datatype, value) in columns.items()
        ]
        (output,) = running.client.post("/v2/models/churn/infer", json={"inputs": inputs}).json()["outputs"]
        assert output["data"] == [RIGHT]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)])
def test_on_sigterm_it_completes_requests_in_progress_and_accepts_no_others(waits, tmp_path, number):
    gate = tmp_path / "gate"
    with (
        container(waits, tmp_path / "run", NBDEPLOY_GRACE_SECONDS="600") as running,
        ThreadPoolExecutor() as others,
    ):
        under_way = others.submit(running.predict, str(gate))
        running.until("/metrics", 200)
        while "nbdeploy_requests_running 1.0" not in running.get("/metrics").text:
            pass
        running.process.send_signal(number)
        while (answer := running.get("/readyz")) is not None and answer.status_code == 200:
            pass
        while running.get("/livez") is not None:  # until connections are refused
            assert (ready := running.get("/readyz")) is None or ready.status_code == 503
        assert running.process.poll() is None
        gate.touch()
        assert under_way.result().json() == {"predictions": [str(gate)]}
        assert running.process.wait(60) == 0


def test_on_sigterm_it_exits_in_time_whatever_hangs(waits, tmp_path):
    never = str(tmp_path / "never")
    with container(waits, tmp_path / "run") as running, ThreadPoolExecutor() as others:
        hanging = others.submit(running.predict, never)
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
        with socket.create_connection(("127.0.0.1", running.port)) as half:
            half.sendall(head)
            while "nbdeploy_requests_running 1.0" not in running.get("/metrics").text:
                pass
            assert running.end() == 0
        refused = hanging.result()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["detail"] == "the service is shutting down"
    assert "requests in progress are aborted: the time for the shutdown is over" in running.out.read_text()


def test_on_sigterm_during_the_load_it_exits_at_once(churn, tmp_path):
    with container(churn, tmp_path, ready=False, LOADED_WHEN=str(tmp_path / "never")) as running:
        running.until("/livez", 200)
        assert running.end() == 0


def test_behind_a_gateway_its_private_socket_appears_when_it_is_ready(churn, tmp_path):
    path, gate = tmp_path / "s", tmp_path / "gate"
    left = socket.socket(socket.AF_UNIX)
    left.bind(f"{path}~")  # as a killed one leaves it
    left.close()
    with container(
        churn, tmp_path / "run", "--uds", str(path), ready=False, LOADED_WHEN=str(gate), NBDEPLOY_RECORDS="stdout"
    ) as running:
        assert not path.exists()
        gate.touch()
        while not path.exists():
            assert running.process.poll() is None, running.out.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        told = {"x-rollout-role": "shadow", "x-rollout-record": "meta", "x-pair-id": "p"}
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://model") as client:
            assert client.post("/predict", json={"instances": [ROW]}, headers=told).json() == {"predictions": [RIGHT]}
        (record,) = [line for line in running.said() if "latency_ms" in line]
        assert (record["role"], record["pair_id"], record["inputs"]) == ("shadow", "p", None)
        with container(churn, tmp_path / "second", "--uds", str(path), ready=False) as second:
            assert second.process.wait(120) == 2
            assert second.said()[0]["message"] == f"cannot listen on {path}: another process is listening there"
        assert running.end() == 0
    assert list(tmp_path.glob("s*")) == [tmp_path / "second"]


def test_behind_a_gateway_on_a_port_the_key_counts_and_the_end_is_delayed(churn, tmp_path):
    key = tmp_path / "key"
    key.write_text("k" * 40)
    variables = {"NBDEPLOY_RECORDS": "stdout", "NBDEPLOY_GATEWAY_KEY_FILE": str(key), "NBDEPLOY_DRAIN_DELAY": "3600"}
    told = {"x-rollout-role": "canary", "x-pair-id": "p", "x-rollout-key": "k" * 40}
    with container(churn, tmp_path / "run", "--tcp", **variables) as running:
        running.until("/readyz", 200)
        assert running.predict(ROW).status_code == 403
        url = f"http://127.0.0.1:{running.port}"
        with httpx.Client(base_url=url, headers=told, trust_env=False) as gateway:
            assert gateway.post("/predict", json={"instances": [ROW]}).json() == {"predictions": [RIGHT]}
            running.process.send_signal(signal.SIGTERM)
            running.until("/readyz", 503)
            last = gateway.post("/predict", json={"instances": [ROW]})
            assert (last.status_code, last.headers["connection"]) == (200, "close")
        records = [line for line in running.said() if "latency_ms" in line]
        assert [(one["role"], one["pair_id"]) for one in records] == [("canary", "p"), ("canary", "p")]
        assert "k" * 40 not in running.out.read_text()
    key.write_text("short")
    with container(churn, tmp_path / "second", "--tcp", ready=False, **variables) as refused:
        assert refused.process.wait(120) == 2
        assert "holds no key" in refused.said()[0]["message"]


def test_it_leaves_no_files_behind(home, tmp_path):
    table = built(home, "table")
    with container(table, tmp_path / "run") as running:
        assert running.predict(ROW).status_code == 200
        assert [path.name for path in (tmp_path / "run").glob("nbdeploy-workplace-*")]
        assert running.end() == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["stderr", "stdout"]
