"""REST's pure parts: routes, queries and bodies as requests, revisions in HTTP, files, titles."""

import asyncio
import json
import logging
import threading
import time
from io import BytesIO
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from jupyter_deploy.domain.capture.requests import DiffRequest, ReproduceRequest
from jupyter_deploy.domain.errors import Conflict, StoreError
from jupyter_deploy.domain.logs import LogsRequest
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.domain.requests import (
    CompareRequest,
    DeployRequest,
    PromoteRequest,
    PurgeRequest,
    ReconcileRequest,
    RollbackRequest,
    TrafficRequest,
)
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.faces.server.rest.change_feed import ChangeFeed
from jupyter_deploy.faces.server.rest.exchange import HttpRequest, RequestError, from_query, json_response, object_in
from jupyter_deploy.faces.server.rest.frames import pack, read_message
from jupyter_deploy.faces.server.rest.paths import resolve_files
from jupyter_deploy.faces.server.rest.router import Router
from jupyter_deploy.faces.server.rest.table import routes_at
from jupyter_deploy.faces.server.rest.worker import Worker
from jupyter_deploy.faces.server.rest.worker_client import WorkerClient, _Running
from jupyter_deploy.store.jobs import SqliteJobs
from jupyter_deploy.verbs import BY_NAME
from tests.releases import release


def test_a_segment_is_any_text_without_a_slash():
    assert routes_at("jobs/a.b~c")["GET"][1] == {"id": "a.b~c"}
    assert set(routes_at("jobs/x")) == {"GET", "DELETE"}
    assert routes_at("jobs/x/y") == routes_at("jobs/") == routes_at("openapixjson") == {}


def test_a_query_repeats_a_field_with_several_values():
    query = {"name": ["churn"], "require": ["agreement >= 0.9", "error_rate <= 0.1"], "since": ["1h"]}
    request = from_query(CompareRequest, query)
    assert request.require == ["agreement >= 0.9", "error_rate <= 0.1"]
    assert request.since is not None
    assert from_query(CompareRequest, {"name": ["churn"], "require": ["agreement >= 0.9"]}).require == [
        "agreement >= 0.9"
    ]


def test_an_invalid_query_names_its_fields():
    with pytest.raises(ValidationError) as raised:
        from_query(LogsRequest, {"name": ["churn"], "limit": ["many"], "nothing": ["x"]})
    assert {error["loc"] for error in raised.value.errors()} == {("limit",), ("nothing",)}


def test_an_empty_body_is_an_empty_request():
    assert object_in(b"") == {}


@pytest.mark.parametrize("body", [b'{"a": Infinity}', b"{'a': 1}", b"\x00", b'{"a": 1} {}'])
def test_a_body_that_is_not_json_is_a_400(body):
    with pytest.raises(RequestError) as raised:
        object_in(body)
    assert raised.value.problem.status == 400


def test_a_response_is_valid_json_also_with_nan_and_infinity():
    assert json.loads(json_response([{"x": float("nan")}, float("inf")]).body) == [{"x": None}, None]


def test_a_message_is_read_whole_or_not_at_all(tmp_path):
    message = pack({"id": 7}, b"two\nlines")
    path = tmp_path / "pipe"
    for size in (len(message), len(message) - 1, 3, 0):
        path.write_bytes(message + message[:size])
        with path.open("rb") as stream:
            assert read_message(stream) == ({"id": 7, "length": 9}, b"two\nlines")
            assert (read_message(stream) is None) == (size < len(message))


