"""Requests that wait while the model computes: shared calls, separate calls, refusals."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import numpy as np
import pytest
from prometheus_client import REGISTRY

from jupyter_deploy.serving import Front
from jupyter_deploy.serving.dispatch import batch_sizing
from jupyter_deploy.serving.snapshot import MANIFEST, load
from tests.contract.serving.test_serving_front import inner, problem, records
from tests.contract.serving.test_serving_snapshot import write_snapshot
from tests.e2e.conftest import until

__all__ = ["records"]

CALLS: list[list[float]] = []
THREADS: list[int] = []
STARTED, RELEASED = threading.Event(), threading.Event()


def half(rows):
    """Waits where the first row is 99; fails on 98."""
    CALLS.append(rows[:, 0].tolist())
    THREADS.append(threading.get_ident())
    if 99 in rows:
        STARTED.set()
        RELEASED.wait(30)
    if 98 in rows:
        raise ValueError("no such customer")
    return rows[:, 0] / 2


@pytest.fixture
def fronts(tmp_path, records):
    """Make a Front of an array model; ``batchable``: the replay allows joint calls."""
    made = []

    def front(*, batchable=True, framework="python"):
        example = np.array([[1.0], [2.0]])
        folder = tmp_path / "half" / str(len(made))
        write_snapshot(folder, half, example, half(example), "array", framework=framework, prototype=example[:0])
        manifest = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps(manifest | {"batchable": batchable}))
        made.append(Front(inner(), model=load(folder)))
        CALLS.clear()
        THREADS.clear()
        STARTED.clear()
        RELEASED.clear()
        return made[-1]

    yield front
    RELEASED.set()
    for one in made:
        one._close()


def is_done(task):
    return task.done()


def while_it_computes(front, *others):
    """Return the responses, as (value, headers), to a running request and to the ``others`` that arrive meanwhile."""

    async def all_of_them():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:

            def post(value, headers):
                return asyncio.create_task(client.post("/predict", json={"instances": [[value]]}, headers=headers))

            tasks = [post(99.0, {})]
            await asyncio.to_thread(STARTED.wait, 30)
            tasks += [post(*one) for one in others]
            queue = front._predictor._queue
            await asyncio.to_thread(until, lambda: len(queue.waiting) + sum(map(is_done, tasks)) >= len(others))
            done = [task.done() for task in tasks]
            RELEASED.set()
            return await asyncio.gather(*tasks), done

    return asyncio.run(all_of_them())


def test_requests_that_arrive_during_a_call_share_the_next_one(fronts):
    answers, _ = while_it_computes(fronts(), *((float(n), {}) for n in range(5)))
    assert CALLS == [[99], [0, 1, 2, 3, 4]]
    assert [answer.json()["predictions"] for answer in answers] == [[49.5], [0], [0.5], [1], [1.5], [2]]


def test_each_request_of_a_batch_has_its_own_record(fronts, records):
    while_it_computes(fronts(), (1.0, {"x-request-id": "one"}), (2.0, {"x-request-id": "two"}))
    recorded = {record.request_id: (record.inputs, record.outputs, record.rows) for record in records()[1:]}
    assert recorded == {"one": ([[1.0]], [0.5], 1), "two": ([[2.0]], [1.0], 1)}


def test_a_model_that_is_not_batchable_gets_one_request_a_call(fronts):
    while_it_computes(fronts(batchable=False), (1.0, {}), (2.0, {}))
    assert CALLS == [[99], [1], [2]]


def test_one_bad_row_fails_alone(fronts, records):
    answers, _ = while_it_computes(fronts(), (1.0, {}), (98.0, {}), (2.0, {}))
    assert [answer.status_code for answer in answers] == [200, 200, 500, 200]
    assert CALLS == [[99], [1, 98, 2], [1], [98], [2]]
    assert sorted(record.status for record in records()) == [200, 200, 200, 500]


def test_requests_of_different_roles_share_no_call(fronts):
    shadow = {"x-rollout-role": "shadow"}
    while_it_computes(fronts(), (1.0, shadow), (2.0, shadow), (3.0, {}), (4.0, shadow))
    assert CALLS == [[99], [1, 2], [3], [4]]


def test_a_long_body_is_parsed_in_the_models_thread_and_called_alone(fronts, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.serving.dispatch.predictor._SHORT_BYTES", 22)
    reads = []
    front = fronts()
    read = front._explicit_model.decoder.json
    front._explicit_model.decoder.json = lambda content: (
        reads.append((len(content), threading.get_ident())) or read(content)
    )
    while_it_computes(front, (1.0, {}), (1000.0, {}), (2.0, {}))
    assert CALLS == [[99], [1], [1000], [2]]
    assert {length > 22: thread == threading.get_ident() for length, thread in reads} == {False: True, True: False}


def test_a_full_queue_refuses_at_once_with_retry_after(fronts, monkeypatch, records):
    monkeypatch.setenv("NBDEPLOY_MAX_WAITING", "2")
    answers, done = while_it_computes(fronts(), (1.0, {}), (2.0, {}), (3.0, {"x-request-id": "third"}))
    assert done == [False, False, False, True]
    refused = answers[3]
    assert problem(refused, 503)["detail"].startswith("2 requests are waiting for the model already")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-request-id"] == "third"
    assert [answer.status_code for answer in answers[:3]] == [200, 200, 200]
    assert {record.request_id: record.status for record in records()}["third"] == 503


def test_a_request_that_waits_beyond_its_deadline_is_answered_then_and_not_computed(fronts, records):
    answers, _ = while_it_computes(fronts(), (1.0, {"x-request-timeout-ms": "1", "x-request-id": "late"}), (2.0, {}))
    assert problem(answers[1], 504)
    assert answers[2].status_code == 200
    assert CALLS == [[99], [2]]
    assert {record.request_id: record.status for record in records()}["late"] == 504


def test_a_request_that_runs_beyond_its_deadline_is_answered_then_and_recorded_later(fronts, records):
    front = fronts()

    async def late():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            headers = {"x-request-timeout-ms": "200"}
            answer = await client.post("/predict", json={"instances": [[99]]}, headers=headers)
            assert not RELEASED.is_set()
            RELEASED.set()
            await client.post("/predict", json={"instances": [[1]]})  # after it
            return answer

    assert problem(asyncio.run(late()), 504)
    assert [(record.status, record.outputs) for record in records()] == [(504, [49.5]), (200, [0.5])]


@pytest.mark.parametrize("limit", ["soon", "-1", "1.5", "", "9" * 30])
def test_an_invalid_deadline_gets_a_400(fronts, limit):
    answers, _ = while_it_computes(fronts(), (1.0, {"x-request-timeout-ms": limit}))
    assert "x-request-timeout-ms must be a whole number of milliseconds" in problem(answers[1], 400)["detail"]


def test_a_request_of_a_disconnected_client_is_recorded_and_not_computed(fronts, records):
    front = fronts()
    gone = asyncio.Event()

    async def go():
        messages = [{"type": "http.request", "body": b'{"instances": [[1.0]]}'}]

        async def receive():
            if messages:
                return messages.pop(0)
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            raise AssertionError(f"nobody reads {message}")

        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            first = asyncio.create_task(client.post("/predict", json={"instances": [[99]]}))
            await asyncio.to_thread(STARTED.wait, 30)
            headers = [(b"content-type", b"application/json"), (b"x-request-id", b"gone")]
            scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
            leaving = asyncio.create_task(front(scope, receive, send))
            await asyncio.to_thread(until, lambda: front._predictor._queue.waiting)
            gone.set()
            await leaving
            RELEASED.set()
            await first

    asyncio.run(go())
    assert CALLS == [[99]]
    assert {record.request_id: record.status for record in records()}["gone"] == 499


def test_requests_beyond_the_byte_budget_are_refused_while_others_wait(fronts, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.serving.dispatch.predictor.MAX_BYTES", 30)
    answers, _ = while_it_computes(fronts(), (1.0, {}), (2.0, {}))
    # Each has 22 bytes: the first is let in alone, and counts until it is answered.
    assert [answer.status_code for answer in answers] == [200, 503, 503]
    assert "too large together" in problem(answers[1], 503)["detail"]


def test_metrics_have_the_running_and_the_waiting_requests(fronts):
    front = fronts()

    def gauges():
        return [REGISTRY.get_sample_value(f"nbdeploy_requests_{what}") for what in ("running", "waiting")]

    async def crowd():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:

            def post(value):
                return asyncio.create_task(client.post("/predict", json={"instances": [[value]]}))

            tasks = [post(99.0)]
            await asyncio.to_thread(STARTED.wait, 30)
            tasks += [post(float(n)) for n in range(3)]
            await asyncio.to_thread(until, lambda: gauges() == [1, 3])
            RELEASED.set()
            await asyncio.gather(*tasks)
            return (await client.get("/metrics")).text

    text = asyncio.run(crowd())
    assert gauges() == [0, 0]
    assert "# TYPE nbdeploy_requests_running gauge" in text
    assert "# TYPE nbdeploy_requests_waiting gauge" in text


def test_a_quick_model_runs_in_the_event_loop_until_a_call_is_slow(fronts, monkeypatch):
    monkeypatch.setattr(batch_sizing, "SLOW_SECONDS", 0.25)  # no trivial call takes so long, however busy the machine
    monkeypatch.setattr(batch_sizing, "QUICK_SECONDS", 0.2)

    async def all_of_them(front, *rows):
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            for row in rows:
                await client.post("/predict", json={"instances": [[row]]})

    quick = fronts(framework="sklearn")
    asyncio.run(all_of_them(quick, *range(30)))
    assert THREADS[0] != threading.get_ident()
    assert THREADS[-1] == threading.get_ident()
    threading.Timer(0.5, RELEASED.set).start()
    asyncio.run(all_of_them(quick, 99, 1))
    assert [thread == threading.get_ident() for thread in THREADS[-2:]] == [True, False]


def statuses(front, *rows):
    """Ask one row at a time; return the statuses."""

    async def all_of_them():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return [(await client.post("/predict", json={"instances": [[row]]})).status_code for row in rows]

    return asyncio.run(all_of_them())


def test_a_model_that_needs_its_thread_fails_no_request_and_stays_there(fronts, monkeypatch):
    monkeypatch.setattr(batch_sizing, "SLOW_SECONDS", 30.0)
    monkeypatch.setattr(batch_sizing, "QUICK_SECONDS", 20.0)
    front = fronts()
    connections = {}

    def looked_up(rows):
        import sqlite3

        THREADS.append(threading.get_ident())
        if "made" not in connections:  # it may be used by the thread that has made it
            connections["made"] = sqlite3.connect(":memory:")
        (found,) = connections["made"].execute("SELECT ?", (float(rows[0, 0]),)).fetchone()
        return np.full(len(rows), found)

    monkeypatch.setattr(front._explicit_model, "_call", looked_up)
    assert statuses(front, *range(40)) == [200] * 40
    here = threading.get_ident()
    assert [number for number, thread in enumerate(THREADS) if thread == here] == [15]
    assert len(THREADS) == 41, "the failed call is repeated once"


def test_a_call_that_fails_in_any_thread_is_an_error_and_leaves_the_model_in_the_event_loop(fronts, monkeypatch):
    monkeypatch.setattr(batch_sizing, "SLOW_SECONDS", 30.0)
    monkeypatch.setattr(batch_sizing, "QUICK_SECONDS", 20.0)
    front = fronts()
    assert statuses(front, *range(20), 98, 98, 1) == [200] * 20 + [500, 500, 200]
    assert [row for call in CALLS for row in call].count(98) == 3, "the first failed call is repeated, no other"
    assert THREADS[-1] == threading.get_ident()
