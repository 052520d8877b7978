"""Server-sent events of functions that yield."""

from __future__ import annotations

import asyncio
import json

import pytest
from protocol_models import MODELS, ask, front_of, made

from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.serving import Front
from jupyter_deploy.serving.asgi.bare_app import bare_app

EVENTS = {"accept": "text/event-stream", "content-type": "application/json"}


@pytest.fixture
def fronts(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_RECORDS", str(tmp_path / "records"))
    made = {name: front_of(tmp_path, name) for name in ("counted", "slowly", "call", "frame")}
    yield made
    for front in made.values():
        front._close()


@pytest.fixture
def records(tmp_path):
    def read():
        lines = [line for file in (tmp_path / "records").glob("*.jsonl") for line in file.read_text().splitlines()]
        return [Record.model_validate_json(line) for line in lines]

    return read


def events(response):
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    found = []
    for block in response.text.removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((fields.get("event"), json.loads(fields["data"])))
    return found


@pytest.mark.parametrize(
    ("name", "items"), [("counted", [{"number": 0}, {"number": 1}, {"number": 2}]), ("slowly", [0, 1, 2])]
)
def test_each_item_is_an_event_and_the_record_has_all_items(fronts, records, name, items):
    response = ask(fronts[name], "POST", "/predict", json={"instances": [3]}, headers=EVENTS)
    assert events(response) == [*((None, item) for item in items), ("end", {"items": 3})]
    (record,) = records()
    assert (record.status, record.inputs, record.outputs) == (200, [3], [items])
    assert response.headers["x-request-id"] == record.request_id
    assert response.headers["x-model-version"] == f"{name}:v1"


def test_without_the_accept_header_the_items_are_a_list(fronts):
    response = ask(fronts["counted"], "POST", "/predict", json={"instances": [1]})
    assert response.json() == {"predictions": [[{"number": 0}]]}


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("counted", {"instances": [1, 0]}, {"predictions": [[{"number": 0}], []]}),
        ("call", {"instances": [{"left": 1, "right": 2}]}, {"predictions": [3.0]}),
        ("counted", {"instances": []}, {"predictions": []}),
    ],
)
def test_several_calls_and_functions_that_return_are_answered_without_events(fronts, records, name, body, expected):
    assert ask(fronts[name], "POST", "/predict", json=body, headers=EVENTS).json() == expected
    assert [record.outputs for record in records()] == [expected["predictions"]]


@pytest.mark.parametrize(
    ("body", "status"), [({"instances": ["x"]}, 422), ({"instances": [-1]}, 500), ({"instance": 1}, 422)]
)
def test_a_failure_before_the_first_item_has_its_own_status(fronts, records, body, status):
    response = ask(fronts["counted"], "POST", "/predict", json=body, headers=EVENTS)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert [record.status for record in records()] == [status]


def test_a_later_failure_is_the_last_event_and_is_recorded_as_failed(fronts, records):
    response = ask(fronts["counted"], "POST", "/predict", json={"instances": [60]}, headers=EVENTS)
    *items, (kind, problem) = events(response)
    assert len(items) == 50
    assert (kind, problem["status"]) == ("error", 500)
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "secret" not in response.text
    (record,) = records()
    assert (record.status, record.outputs, record.error.type) == (500, None, "RuntimeError")


CLOSED = []


def endless(upto):
    try:
        while True:
            yield upto
    finally:
        CLOSED.append(upto)


@pytest.mark.timeout(60)
def test_a_disconnect_ends_the_function(tmp_path, monkeypatch):
    """The function can clean up, and the next request is answered."""
    CLOSED.clear()
    monkeypatch.setitem(MODELS, "endless", (endless, {"upto": 7}, "call", {"parameters": ("upto",), "answers": [[7]]}))
    noted = []
    loop_and_event = []

    class Noted:
        def write_all(self, entries):
            noted.extend(entries)
            loop, event = loop_and_event
            loop.call_soon_threadsafe(event.set)
            return True

        def close(self):
            pass

    model = made(tmp_path, "endless")
    model._call = endless  # this process's own, which can be looked at
    front = Front(bare_app, model=model, recorder=Noted())
    sent = []

    async def run():
        left, written = asyncio.Event(), asyncio.Event()
        loop_and_event.extend([asyncio.get_running_loop(), written])

        async def receive():
            if not sent:
                sent.append("asked")
                return {"type": "http.request", "body": b'{"instances": [7]}'}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if len(sent) > 5:
                left.set()

        headers = [(name.encode(), value.encode()) for name, value in EVENTS.items()]
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
        task = asyncio.ensure_future(front(scope, receive, send))
        await asyncio.wait_for(written.wait(), 20)
        await asyncio.wait([task], timeout=20)
        assert task.done()

    asyncio.run(run())
    assert CLOSED == [7]
    assert [record.status for record in noted] == [499]
    front._close()