def test_paths_are_relative_to_the_servers_folder(tmp_path):
    (tmp_path / "a.ipynb").touch()
    given = {"source": "a.ipynb", "name": "a.ipynb", "validate": ["a.ipynb", "off"], "include": "x\0"}
    there = str(tmp_path / "a.ipynb")
    assert resolve_files(BY_NAME["deploy"].request, given, tmp_path) == given | {
        "source": there,
        "validate": [there, "off"],
    }
    assert resolve_files(BY_NAME["deploy"].request, {"source": "churn:1"}, tmp_path) == {"source": "churn:1"}
    (tmp_path / "actuals.csv").touch()
    feedback = BY_NAME["feedback"].request
    assert resolve_files(feedback, {"data": "actuals.csv"}, tmp_path) == {"data": str(tmp_path / "actuals.csv")}
    inline = {"data": '[{"request_id": "a", "actual": "yes"}]' + " " * 5000}
    assert resolve_files(feedback, inline, tmp_path) == inline
    assert resolve_files(BY_NAME["validate"].request, {"junit": "new.xml", "html": "/x"}, tmp_path) == {
        "junit": str(tmp_path / "new.xml"),
        "html": "/x",
    }
    (tmp_path / "forest").mkdir()  # next to the notebook, and no model's variable
    assert resolve_files(BY_NAME["candidates"].request, {"models": ["a.ipynb", "forest"]}, tmp_path) == {
        "models": [there, "forest"]
    }
    assert resolve_files(BY_NAME["diff"].request, {"a": "a.ipynb"}, tmp_path) == {"a": "a.ipynb"}
    compose = BY_NAME["compose"].request
    assert resolve_files(compose, {"name": "churn"}, tmp_path)["output_dir"] == str(tmp_path / "{name}-compose")
    assert resolve_files(compose, {"name": "churn", "output_dir": "/x"}, tmp_path)["output_dir"] == "/x"


@pytest.mark.parametrize(
    ("verb", "request_", "title"),
    [
        ("deploy", DeployRequest(model="clf", name="churn"), "deploy clf as churn"),
        ("deploy", DeployRequest(source="/home/ada/train.ipynb"), "deploy train.ipynb"),
        ("validate", ValidateRequest(notebooks=("a/checks.ipynb",)), "validate checks.ipynb"),
        ("validate", ValidateRequest(), "validate this project"),
        ("traffic", TrafficRequest(name="churn", canary={"churn:2": 10}), "traffic of churn: churn:2 10 %"),
        ("traffic", TrafficRequest(name="churn", record="off"), "traffic of churn: record off"),
        (
            "traffic",
            TrafficRequest(name="churn", tolerance="1%", segment=["region", "age: <3"]),
            "traffic of churn: tolerance 0.01, segments region; age: <3",
        ),
        ("promote", PromoteRequest(name="churn", tag="churn:2"), "promote churn:2 in churn"),
        ("promote", PromoteRequest(name="churn"), "promote churn"),
        ("rollback", RollbackRequest(name="churn", to=3), "take churn back to revision 3"),
        ("rollback", RollbackRequest(name="churn"), "take churn back to the revision before"),
        ("diff", DiffRequest(a="churn:1", b="churn:2"), "changes from churn:1 to churn:2"),
        ("diff", DiffRequest(a="churn"), "changes in churn"),
        ("reproduce", ReproduceRequest(tag="churn:1"), "reproduce churn:1"),
        ("purge", PurgeRequest(name="churn", before="7d"), "purge churn"),
        ("reconcile", ReconcileRequest(), "reconcile"),
    ],
)
def test_a_job_has_a_title_for_people(verb, request_, title):
    assert BY_NAME[verb].job_title(request_) == title


class Broken:
    """A store with a bug."""

    def endpoints(self):
        raise RuntimeError("the token is hunter2")


def test_a_bug_is_logged_and_answered_without_its_traceback(tmp_path, caplog):
    router = Router(SimpleNamespace(store=Broken()), None, tmp_path)
    with caplog.at_level(logging.ERROR):
        response = router.answer(HttpRequest("GET", "list", base="/user/ada/"))
    document = json.loads(response.body)
    assert (response.status, document["code"], document["details"]) == (500, "bug", "")
    assert "Traceback" in caplog.text
    assert b"Traceback" not in response.body


def test_a_full_disk_is_a_store_error_with_a_remedy(tmp_path):
    def full():
        raise OSError(28, "No space left on device", "/x")

    router = Router(SimpleNamespace(store=SimpleNamespace(endpoints=full)), None, tmp_path)
    document = json.loads(router.answer(HttpRequest("GET", "list")).body)
    assert document["code"] == "store_error"
    assert "free space" in document["remedy"]


