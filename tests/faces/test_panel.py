"""The panel without a notebook: its content, its changes, and its updates.

The store is the real one. The target is a fake, since the panel only reads its state.
"""

import shutil
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.errors import Conflict, InvalidInput, RouteNotConfirmed, StoreError, UnknownEndpoint
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.release.status import Counts
from jupyter_deploy.domain.requests import PromoteRequest, RollbackRequest, TrafficRequest
from jupyter_deploy.domain.validation.validation import ValidationSpec
from jupyter_deploy.faces.kernel.magics import _panel
from jupyter_deploy.faces.panel.view import saved_html
from jupyter_deploy.faces.panel.watch import Watch
from jupyter_deploy.faces.panel.widget import Panel
from jupyter_deploy.faces.render.charts import MIME
from jupyter_deploy.faces.views.requests import ValidationsRequest
from jupyter_deploy.faces.views.validations import validations
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.targets.local.http_client import HttpClient
from jupyter_deploy.validation.reports import ValidationReports
from jupyter_deploy.validation.runner import PapermillValidationRunner
from jupyter_deploy.verbs.traffic import promote, rollback, traffic
from tests import manifests
from tests.e2e.conftest import until
from tests.releases import release
from tests.validations import history, run, validation

ONE = release("one", source=Source(notebook="/home/ada/train.ipynb", variable="clf"))
TWO, THREE = release("two"), release("three")
SHADOWED = Endpoint.first(ONE).with_release(TWO)


@dataclass
class Target:
    """Everything runs; counts and refusals are set by the test."""

    counts: dict = field(default_factory=dict)
    refuses: bool = False

    def start(self, release, *, ask=False, renew=False):
        pass

    def lost(self):
        return False

    def stop(self, release):
        pass

    def route(self, endpoint):
        if self.refuses:
            self.refuses = False
            raise RouteNotConfirmed("Envoy said no", "read its log")
        return "http://url"

    def observe(self, endpoint):
        healthy = ReleaseHealth(running=True, healthy=True)
        return Observation(
            url="http://url", releases={r.tag: healthy for r in endpoint.releases}, counts=self.counts
        )  # fmt: skip


@pytest.fixture
def ports(tmp_path):
    made = SimpleNamespace(
        home=tmp_path / "home",
        store=SqliteStore(tmp_path / "home", "ada"),
        targets={"local": Target()},
        keep_revisions=3,
        log=RecordLog(tmp_path / "home"),
        client=HttpClient(tmp_path / "token", lambda: None, None),
        images=SimpleNamespace(to="registry.example/{name}", base=None, key=None),
    )
    made.store.save(Endpoint.first(ONE), based_on=0, reason="", change="first")
    made.store.save(SHADOWED, based_on=1, reason="", change="second")
    made.store.remember(manifests.snapshot(ONE.tag))
    return made


@pytest.fixture
def panel(ports):
    """A panel that somebody looks at."""
    made = Panel("tumour", ports)
    made.widget._view_count = 1
    yield made
    made.close()
    until(lambda: not made._watch.looking)


@pytest.fixture
def seldom(monkeypatch):
    """What is seen of validations is not seen because half a minute is over."""
    monkeypatch.setattr("jupyter_deploy.faces.panel.watch.VALIDATIONS_SECONDS", 3600.0)


def told(panel, **message):
    """As the front end sends it."""
    panel._told(None, message, [])


def ask(panel, verb, given, revision):
    told(panel, do="ask", verb=verb, given=given, revision=revision)


def elsewhere(ports, **shares):
    """Somebody else changes the shadow's share."""
    traffic(TrafficRequest(name="tumour", shadow={"two": shares["shadow"]}, reason="more evidence"), ports, print)


def pending(panel):
    return panel._widget.pending


def at_revision(panel, revision):
    until(lambda: panel._widget.endpoint["revision"] == revision and pending(panel) is None)


