"""The panel without a notebook and a browser: its answers, its changes, and what it sends by itself.

The store is the real one. The target is a fake, since the panel only reads its state; jobs are not started.
"""

import json
import shutil
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.errors import Conflict, InvalidInput, UnknownEndpoint
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.release.status import Counts
from jupyter_deploy.domain.requests import (
    DescribeRequest,
    HistoryRequest,
    PromoteRequest,
    RollbackRequest,
    TrafficRequest,
)
from jupyter_deploy.faces.kernel.magics import _panel
from jupyter_deploy.faces.panel.backend import Backend
from jupyter_deploy.faces.panel.saved import saved_html
from jupyter_deploy.faces.panel.widget import Panel
from jupyter_deploy.faces.server.jobs import jobs_in
from jupyter_deploy.records.counts import FileCounts
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.targets.local.http_client import HttpClient
from jupyter_deploy.verbs.history import history
from jupyter_deploy.verbs.status import describe
from jupyter_deploy.verbs.traffic import promote, rollback, traffic
from tests import manifests
from tests.e2e.conftest import until
from tests.releases import release

ONE = release("one", source=Source(notebook="/home/ada/train.ipynb", variable="clf"))
TWO, THREE = release("two"), release("three")
SHADOWED = Endpoint.first(ONE).with_release(TWO)


@dataclass
class Target:
    """Everything runs; the counts are set by the test."""

    counts: dict = field(default_factory=dict)
    hang: threading.Event | None = None

    def start(self, release, *, ask=False, renew=False):
        pass

    def lost(self):
        return False

    def usage(self, releases):
        return {}

    def stop(self, release):
        pass

    needs_image, shared, header_file = False, None, None

    def route(self, endpoint):
        return "http://url"

    def observe(self, endpoint):
        if self.hang is not None:
            self.hang.wait(60)
        healthy = ReleaseHealth(running=True, healthy=True)
        return Observation(
            url="http://url", releases={r.tag: healthy for r in endpoint.releases}, counts=self.counts
        )  # fmt: skip


class Runner:
    """Keeps the jobs that it is to start."""

    def __init__(self):
        self.started = []

    def start(self, job):
        self.started.append(job)


@pytest.fixture
def ports(tmp_path):
    home = tmp_path / "home"
    made = SimpleNamespace(
        home=home,
        store=SqliteStore(home, "ada"),
        targets={"local": Target()},
        keep_revisions=3,
        log=RecordLog(home),
        record_counts=FileCounts(home),
        client=HttpClient(),
        images=SimpleNamespace(to="registry.example/{name}", base=None, key=None),
        jobs=jobs_in(home),
    )
    made.store.save(Endpoint.first(ONE), based_on=0, reason="", change="first")
    made.store.save(SHADOWED, based_on=1, reason="", change="second")
    made.store.remember(manifests.snapshot(ONE.tag))
    return made


@pytest.fixture
def runner():
    return Runner()


@pytest.fixture
def panel(ports, runner):
    """A panel that somebody looks at; what it sends is in ``sent``."""
    made = Panel("tumour", ports, Backend(ports.home, ports, runner))
    made.sent = []
    made.widget.send = made.sent.append
    made.widget._view_count = 1
    yield made
    if ports.targets["local"].hang is not None:
        ports.targets["local"].hang.set()
    made.close()
    until(lambda: not made._watch.looking)


def asks(panel, path, body=None, *, method="POST", revision=None):
    """A request of the front end: the status and the document of its answer."""
    message = {"id": f"view-{len(panel.sent)}", "method": method, "path": path, "query": {}}
    body = None if body is None else json.dumps(body)
    panel._receive(None, {**message, "body": body, "revision": revision}, [])
    answer = until(lambda: next((one for one in panel.sent if one.get("answer") == message["id"]), None))
    return answer["status"], json.loads(answer["body"])


def elsewhere(ports, **shares):
    """Somebody else changes the shadow's share."""
    traffic(TrafficRequest(name="tumour", shadow={"two": shares["shadow"]}, reason="more evidence"), ports, print)


def changes(panel):
    return "".join(one["changes"] for one in panel.sent if "changes" in one)


def test_the_endpoint_is_there_before_the_front_end_asks(panel):
    view = panel.widget.view
    assert (panel.widget.name, view["revision"]) == ("tumour", 2)
    assert [card["role"] for card in view["cards"]] == ["stable", "shadow"]


