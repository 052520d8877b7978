"""REST's pure parts: routes, queries and bodies as requests, revisions as HTTP has them, files, titles."""

import asyncio
import json
import logging
import threading
import time
from io import BytesIO
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from jupyter_deploy.domain.errors import Conflict, StoreError
from jupyter_deploy.domain.release.endpoint import Endpoint, Traffic
from jupyter_deploy.domain.requests import (
    CompareRequest,
    DeployRequest,
    DiffRequest,
    LogsRequest,
    PromoteRequest,
    PurgeRequest,
    ReconcileRequest,
    ReproduceRequest,
    RollbackRequest,
    TrafficRequest,
)
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.faces.server.rest.change_feed import Watch
from jupyter_deploy.faces.server.rest.exchange import Question, Wrong, document, from_query, object_in
from jupyter_deploy.faces.server.rest.frames import packed, read
from jupyter_deploy.faces.server.rest.paths import absolute
from jupyter_deploy.faces.server.rest.router import Answers
from jupyter_deploy.faces.server.rest.table import at
from jupyter_deploy.faces.server.rest.worker import Asked
from jupyter_deploy.faces.server.rest.worker_client import Asking, _Running
from jupyter_deploy.store.jobs import SqliteJobs
from jupyter_deploy.verbs import BY_NAME
from tests.releases import release


def test_a_segment_is_any_text_without_a_slash():
    assert at("jobs/a.b~c")["GET"][1] == {"id": "a.b~c"}
    assert set(at("jobs/x")) == {"GET", "DELETE"}
    assert at("jobs/x/y") == at("jobs/") == at("openapixjson") == {}


def test_a_query_names_what_it_takes_several_of_several_times():
    query = {"name": ["churn"], "require": ["agreement >= 0.9", "error_rate <= 0.1"], "since": ["1h"]}
    request = from_query(CompareRequest, query)
    assert request.require == ["agreement >= 0.9", "error_rate <= 0.1"]
    assert request.since is not None
    assert from_query(CompareRequest, {"name": ["churn"], "require": ["agreement >= 0.9"]}).require == [
        "agreement >= 0.9"
    ]


def test_a_query_that_cannot_be_names_its_fields():
    with pytest.raises(ValidationError) as raised:
        from_query(LogsRequest, {"name": ["churn"], "limit": ["many"], "nothing": ["x"]})
    assert {error["loc"] for error in raised.value.errors()} == {("limit",), ("nothing",)}


def test_an_empty_body_is_an_empty_request():
    assert object_in(b"") == {}


@pytest.mark.parametrize("body", [b'{"a": Infinity}', b"{'a': 1}", b"\x00", b'{"a": 1} {}'])
def test_what_is_no_json_is_a_400(body):
    with pytest.raises(Wrong) as raised:
        object_in(body)
    assert raised.value.problem.status == 400


def test_an_answer_is_json_that_a_browser_reads_whatever_the_numbers_are():
    assert json.loads(document([{"x": float("nan")}, float("inf")]).body) == [{"x": None}, None]


def test_messages_come_through_a_pipe_whole_or_not_at_all(tmp_path):
    message = packed({"id": 7}, b"two\nlines")
    path = tmp_path / "pipe"
    for size in (len(message), len(message) - 1, 3, 0):
        path.write_bytes(message + message[:size])
        with path.open("rb") as stream:
            assert read(stream) == ({"id": 7, "length": 9}, b"two\nlines")
            assert (read(stream) is None) == (size < len(message))


def test_files_are_looked_for_in_the_servers_folder(tmp_path):
    (tmp_path / "a.ipynb").touch()
    given = {"source": "a.ipynb", "name": "a.ipynb", "validate": ["a.ipynb", "off"], "include": "x\0"}
    there = str(tmp_path / "a.ipynb")
    assert absolute(BY_NAME["deploy"].request, given, tmp_path) == given | {"source": there, "validate": [there, "off"]}
    assert absolute(BY_NAME["deploy"].request, {"source": "churn:1"}, tmp_path) == {"source": "churn:1"}
    (tmp_path / "actuals.csv").touch()
    feedback = BY_NAME["feedback"].request
    assert absolute(feedback, {"data": "actuals.csv"}, tmp_path) == {"data": str(tmp_path / "actuals.csv")}
    told = {"data": '[{"request_id": "a", "actual": "yes"}]' + " " * 5000}
    assert absolute(feedback, told, tmp_path) == told
    assert absolute(BY_NAME["validate"].request, {"junit": "new.xml", "html": "/x"}, tmp_path) == {
        "junit": str(tmp_path / "new.xml"),
        "html": "/x",
    }
    assert absolute(BY_NAME["diff"].request, {"a": "a.ipynb"}, tmp_path) == {"a": "a.ipynb"}
    compose = BY_NAME["compose"].request
    assert absolute(compose, {"name": "churn"}, tmp_path)["output_dir"] == str(tmp_path / "{name}-compose")
    assert absolute(compose, {"name": "churn", "output_dir": "/x"}, tmp_path)["output_dir"] == "/x"