def test_a_change_that_clients_cannot_notice_is_made_at_once(panel, ports):
    ask(panel, "traffic", {"shadow": {TWO.tag: 40}}, 2)
    at_revision(panel, 3)
    assert ports.store.endpoint("tumour").traffic.shadows == {TWO.tag: 40.0}
    assert "revision 3 is in force" in panel._widget.said[1]


def test_a_change_that_clients_notice_is_shown_first_and_can_be_given_up(panel, ports):
    ask(panel, "traffic", {"canary": {TWO.tag: 30}}, 2)
    shown = pending(panel)
    assert (shown["phase"], shown["title"]) == ("preview", "Set canary tumour:two 30 %")
    assert shown["rows"] == [
        {"tag": "tumour:one", "before": "stable 100 %", "after": "stable 70 %"},
        {"tag": "tumour:two", "before": "shadow 100 %", "after": "canary 30 %"},
    ]
    until(lambda: pending(panel)["comparison"])
    assert pending(panel)["comparison"] == "0 pairs so far."
    told(panel, do="dismiss", number=shown["number"])
    assert pending(panel) is None
    assert ports.store.endpoint("tumour").revision == 2
    ask(panel, "promote", {"tag": TWO.tag}, 2)
    told(panel, do="confirm", number=shown["number"], reason="a click meant for what was shown before")
    assert pending(panel)["phase"] == "preview"
    told(panel, do="confirm", number=pending(panel)["number"], reason="it agrees")
    at_revision(panel, 3)
    assert ports.store.endpoint("tumour").traffic.stable == TWO.tag
    assert ports.store.history("tumour")[0].reason == "it agrees"


def test_a_change_of_an_unseen_revision_is_a_conflict_that_keeps_the_users_values(panel, ports):
    elsewhere(ports, shadow=50)
    ask(panel, "promote", {"tag": TWO.tag}, 2)
    shown = pending(panel)
    assert shown["phase"] == "conflict"
    assert [(r["revision"], r["by"], r["reason"]) for r in shown["newer"]] == [(3, "ada", "more evidence")]
    told(panel, do="confirm", number=shown["number"], reason="")
    assert ports.store.endpoint("tumour").revision == 3
    told(panel, do="again", number=shown["number"])
    assert (pending(panel)["phase"], pending(panel)["given"]) == ("preview", {"tag": TWO.tag})
    told(panel, do="confirm", number=pending(panel)["number"], reason="")
    at_revision(panel, 4)
    assert ports.store.endpoint("tumour").traffic.stable == TWO.tag


def test_what_is_shown_before_a_change_becomes_a_conflict_when_somebody_else_is_faster(panel, ports):
    ask(panel, "rollback", {}, 2)
    assert pending(panel)["title"] == "Go back to revision 1"
    elsewhere(ports, shadow=50)
    until(lambda: pending(panel)["phase"] == "conflict")


@pytest.mark.parametrize("verb", [promote, rollback])
def test_promote_and_rollback_refuse_a_revision_that_is_not_the_endpoints(ports, verb):
    request = PromoteRequest if verb is promote else RollbackRequest
    with pytest.raises(Conflict):
        verb(request(name="tumour", if_revision=1), ports, print)
    assert ports.store.endpoint("tumour").revision == 2


def test_a_change_that_fails_is_shown_with_its_remedy_and_can_be_tried_again(panel, ports):
    ports.targets["local"].refuses = True
    ask(panel, "promote", {"tag": TWO.tag}, 2)
    told(panel, do="confirm", number=pending(panel)["number"], reason="")
    until(lambda: pending(panel)["phase"] == "failed")
    assert pending(panel)["problem"]["message"] == "Envoy said no"
    assert pending(panel)["problem"]["remedy"] == "read its log"
    told(panel, do="again", number=pending(panel)["number"])
    told(panel, do="confirm", number=pending(panel)["number"], reason="")
    at_revision(panel, 5)  # 3 did not come into force, 4 went back


