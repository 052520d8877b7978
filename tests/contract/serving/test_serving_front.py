"""Front in one process: responses and records."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.serving import Front, snapshot
from jupyter_deploy.serving.snapshot import load
from tests.contract.serving.test_serving_snapshot import write_snapshot

STARTED, RELEASED = threading.Event(), threading.Event()


def inverse(rows):
    if rows[0] == 99:
        STARTED.set()
        RELEASED.wait(30)
    if rows[0] == 98:
        raise SystemExit("the model leaves")
    if rows[0] == 97:
        return [float("nan")]
    if rows[0] == 96:
        return "one answer"
    return [1 / row for row in rows]


async def busy(_request):
    return JSONResponse({"error": "Too many requests"}, status_code=429)


async def broken(_request):
    raise RuntimeError("secret /home/ada")


async def livez(_request):
    return PlainTextResponse("\n")


def inner():
    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", livez), Route("/busy", busy), Route("/broken", broken)]
    )


@pytest.fixture
def records(tmp_path, monkeypatch):
    folder = tmp_path / "records"
    monkeypatch.setenv("NBDEPLOY_RECORDS", str(folder))

    def read():
        lines = [line for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]
        return [Record.model_validate_json(line) for line in lines]

    return read


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "inverse" / "1a2b"
    write_snapshot(folder, inverse, [1.5, 2.0], [1 / 1.5, 0.5], "list")
    return load(folder)


@pytest.fixture
def front(model, records, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_MAX_BODY_BYTES", "1000")
    front = Front(inner(), model=model)
    yield front
    front._close()


def ask(app, method, path, **options):
    async def send():
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())


def predict(app, body, content_type="application/json", **headers):
    named = {"content-type": content_type} | {name.replace("_", "-"): v for name, v in headers.items()}
    return ask(app, "POST", "/predict", content=body, headers=named)


def problem(response, status):
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["type"] == "about:blank"
    assert content["status"] == status
    assert content["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-model-version"]
    return content


def test_the_model_answers_and_the_answer_is_recorded(front, records):
    response = predict(front, '{"instances": [2, 4.0]}', x_request_id="mine", x_pair_id="p1", x_rollout_role="shadow")
    assert response.json() == {"predictions": [0.5, 0.25]}
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["x-model-version"] == "inverse:1a2b"
    (record,) = records()
    assert (record.request_id, record.pair_id, record.role, record.status) == ("mine", "p1", "shadow", 200)
    assert (record.endpoint, record.release, record.rows) == ("inverse", "inverse:1a2b", 2)
    assert (record.inputs, record.outputs, record.error) == ([2, 4.0], [0.5, 0.25], None)
    assert record.latency_ms > 0


def test_no_instances_get_no_predictions(front):
    assert predict(front, '{"instances": []}').json() == {"predictions": []}


def test_nan_and_infinity_in_an_answer_become_null(front, records):
    assert predict(front, '{"instances": [97]}').json() == {"predictions": [None]}
    assert records()[0].outputs == [None]


@pytest.mark.parametrize("request_id", ["", "a\tb", "x" * 1025])
def test_an_unreasonable_request_id_is_replaced(front, request_id):
    response = predict(front, '{"instances": [1]}', x_request_id=request_id.encode("utf-8"))
    assert len(response.headers["x-request-id"]) == 36


def test_a_long_or_foreign_request_id_is_kept_in_answer_and_record(front, records):
    """The gateway returns it unchanged, so the record must have the same id."""
    for request_id in ("x" * 1000, "ä"):
        response = predict(front, '{"instances": [1]}', x_request_id=request_id.encode("latin-1"))
        assert response.headers["x-request-id"].encode("latin-1") == request_id.encode("latin-1")
        assert records()[-1].request_id == request_id


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{not json", "not JSON"),
        (b"", "not JSON"),
        (b'{"instances": [NaN]}', "NaN is not JSON (write null for a missing value)"),
        (b'{"instances": [-Infinity]}', "-Infinity is not JSON"),
        (b'{"instances": [1e999]}', "out of range"),
        (b'{"instances": [' + b"9" * 400 + b"]}", "out of range"),
        (b'{"instances": ["\xff"]}', "not UTF-8"),
        (b'{"instances": ["\\ud800"]}', "surrogate"),
    ],
)
def test_invalid_json_gets_a_400_with_the_reason(front, records, body, words):
    assert words in problem(predict(front, body), 400)["detail"]
    (record,) = records()
    assert (record.status, record.inputs, record.outputs) == (400, None, None)
    assert words in record.error.message


def test_json_that_is_nested_too_deeply_is_a_400(front, monkeypatch):
    front._max_body_bytes = 10**7
    body = '{"instances": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert "nested too deeply" in problem(predict(front, body), 400)["detail"]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ("{}", ["instances"]),
        ('{"instances": {"a": 1}}', ["instances"]),
        ('{"instances": [1], "instance": 2}', ["instance"]),
        ("[1]", []),
        ('{"instances": [1, "x"]}', ["instances", 1]),
        ('{"instances": [1, true]}', ["instances", 1]),
        ('{"instances": [null]}', ["instances", 0]),
    ],
)
def test_invalid_instances_get_a_422_with_row_and_feature(front, records, body, loc):
    errors = problem(predict(front, body), 422)["errors"]
    assert [error["loc"] for error in errors] == [loc]
    (record,) = records()
    assert record.status == 422
    given = json.loads(body)
    assert record.inputs == (given.get("instances") if isinstance(given, dict) else None)


@pytest.mark.parametrize(("value", "kind"), [(0, "ZeroDivisionError"), (98, "SystemExit"), (96, "BadAnswer")])
def test_the_models_own_exception_is_logged_and_recorded_but_not_shown(front, records, capsys, value, kind):
    response = predict(front, f'{{"instances": [{value}]}}', x_request_id="r-500")
    problem(response, 500)
    assert kind not in response.text
    assert "Traceback" not in response.text
    (record,) = records()
    assert (record.status, record.error.type, record.inputs) == (500, kind, [value])
    log = capsys.readouterr().err
    assert "request r-500: the model failed" in log
    assert "Traceback" in log


def test_a_body_that_is_too_large_gets_a_413_by_its_header_and_by_its_length(front, records):
    async def chunks():
        for _ in range(100):
            yield b"x" * 100

    assert "larger than 1000 bytes" in problem(predict(front, b"x" * 1001), 413)["detail"]
    problem(predict(front, chunks()), 413)
    assert [record.status for record in records()] == [413, 413]


def test_a_slow_body_gets_a_408(front, records, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.serving.asgi.body.RECEIVE_SECONDS", 0.05)

    async def dribbling():
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    response = predict(front, dribbling())
    assert "not complete after 0.05 s" in problem(response, 408)["detail"]
    assert response.headers["connection"] == "close"
    assert [record.status for record in records()] == [408]


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-www-form-urlencoded", "application/jsonp"])
def test_another_content_type_is_a_415(front, records, content_type):
    assert "content-type: application/json" in problem(predict(front, "a=1", content_type=content_type), 415)["detail"]
    assert records()[0].status == 415


def test_a_request_that_a_foreign_web_page_can_send_without_a_preflight_gets_a_415(front, records):
    """``fetch(url, {method: "POST", body: new Blob(['{"instances": [1]}'])})`` sends no content type at all."""
    response = ask(front, "POST", "/predict", content=b'{"instances": [1]}')
    assert "content-type: application/json" in problem(response, 415)["detail"]
    assert "access-control-allow-origin" not in response.headers
    assert predict(front, '{"instances": [1]}', content_type="text/plain").status_code == 415
    assert [record.outputs for record in records()] == [None, None]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "application/x+json"])
def test_variants_of_the_json_type_are_accepted(front, content_type):
    assert predict(front, '{"instances": [1]}', content_type=content_type).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/metadata", "/livez"])
def test_a_request_with_two_hosts_is_refused(front, path):
    method = "POST" if path == "/predict" else "GET"
    response = ask(front, method, path, headers=[("host", "a"), ("host", "b"), ("content-type", "application/json")])
    assert problem(response, 400)
    assert response.json()["detail"] == "the request has several Host headers; send one"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_the_model_is_called_with_post_only(front, records, method):
    response = ask(front, method, "/predict")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert records() == []


def test_errors_of_the_inner_application_become_problems(front, capsys):
    assert problem(ask(front, "GET", "/nowhere"), 404)
    assert problem(ask(front, "POST", "/livez"), 405)
    busy = ask(front, "GET", "/busy")
    assert problem(busy, 429)
    assert busy.headers["retry-after"] == "1"
    broken = ask(front, "GET", "/broken")
    assert problem(broken, 500)
    assert "secret" not in broken.text
    assert "secret" in capsys.readouterr().err
    assert ask(front, "POST", "/livez").headers["allow"]


def test_responses_of_the_inner_application_get_our_headers(front):
    response = ask(front, "GET", "/livez", headers={"x-request-id": "mine"})
    assert response.text == "\n"
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["x-model-version"] == "inverse:1a2b"


def test_before_the_model_is_loaded_the_service_is_alive_but_not_ready(monkeypatch):
    monkeypatch.setattr(snapshot, "_current", None)
    front = Front(inner())
    assert ask(front, "GET", "/livez").status_code == 200
    for method, path in (("GET", "/readyz"), ("POST", "/predict"), ("GET", "/metadata"), ("GET", "/openapi.json")):
        response = ask(front, method, path)
        problem(response, 503)
        assert response.headers["retry-after"]


def test_of_two_fronts_the_outer_one_handles_the_request(model, records):
    outer = Front(Front(inner(), model=model), model=model)
    assert predict(outer, '{"instances": [2]}').json() == {"predictions": [0.5]}
    assert problem(ask(outer, "GET", "/nowhere"), 404)  # with one request_id, not two
    response = ask(outer, "GET", "/livez")
    assert response.headers.get_list("x-request-id") == [response.headers["x-request-id"]]
    assert len(records()) == 1
    outer._close()


def test_the_metadata_have_the_models_provenance(front, model):
    metadata = ask(front, "GET", "/metadata").json()
    assert metadata["release"] == "inverse:1a2b"
    assert metadata["digest"] == model.digest
    assert metadata["notebook"] == {"path": "models/tumour.ipynb", "sha256": "ab" * 32, "variable": "model"}
    assert metadata["git"] == {"commit": "c0ffee", "dirty": False}
    assert metadata["signature"]["instance_schema"] == {"type": "number"}
    assert metadata["created"] == "2026-11-25T12:00:00Z"
    assert metadata["stochastic"] is False
    assert "/home/ada" not in json.dumps(metadata)
    assert ask(front, "HEAD", "/metadata").status_code == 200
    assert ask(front, "POST", "/metadata").headers["allow"] == "GET, HEAD"


def example_in(front):
    """The examples of a request and of its answer in a release's description."""
    document = ask(front, "GET", "/openapi.json").json()
    assert "/home/ada" not in json.dumps(document)
    post = document["paths"]["/predict"]["post"]
    asked = post["requestBody"]["content"]["application/json"]["example"]
    return asked, post["responses"]["200"]["content"]["application/json"]["example"]