@pytest.mark.parametrize(
    ("verb", "request_", "title"),
    [
        ("deploy", DeployRequest(model="clf", name="churn"), "deploy clf as churn"),
        ("deploy", DeployRequest(source="/home/ada/train.ipynb"), "deploy train.ipynb"),
        ("validate", ValidateRequest(notebooks=("a/checks.ipynb",)), "validate checks.ipynb"),
        ("validate", ValidateRequest(), "validate this project"),
        ("traffic", TrafficRequest(name="churn", canary={"churn:2": 10}), "traffic of churn: churn:2 10 %"),
        ("traffic", TrafficRequest(name="churn", record="off"), "traffic of churn: record off"),
        ("promote", PromoteRequest(name="churn", tag="churn:2"), "promote churn:2 in churn"),
        ("promote", PromoteRequest(name="churn"), "promote churn"),
        ("rollback", RollbackRequest(name="churn", to=3), "take churn back to revision 3"),
        ("rollback", RollbackRequest(name="churn"), "take churn back to the revision before"),
        ("diff", DiffRequest(a="churn:1", b="churn:2"), "compare churn:1 with churn:2"),
        ("diff", DiffRequest(a="churn"), "what changed in churn"),
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


def test_a_bug_is_logged_and_told_without_its_traceback(tmp_path, caplog):
    answers = Answers(SimpleNamespace(store=Broken()), None, tmp_path)
    with caplog.at_level(logging.ERROR):
        answer = answers.answer(Question("GET", "list", base="/user/ada/"))
    told = json.loads(answer.body)
    assert (answer.status, told["code"], told["details"]) == (500, "bug", "")
    assert "Traceback" in caplog.text
    assert b"Traceback" not in answer.body


def test_a_disk_that_is_full_is_said_in_words(tmp_path):
    def full():
        raise OSError(28, "No space left on device", "/x")

    answers = Answers(SimpleNamespace(store=SimpleNamespace(endpoints=full)), None, tmp_path)
    told = json.loads(answers.answer(Question("GET", "list")).body)
    assert told["code"] == "store_error"
    assert "make room" in told["remedy"]


def test_a_capture_is_given_to_the_desk_which_waits_for_its_kernel(tmp_path):
    started = []
    ports = SimpleNamespace(jobs=SqliteJobs(tmp_path))
    answers = Answers(ports, SimpleNamespace(start=started.append), tmp_path)
    answer = answers.answer(Question("POST", "captures", body=b'{"model": "clf", "name": "churn"}'))
    assert answer.status == 202
    assert [(job.id, job.state) for job in started] == [(json.loads(answer.body)["id"], "waiting")]


def test_a_change_that_another_one_overtakes_while_it_is_looked_at_is_stale(tmp_path, monkeypatch):
    before = Endpoint(
        name="churn", target="local", revision=1, releases=(release("1"),), traffic=Traffic(stable="tumour:1")
    )
    now = [before]
    store = SimpleNamespace(endpoint=lambda _: now[0], history=lambda _: [])

    def overtaken(*_):
        now[0] = before.model_copy(update={"revision": 2})
        raise Conflict("somebody was faster")

    monkeypatch.setattr("jupyter_deploy.faces.server.rest.router.planned", overtaken)
    answers = Answers(SimpleNamespace(store=store), None, tmp_path)
    answer = answers.answer(Question("POST", "stop", body=b'{"name": "churn"}', if_match='"1"'))
    told = json.loads(answer.body)
    assert (answer.status, told["revision"]) == (412, 2)


def test_a_listener_that_left_before_it_was_begun_is_not_told_for_ever(tmp_path):
    listening = set()

    def begin(identity, _):
        listening.add(identity)

    asked = Asked(str(tmp_path), BytesIO(packed({"id": 1, "after": None}) + packed({"id": 1, "cancel": True})), None)
    asked._parts = SimpleNamespace(watch=SimpleNamespace(begin=begin, end=listening.discard))
    late = []
    asked._pool = SimpleNamespace(submit=lambda work, *given: late.append((work, given)))
    asked.serve()
    for work, given in reversed(late):  # as threads may have it
        work(*given)
    assert listening == set()


def test_a_listener_that_is_too_far_behind_is_let_go_and_comes_back_for_the_rest():
    async def behind():
        running = _Running(process=None)
        parts = running.streams[1] = asyncio.Queue(2)
        asking = Asking("/", logging.getLogger())
        for part in (b"a", b"b", b"c"):
            asking._received(running, {"id": 1, "more": True}, part)
        return await parts.get()

    assert asyncio.run(behind()) is None  # none is left out in the middle


class Telling:
    """Jobs and a store that may break; what a listener was told."""

    def __init__(self):
        self.broken, self.told, self.heard = False, [], threading.Condition()

    def latest(self):
        if self.broken:
            raise StoreError("the disk is gone")
        return 4

    def events(self, after):
        return []

    def revisions(self):
        return {"churn": 7}

    def tell(self, identity, text):
        with self.heard:
            self.told.append((identity, text))
            self.heard.notify_all()

    def told_to(self, identity):
        with self.heard:
            self.heard.wait_for(lambda: any(who == identity for who, _ in self.told))
            return "".join(text for who, text in self.told if who == identity)


def test_a_listener_begins_with_what_happens_next_and_with_all_endpoints(tmp_path):
    world = Telling()
    watch = Watch(SimpleNamespace(jobs=world, store=world), tmp_path, world.tell)
    watch.begin(1, None)
    assert world.told_to(1) == 'id: 4\nevent: endpoints\ndata: {"churn": 7}\n\n'
    watch.begin(2, 99)  # of a file of jobs that is there no more
    assert world.told_to(2).startswith("id: 4\n")


def test_who_listens_while_the_store_cannot_be_read_goes_on_listening(tmp_path, caplog):
    world = Telling()
    world.broken = True
    watch = Watch(SimpleNamespace(jobs=world, store=world), tmp_path, world.tell)
    with caplog.at_level(logging.WARNING):
        watch.begin(1, None)
        while "the disk is gone" not in caplog.text:
            time.sleep(0.01)
    world.broken = False
    assert world.told_to(1).startswith("id: 4\n")