def test_a_capture_starts_a_job_that_waits_for_its_kernel(tmp_path):
    started = []
    ports = SimpleNamespace(jobs=SqliteJobs(tmp_path))
    router = Router(ports, SimpleNamespace(start=started.append), tmp_path)
    response = router.answer(HttpRequest("POST", "captures", body=b'{"model": "clf", "name": "churn"}'))
    assert response.status == 202
    assert [(job.id, job.state) for job in started] == [(json.loads(response.body)["id"], "waiting")]


def test_a_change_that_another_one_overtakes_during_planning_is_stale(tmp_path, monkeypatch):
    before = Endpoint(
        name="churn", target="local", revision=1, releases=(release("1"),), traffic=Traffic(stable="tumour:1")
    )
    now = [before]
    store = SimpleNamespace(endpoint=lambda _: now[0], history=lambda _: [])

    def overtaken(*_):
        now[0] = before.model_copy(update={"revision": 2})
        raise Conflict("somebody was faster")

    monkeypatch.setattr("jupyter_deploy.faces.server.rest.router.planned", overtaken)
    router = Router(SimpleNamespace(store=store), None, tmp_path)
    response = router.answer(HttpRequest("POST", "stop", body=b'{"name": "churn"}', if_match='"1"'))
    document = json.loads(response.body)
    assert (response.status, document["revision"]) == (412, 2)


def test_a_stream_that_was_cancelled_before_its_start_is_not_served(tmp_path):
    listening = set()

    def subscribe(identity, _):
        listening.add(identity)

    worker = Worker(str(tmp_path), BytesIO(pack({"id": 1, "after": None}) + pack({"id": 1, "cancel": True})), None)
    worker._parts = SimpleNamespace(feed=SimpleNamespace(subscribe=subscribe, unsubscribe=listening.discard))
    late = []
    worker._pool = SimpleNamespace(submit=lambda work, *given: late.append((work, given)))
    worker.serve()
    for work, given in reversed(late):  # as threads may have it
        work(*given)
    assert listening == set()


def test_a_stream_with_a_full_backlog_ends_so_that_its_client_reconnects():
    async def behind():
        running = _Running(process=None)
        parts = running.streams[1] = asyncio.Queue(2)
        client = WorkerClient("/", logging.getLogger())
        for part in (b"a", b"b", b"c"):
            client._receive(running, {"id": 1, "more": True}, part)
        return await parts.get()

    assert asyncio.run(behind()) is None  # no part is missing within a stream


class Sources:
    """Jobs and a store that may fail, and the events that each client got."""

    def __init__(self):
        self.broken, self.sent, self.condition = False, [], threading.Condition()

    def latest(self):
        if self.broken:
            raise StoreError("the disk is gone")
        return 4

    def events(self, after):
        return []

    def revisions(self):
        return {"churn": 7}

    def send(self, identity, text):
        with self.condition:
            self.sent.append((identity, text))
            self.condition.notify_all()

    def sent_to(self, identity):
        with self.condition:
            self.condition.wait_for(lambda: any(client == identity for client, _ in self.sent))
            return "".join(text for client, text in self.sent if client == identity)


def test_a_stream_starts_with_all_endpoints_and_the_next_event(tmp_path):
    world = Sources()
    feed = ChangeFeed(SimpleNamespace(jobs=world, store=world), tmp_path, world.send)
    feed.subscribe(1, None)
    assert world.sent_to(1) == 'id: 4\nevent: endpoints\ndata: {"churn": 7}\n\n'
    feed.subscribe(2, 99)  # of an earlier file of jobs
    assert world.sent_to(2).startswith("id: 4\n")


def test_a_stream_stays_open_while_the_store_cannot_be_read(tmp_path, caplog):
    world = Sources()
    world.broken = True
    feed = ChangeFeed(SimpleNamespace(jobs=world, store=world), tmp_path, world.send)
    with caplog.at_level(logging.WARNING):
        feed.subscribe(1, None)
        while "the disk is gone" not in caplog.text:
            time.sleep(0.01)
    world.broken = False
    assert world.sent_to(1).startswith("id: 4\n")