def test_the_openapi_document_has_a_made_example_that_is_answered(front, model):
    asked, answered = example_in(front)
    assert asked["instances"][0] not in model.manifest["instances"]
    assert list(predict(front, json.dumps(asked)).json()) == list(answered)


def test_the_openapi_document_has_the_notebooks_example_if_its_author_shows_it_and_it_works(front, model):
    model.manifest["show_example"] = True
    asked, answered = example_in(front)
    assert asked["instances"] == model.manifest["instances"]
    assert predict(front, json.dumps(asked)).json() == answered


def test_requests_are_counted_by_status_and_role(front):
    def count(status):
        labels = {"status": status, "role": "canary"}
        return REGISTRY.get_sample_value("nbdeploy_requests_total", labels) or 0

    before = count("200"), count("422")
    predict(front, '{"instances": [1]}', x_rollout_role="canary")
    predict(front, "{}", x_rollout_role="canary")
    assert (count("200"), count("422")) == (before[0] + 1, before[1] + 1)
    text = ask(front, "GET", "/metrics").text
    assert 'nbdeploy_requests_total{role="canary",status="200"}' in text
    assert "nbdeploy_request_duration_seconds_bucket" in text
    assert "nbdeploy_records_lost_total" in text


def test_the_metrics_name_the_release(front, model):
    predict(front, '{"instances": [1]}')
    name = model.tag.partition(":")[0]
    line = f'nbdeploy_release_info{{endpoint="{name}",release="{model.tag}"}} 1.0'
    assert line in ask(front, "GET", "/metrics").text.splitlines()