def test_an_invalid_change_is_shown_in_the_panel(panel):
    ask(panel, "traffic", {"canary": {TWO.tag: 130}}, 2)
    assert pending(panel)["phase"] == "failed"
    assert "130 is not a percentage" in pending(panel)["problem"]["message"]
    ask(panel, "traffic", {"canary": "x"}, 2)
    assert "TAG=PERCENT" in pending(panel)["problem"]["message"]


def test_what_gates_refuse_is_refused_in_one_line_and_done_all_the_same_for_a_reason_alone(panel, ports, tmp_path):
    ports.reports = ValidationReports(tmp_path / "home")
    ports.validations = PapermillValidationRunner()
    asking = SHADOWED.validating((ValidationSpec(gates=("agreement >= 0.99",)),)).model_copy(update={"revision": 3})
    ports.store.save(asking, based_on=2, reason="", change="validations")
    ask(panel, "promote", {"tag": TWO.tag}, 3)
    asked = "Validated first, and refused if a gate fails, tumour:two: live traffic: agreement >= 0.99."
    assert asked in pending(panel)["notes"]
    panel._changes.noticed(SHADOWED)  # as revision 2 was read while 3 was saved
    told(panel, do="force", number=pending(panel)["number"], reason="nothing was refused yet")
    assert pending(panel)["phase"] == "preview"
    told(panel, do="confirm", number=pending(panel)["number"], reason="")
    until(lambda: pending(panel)["phase"] == "failed")
    problem = pending(panel)["problem"]
    assert problem["message"].startswith("tumour:two is refused: agreement ≥ 0.99 on live traffic: inconclusive")
    sent = []
    panel._widget.send = sent.append
    told(panel, do="report", of="", view="this one")
    assert (sent[0]["view"], sent[0]["path"]) == ("this one", problem["report"])
    assert "agreement" in sent[0]["report"]
    told(panel, do="force", number=pending(panel)["number"], reason=" ")
    assert pending(panel)["problem"] == problem
    told(panel, do="force", number=pending(panel)["number"], reason="a customer waits")
    at_revision(panel, 4)
    card = next(card for card in panel._widget.endpoint["cards"] if card["tag"] == TWO.tag)
    assert (card["gates"]["verdict"], card["gates"]["forced"]) == ("inconclusive", True)
    assert ports.store.validations(endpoint="tumour", limit=1)[0].forced == "a customer waits"
    assert ports.store.history("tumour")[0].change.endswith("forced: a customer waits")


def test_it_shows_what_others_change_and_counts_while_somebody_looks(panel, ports):
    elsewhere(ports, shadow=50)
    until(lambda: panel._widget.endpoint["revision"] == 3)
    until(lambda: panel._widget.history[0]["reason"] == "more evidence")
    ports.targets["local"].counts = {ONE.tag: Counts(requests=7, errors=1, p50_ms=2.5)}
    until(lambda: panel._widget.live["releases"][ONE.tag]["counts"])
    counts = panel._widget.live["releases"][ONE.tag]["counts"]
    assert (counts["requests"], counts["errors"], counts["p50_ms"]) == (7, 1, 2.5)
    panel.widget._view_count = 0
    assert not panel._watch._watched.is_set()


def test_trouble_with_looking_is_shown_and_ends_by_itself(panel, ports, tmp_path):
    def words():
        return (panel._widget.problem or {"message": ""})["message"]

    shutil.move(tmp_path / "home", tmp_path / "away")
    until(lambda: "there is no endpoint 'tumour'" in words())
    assert panel._widget.endpoint["revision"] == 2, "what was seen last stays"
    shutil.move(tmp_path / "away", tmp_path / "home")
    until(lambda: panel._widget.problem is None)
    (tmp_path / "home" / "state.sqlite").write_bytes(b"this is no database" * 100)
    until(lambda: "is damaged" in words())


def test_trouble_with_validations_ends_soon_after_its_cause(seldom, panel, ports, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ports.store, "validations", lambda **_: (_ for _ in ()).throw(StoreError("locked", "wait")))
        panel._watch.hurry()
        until(lambda: panel._widget.problem)
    until(lambda: panel._widget.problem is None)


