"""Records of Front: recording modes, failed writes, disconnects."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_deploy.serving import Front
from tests.contract.serving.test_serving_front import RELEASED, STARTED, front, inner, model, predict, problem, records

__all__ = ["front", "model", "records"]


@pytest.mark.parametrize(
    ("mode", "kept"),
    [("full", True), ("meta", False), ("off", None), ("what a newer gateway says", False)],
)
def test_the_gateways_header_sets_the_recording_mode(front, records, mode, kept):
    response = predict(front, '{"instances": [2]}', x_rollout_record=mode)
    assert response.json() == {"predictions": [0.5]}
    found = [(record.inputs is not None, record.outputs is not None, record.rows) for record in records()]
    assert found == ([] if kept is None else [(kept, kept, 1)])


def test_a_record_has_the_share_in_force_and_the_hash_of_the_key_but_not_the_key(front, records):
    shared = {"x_rollout_canary": "tumour:bbb;share=0.05", "x_rollout_salt": "salt", "x_sticky_key": "ada@example.org"}
    for body in ('{"instances": [2]}', '{"instances": [0]}', '{"instances": ["x"]}'):  # answered, failed, refused
        predict(front, body, **shared)
    predict(front, '{"instances": [2]}', x_sticky_key="ada@example.org")
    *found, alone = records()
    assert {(record.canary, record.share, len(record.cluster)) for record in found} == {("tumour:bbb", 0.05, 16)}
    assert len({record.cluster for record in found}) == 1
    assert (alone.canary, alone.share, alone.cluster) == (None, None, None)
    assert alone.inputs_digest == found[0].inputs_digest != found[1].inputs_digest
    written = "".join(record.model_dump_json() for record in (*found, alone))
    assert not {word for word in ("ada@", "example") if word in written}  # "ada" may be in an id


def test_in_the_mode_meta_an_exceptions_message_is_in_neither_record_nor_log(front, records, capsys):
    assert predict(front, '{"instances": [0]}', x_rollout_record="meta").status_code == 500
    (record,) = records()
    assert (record.error.type, record.error.message, record.inputs) == ("ZeroDivisionError", "", None)
    log = capsys.readouterr().err
    assert "ZeroDivisionError" in log
    assert "division" not in log


@pytest.fixture
def unwritable(records, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBDEPLOY_RECORDS", str(tmp_path / "file" / "records"))


def test_a_request_that_cannot_be_recorded_is_answered(front, unwritable):
    assert predict(front, '{"instances": [2]}').json() == {"predictions": [0.5]}


@pytest.mark.parametrize("body", ['{"instances": [2]}', "{", '{"instances": [0]}'])
def test_a_request_that_cannot_be_recorded_is_refused_if_records_are_required(model, unwritable, monkeypatch, body):
    monkeypatch.setenv("NBDEPLOY_WHEN_RECORD_FAILS", "refuse")
    front = Front(inner(), model=model)
    response = predict(front, body)
    assert "recorded" in problem(response, 503)["detail"]
    assert response.headers["retry-after"]
    assert predict(front, '{"instances": [2]}', x_rollout_record="off").status_code == 200
    front._close()


def test_an_invalid_setting_for_unrecorded_requests_fails_the_start(monkeypatch):
    monkeypatch.setenv("NBDEPLOY_WHEN_RECORD_FAILS", "perhaps")
    with pytest.raises(ValueError, match="answer or refuse"):
        Front(inner())


def test_an_unknown_role_is_recorded_as_direct(front, records):
    predict(front, '{"instances": [1]}', x_rollout_role="made-up")
    assert records()[0].role == "direct"


async def call(front, receive, send):
    headers = [(b"x-request-id", b"gone"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    await front(scope, receive, send)


def test_a_client_that_disconnects_during_its_request_gets_a_record_and_no_response(front, records):
    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []
    asyncio.run(call(front, receive, send))
    assert sent == []
    assert [(record.request_id, record.status) for record in records()] == [("gone", 499)]


def test_a_disconnect_before_the_response_causes_no_error(front, records):
    async def receive():
        return {"type": "http.request", "body": b'{"instances": [1]}'}

    async def send(_message):
        raise OSError("client disconnected")

    asyncio.run(call(front, receive, send))
    assert records()[0].status == 200


def test_requests_cancelled_by_a_time_limit_are_recorded(front, records):
    async def give_up():
        async def receive():
            return {"type": "http.request", "body": b'{"instances": [99]}'}

        async def send(_message):
            pass

        # The first is being computed, the second waits for the model's one thread.
        tasks = [asyncio.create_task(call(front, receive, send)) for _ in range(2)]
        await asyncio.to_thread(STARTED.wait, 30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        RELEASED.set()
        await asyncio.to_thread(front._predictor._thread.shutdown)

    STARTED.clear()
    RELEASED.clear()
    asyncio.run(give_up())
    assert [(record.status, record.outputs) for record in records()] == [(504, None), (504, [1 / 99])]