def test_a_request_is_answered_as_the_jupyter_server_answers_it(panel):
    status, preview = asks(
        panel, "views/preview", {"name": "tumour", "verb": "traffic", "given": {"canary": {TWO.tag: 30}}}
    )
    assert (status, preview["title"], preview["asks"]) == (200, "Set canary tumour:two 30 %", True)
    assert preview["rows"][1] == {"tag": "tumour:two", "before": "shadow 100 %", "after": "canary 30 %"}
    assert asks(panel, "describe", {"name": "tumor"})[0] == 404
    assert asks(panel, "nowhere", method="GET")[1]["code"] == "no_route"
    status, problem = asks(panel, "traffic", {"name": "tumour", "canary": {TWO.tag: 130}})
    assert (status, "130 is not a percentage" in problem["detail"]) == (422, True)


def test_a_change_is_a_job_of_the_revision_that_was_seen(panel, runner):
    status, job = asks(panel, "promote", {"name": "tumour", "tag": TWO.tag}, revision=2)
    assert (status, job["verb"], job["state"]) == (202, "promote", "queued")
    (started,) = runner.started
    assert (started.id, started.request["if_revision"]) == (job["id"], 2)
    until(lambda: f'"job":"{job["id"]}"' in changes(panel))


def test_a_change_of_an_unseen_revision_is_refused_with_the_newer_ones(panel, ports, runner):
    elsewhere(ports, shadow=50)
    status, problem = asks(panel, "promote", {"name": "tumour", "tag": TWO.tag}, revision=2)
    assert (status, problem["revision"]) == (412, 3)
    assert [(r["revision"], r["by"], r["reason"]) for r in problem["history"]] == [(3, "ada", "more evidence")]
    assert runner.started == []


def test_a_message_that_is_no_request_gets_no_answer(panel):
    before = len(panel.sent)
    for message in ({}, {"id": 3, "method": "GET", "path": "jobs", "query": {}}, {"id": "a", "method": "GET"}):
        panel._answer(message)
    assert [one for one in panel.sent[before:] if "answer" in one] == []


@pytest.mark.parametrize("verb", [promote, rollback])
def test_promote_and_rollback_refuse_a_revision_that_is_not_the_endpoints(ports, verb):
    request = PromoteRequest if verb is promote else RollbackRequest
    with pytest.raises(Conflict):
        verb(request(name="tumour", if_revision=1), ports, print)
    assert ports.store.endpoint("tumour").revision == 2


def test_it_shows_what_others_change_and_counts_while_somebody_looks(panel, ports):
    elsewhere(ports, shadow=50)
    until(lambda: panel.widget.view["revision"] == 3)
    assert panel.widget.view["history"][0]["reason"] == "more evidence"
    ports.targets["local"].counts = {ONE.tag: Counts(requests=7, errors=1, p50_ms=2.5)}
    until(lambda: panel.widget.view["cards"][0]["counts"])
    counts = panel.widget.view["cards"][0]["counts"]
    assert (counts["requests"], counts["errors"], counts["p50_ms"]) == (7, 1, 2.5)
    panel.widget._view_count = 0
    assert not panel._watch._watched.is_set()
    assert panel._backend._listeners == {}


def test_trouble_with_looking_is_shown_and_ends_by_itself(panel, ports, tmp_path):
    def words():
        return (panel.widget.problem or {"detail": ""})["detail"]

    shutil.move(tmp_path / "home", tmp_path / "away")
    until(lambda: "there is no endpoint 'tumour'" in words())
    assert panel.widget.view["revision"] == 2, "the last view stays"
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    shutil.move(tmp_path / "away", tmp_path / "home")
    until(lambda: panel.widget.problem is None)
    (tmp_path / "home" / "state.sqlite").write_bytes(b"this is no database" * 100)
    until(lambda: "is damaged" in words())


def test_a_release_that_hangs_hides_neither_revisions_nor_answers(panel, ports):
    ports.targets["local"].hang = threading.Event()
    elsewhere(ports, shadow=50)
    until(lambda: '{"tumour": 3}' in changes(panel))
    assert asks(panel, "history", {"name": "tumour"})[1][0]["revision"] == 3


def test_a_missing_endpoint_is_shown_at_once(ports, runner):
    with pytest.raises(UnknownEndpoint, match="there is no endpoint"):
        Panel("tumor", ports, Backend(ports.home, ports, runner))


def test_what_a_saved_notebook_keeps_needs_no_script_and_trusts_no_text(panel, ports):
    elsewhere(ports, shadow=50)
    ports.store.save(
        SHADOWED.model_copy(update={"revision": 4}), based_on=3, reason="<script>alert(1)</script>", change="x"
    )
    status = describe(DescribeRequest(name="tumour"), ports, print)
    html = saved_html(status, history(HistoryRequest(name="tumour"), ports, print), "<b>trouble", now())
    assert "tumour: healthy, revision 4" in html
    assert "more evidence" in html
    assert "&lt;b&gt;trouble" in html
    assert "<script" not in html
    assert str(panel) == repr(panel) == str(status)


def test_a_panel_is_no_document():
    with pytest.raises(InvalidInput, match="to look at"):
        _panel()("tumour -o json")
