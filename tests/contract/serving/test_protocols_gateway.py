"""All protocols through a real Envoy: paths, hosts, HTTP/2, copies, records."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import httpx
import pytest
from protocol_clients import FRAME, behind_a_gateway, risk

from jupyter_deploy.domain.evidence.inference import Record
from tests.contract.targets.test_local_target_support import eventually


@pytest.fixture(scope="module")
def served():
    with behind_a_gateway() as found:
        yield found


ROWS = json.loads(FRAME.to_json(orient="records"))
V2 = {
    "inputs": [
        {"name": name, "shape": [3], "datatype": datatype, "data": FRAME[name].tolist()}
        for name, datatype in (("age", "INT64"), ("weight", "FP64"), ("sex", "BYTES"))
    ]
}
BODIES = {
    "predict": {"instances": ROWS},
    "invocations": {"dataframe_records": ROWS},
    "v1/models/churn:predict": {"instances": ROWS},
    "v2/models/churn/infer": V2,
    "v2/models/churn/versions/aaa/infer": V2,
}


def answers(response):
    assert response.status_code == 200, response.text
    document = response.json()
    return document["predictions"] if "predictions" in document else document["outputs"][0]["data"]


def records(stage, version):
    folder = stage.home / "records" / "churn" / version
    lines = [line for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]
    return {record.request_id: record for record in map(Record.model_validate_json, lines)}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("by_host", [False, True])
def test_each_protocol_reaches_the_release_by_path_and_by_host_and_is_copied_and_recorded(served, path, by_host):
    stage, urls, _ = served
    address = urlsplit(urls["churn"])
    url = f"http://{address.netloc}/{path}" if by_host else f"{urls['churn']}/{path}"
    request_id = f"{path}-{by_host}"
    headers = {"x-request-id": request_id} | ({"host": f"churn.localhost:{address.port}"} if by_host else {})
    response = httpx.post(url, json=BODIES[path], headers=headers, trust_env=False, timeout=30)
    assert answers(response) == risk(FRAME).tolist()
    assert response.headers["x-request-id"] == request_id
    record = records(stage, "aaa")[request_id]
    assert (record.role, record.rows, record.inputs, record.outputs) == ("stable", 3, ROWS, risk(FRAME).tolist())
    if "versions" not in path:  # requests for a version are not in the experiment
        copy = eventually(lambda: records(stage, "bbb").get(request_id), 30)
        assert (copy.role, copy.status, copy.inputs) == ("shadow", 200, ROWS)
        assert copy.pair_id == record.pair_id


def test_another_model_or_version_is_refused_and_not_copied(served):
    stage, urls, _ = served
    refused, asked = {"x-request-id": "refused"}, {"x-request-id": "asked-after-them"}
    for path in ("v2/models/other/infer", "v2/models/churn/versions/bbb/infer", "v1/models/other:predict"):
        response = httpx.post(f"{urls['churn']}/{path}", json=V2, headers=refused, trust_env=False)
        assert response.status_code == 404
        assert "here: 'aaa'" in response.text or "this is 'churn'" in response.text
    answers(httpx.post(f"{urls['churn']}/predict", json={"instances": ROWS}, headers=asked, trust_env=False))
    eventually(lambda: [line for line in stage.edge() if line["request_id"] == "asked-after-them"])
    assert not [line for line in stage.edge() if line["request_id"] == "refused"]


def test_read_only_pages_work_by_host_too(served):
    address = urlsplit(served[1]["stretch"])
    for host in ("stretch.localhost", f"STRETCH.localhost:{address.port}"):
        found = httpx.get(f"http://{address.netloc}/v2/models/stretch", headers={"host": host}, trust_env=False)
        assert found.json()["inputs"] == [{"name": "input-0", "datatype": "FP32", "shape": [-1, 2]}]
    strange = httpx.get(f"http://{address.netloc}/ping", headers={"host": "nobody.localhost"}, trust_env=False)
    assert strange.status_code == 421
    assert "NAME.localhost" in strange.json()["detail"]


def test_requests_by_host_without_a_prediction_are_not_counted_as_predictions(served):
    stage, urls, endpoints = served
    address, endpoint = urlsplit(urls["stretch"]), endpoints["stretch"]
    before = stage.target.observe(endpoint).counts["stretch:aaa"].requests
    for _ in range(3):
        httpx.get(f"http://{address.netloc}/ping", headers={"host": "stretch.localhost"}, trust_env=False)
    httpx.post(f"{urls['stretch']}/invocations", json={"inputs": [[1, 2]]}, trust_env=False)
    counted = eventually(lambda: stage.target.observe(endpoint).counts["stretch:aaa"].requests - before)
    assert counted == 1


def test_clients_may_use_http_2_with_prior_knowledge(served):
    with httpx.Client(http1=False, http2=True, trust_env=False, timeout=30) as client:
        response = client.post(f"{served[1]['stretch']}/predict", json={"instances": [[1, 2]]})
    assert response.http_version == "HTTP/2"
    assert response.json() == {"predictions": [[2.0, 4.0, 1.0]]}


def test_events_pass_through_the_gateway(served):
    with httpx.stream(
        "POST", f"{served[1]['words']}/predict", json={"instances": ["one two"]},
        headers={"accept": "text/event-stream"}, trust_env=False, timeout=30,
    ) as response:  # fmt: skip
        assert response.headers["content-type"].startswith("text/event-stream")
        text = response.read().decode()
    assert text == 'data: "one"\n\ndata: "two"\n\nevent: end\ndata: {"items":2}\n\n'