def test_while_the_model_computes_the_service_answers_its_health(front):
    async def both():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            slow = asyncio.create_task(client.post("/predict", json={"instances": [99]}))
            await asyncio.to_thread(STARTED.wait, 30)
            healthy = await client.get("/livez")
            assert not slow.done()
            RELEASED.set()
            return healthy, await slow

    STARTED.clear()
    RELEASED.clear()
    healthy, answered = asyncio.run(both())
    assert (healthy.status_code, answered.status_code) == (200, 200)


@pytest.mark.parametrize("value", ["many", "-1", "0", "1.5"])
def test_an_invalid_limit_fails_the_start(monkeypatch, value):
    monkeypatch.setenv("NBDEPLOY_MAX_BODY_BYTES", value)
    with pytest.raises(ValueError, match="NBDEPLOY_MAX_BODY_BYTES must be a number of bytes"):
        Front(inner())


def test_the_start_page_is_the_metadata_and_loads_nothing_from_other_sites(front):
    response = ask(front, "GET", "/")
    assert response.status_code == 200
    assert response.json() == ask(front, "GET", "/metadata").json()


def test_a_trailing_slash_gets_a_404_with_the_right_path(front):
    assert "without the slash" in problem(ask(front, "POST", "/predict/"), 404)["detail"]