def test_a_release_that_hangs_does_not_hide_what_is_in_the_store(ports):
    hang = threading.Event()
    watch = Watch("tumour", ports, lambda: None)
    ports.targets["local"].observe = lambda endpoint: hang.wait(60)
    watch.resume()
    elsewhere(ports, shadow=50)
    until(lambda: watch.seen.endpoint.revision == 3)
    hang.set()
    watch.close()
    until(lambda: not watch.looking)


def test_a_missing_endpoint_is_shown_at_once(ports):
    with pytest.raises(UnknownEndpoint, match="there is no endpoint"):
        Panel("tumor", ports)


def test_a_comparison_that_cannot_be_made_says_so(panel):
    told(panel, do="compare", tag="tumour:nine")
    until(lambda: panel._widget.below["phase"] == "failed")
    assert "no release that 'tumour:nine' could mean" in panel._widget.below["problem"]["message"]
    told(panel, do="hide")
    assert panel._widget.below is None


def test_what_validations_measured_is_drawn_below_release_by_release_until_something_else_is(seldom, panel, ports):
    assert panel._widget.validations == {"rows": [], "charts": 0}
    of = {"endpoint": "tumour", "snapshot": ONE.tag}
    ports.store.keep_validation(validation(run(), **of))
    panel._watch.hurry()
    until(lambda: panel._widget.validations["rows"])
    (row,) = panel._widget.validations["rows"]
    assert (row["verdict"], row["release"]) == ("pass", ONE.tag)
    assert panel._widget.validations["charts"] == 0, "what was measured once is no history"
    for one in history(3):
        ports.store.keep_validation(one.model_copy(update=of))
    elsewhere(ports, shadow=50)  # a revision is a reason to look
    until(lambda: panel._widget.validations["charts"] == 2)

    told(panel, do="measured")
    view = validations(ValidationsRequest(name="tumour"), ports)
    assert panel._widget.below["what"] == "validations"
    assert [output["data"][MIME] for output in panel._output.outputs] == list(view.charts)
    drawn = panel._widget.below["at"]
    panel._show()
    assert panel._widget.below["at"] == drawn, "the same is not drawn again"
    ports.store.keep_validation(validation(run(), name="later", at=now(), **of))
    panel._watch.hurry()
    until(lambda: panel._widget.below["at"] != drawn)
    told(panel, do="compare", tag="tumour:nine")
    until(lambda: panel._widget.below["phase"] == "failed")
    assert panel._output.outputs == ()


def test_it_is_stopped_after_a_question_and_started_again(panel, ports):
    ask(panel, "stop", {}, 2)
    assert (pending(panel)["phase"], pending(panel)["title"]) == ("preview", "Stop tumour")
    told(panel, do="confirm", number=pending(panel)["number"], reason="it is night")
    at_revision(panel, 3)
    assert panel._widget.said[1] == "tumour is stopped"
    assert not panel._widget.endpoint["running"]
    assert ports.store.history("tumour")[0].reason == "it is night"
    ask(panel, "rollback", {}, 3)
    assert "The endpoint is stopped: this starts it again." in pending(panel)["notes"]


def test_what_a_saved_notebook_keeps_needs_no_script_and_trusts_no_text(panel, ports):
    elsewhere(ports, shadow=50)
    ports.store.save(
        SHADOWED.model_copy(update={"revision": 4}), based_on=3, reason="<script>alert(1)</script>", change="x"
    )
    until(lambda: panel._watch.seen.status.revision == 4)
    seen = panel._watch.seen
    html = saved_html(seen.status, seen.history, None, now())
    assert "tumour: healthy, revision 4" in html
    assert "more evidence" in html
    assert "<script" not in html
    assert str(panel) == repr(panel) == str(seen.status)


def test_a_panel_is_no_document():
    with pytest.raises(InvalidInput, match="to look at"):
        _panel()("tumour -o json")
