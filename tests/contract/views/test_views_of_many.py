"""The list of endpoints over a real store and the real local target, of which nothing runs: none, and hundreds."""

from datetime import datetime

import pytest

from jupyter_deploy.domain.errors import TargetError, UnknownEndpoint, UnknownTarget
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.release.status import Counts
from jupyter_deploy.faces.views.comparing import evidence_of
from jupyter_deploy.faces.views.endpoints import endpoint, endpoints
from jupyter_deploy.faces.views.form import form
from jupyter_deploy.faces.views.preview import preview
from jupyter_deploy.faces.views.release_log import release_log
from jupyter_deploy.faces.views.requests import (
    EndpointRequest,
    EndpointsRequest,
    FormRequest,
    PreviewRequest,
    ReleaseLogRequest,
    ValidationsRequest,
)
from jupyter_deploy.faces.views.validations import validations
from jupyter_deploy.store.database import Database
from jupyter_deploy.targets.local.gateway.gateway import Gateway
from jupyter_deploy.targets.local.naming import program_name
from jupyter_deploy.targets.local.supervisor.supervisord import Supervisor
from jupyter_deploy.targets.local.target import LocalTarget
from jupyter_deploy.wiring import Wiring
from tests import manifests
from tests.e2e.conftest import until
from tests.releases import release
from tests.validations import history

MANY = 500


@pytest.fixture
def ports(home, monkeypatch):
    for name in ("NBDEPLOY_HOME", "NBDEPLOY_PORT", "BENTOML_HOME"):
        monkeypatch.setenv(name, home.environment[name])
    return Wiring().ports


def rows(ports):
    return endpoints(EndpointsRequest(), ports).endpoints


def keep(ports, *names, **more):
    for name in names:
        first = Endpoint.first(release("one", name=name)).model_copy(update=more)
        ports.store.save(first, based_on=0, reason="", change="first")


def test_where_there_is_none_the_list_is_empty_and_nothing_is_made(ports):
    assert rows(ports) == ()
    assert endpoints(EndpointsRequest(), ports).home == str(ports.home)
    assert not ports.home.exists()


def test_hundreds_are_seen_by_one_look_at_what_runs(ports, monkeypatch):
    monkeypatch.setattr(Database, "copy", lambda self: None)  # after each change, of all that there is
    keep(ports, *(f"model-{number:03}" for number in range(MANY)))
    asked = []
    for kind, name in ((Supervisor, "_call"), (Gateway, "statistics"), (Gateway, "answers"), (LocalTarget, "observe")):
        original = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *a, _o=original, _n=name: asked.append(_n) or _o(*a))
    found = rows(ports)
    assert [row.name for row in found] == [f"model-{number:03}" for number in range(MANY)]
    assert {row.words for row in found} == {"not running: 'nbdeploy reconcile' starts it"}
    assert all(isinstance(row.changed_at, datetime) and row.rate is None for row in found)
    assert sorted(asked) == ["_call", "answers", "statistics"]


def test_names_as_long_as_they_may_be_and_stopped_ones_are_listed(ports):
    long = "a" * 63
    keep(ports, long)
    keep(ports, "stopped", running=False)
    assert [(row.name, row.words, row.healthy) for row in rows(ports)] == [
        (long, "not running: 'nbdeploy reconcile' starts it", False),
        ("stopped", "stopped", False),
    ]
    assert rows(ports)[0].url.endswith(f"/{long}/predict")


def test_the_time_of_the_last_change_is_the_present_revisions(ports):
    keep(ports, "tumour")
    (before,) = rows(ports)
    first = ports.store.endpoint("tumour")
    second = first.with_release(release("two"))
    ports.store.save(second, based_on=1, reason="<script>alert(1)</script>", change="second")
    (after,) = rows(ports)
    assert after.changed_at == ports.store.history("tumour")[0].at > before.changed_at
    assert (after.revision, after.candidates, after.stable) == (2, 1, "tumour:one")
    shown = endpoint(EndpointRequest(name="tumour"), ports)
    assert shown.history[0].reason == "<script>alert(1)</script>"
    assert [card.health for card in shown.cards] == ["not running", "not running"]


def test_a_history_of_many_revisions_is_shown_by_its_end(ports):
    keep(ports, "tumour")
    state = ports.store.endpoint("tumour").with_release(release("two"))
    ports.store.save(state, based_on=1, reason="", change="second")
    for revision in range(3, 40):
        state = state.with_traffic({"two": revision}, {})
        ports.store.save(state, based_on=revision - 1, reason="", change=f"shadow {revision} %")
    shown = endpoint(EndpointRequest(name="tumour"), ports).history
    assert [row.revision for row in shown] == list(range(39, 19, -1))
    assert len(ports.store.history("tumour")) == 39


class Failing:
    """A target that does not answer."""

    def observe_all(self, endpoints):
        raise TargetError("the supervisor does not answer", "kill it")


class Counting:
    """A healthy target with requests at its gateway."""

    def __init__(self):
        self.requests = 0

    def usage(self, releases):
        return {}

    def observe_all(self, endpoints):
        return {endpoint.name: self.observe(endpoint) for endpoint in endpoints}

    def observe(self, endpoint):
        health = ReleaseHealth(running=True, healthy=True)
        self.requests += 50
        return Observation(
            url=f"http://url/{endpoint.name}",
            releases={r.tag: health for r in endpoint.releases},
            counts={endpoint.traffic.stable: Counts(requests=self.requests, errors=0)},
        )


def test_each_target_is_read_once_and_its_problem_is_shown(ports, monkeypatch):
    installed = ports.targets
    keep(ports, "here")
    keep(ports, "there", target="counting")
    monkeypatch.setattr(ports, "targets", {**installed, "counting": Counting()})
    assert [(row.name, row.healthy) for row in rows(ports)] == [("here", False), ("there", True)]
    monkeypatch.setattr(ports, "targets", {**installed, "counting": Failing()})
    with pytest.raises(TargetError, match="the supervisor does not answer"):
        rows(ports)
    monkeypatch.setattr(ports, "targets", installed)
    with pytest.raises(UnknownTarget, match="there is no target 'counting'"):
        rows(ports)


def test_a_preview_waits_for_a_comparison_for_so_long_and_the_next_one_gets_it(ports, monkeypatch):
    import threading

    from jupyter_deploy.faces.views import comparing

    keep(ports, "tumour")
    goes_on, asked = threading.Event(), []

    def slow(endpoint, candidate, ports, request):
        asked.append(candidate)
        goes_on.wait(60)
        raise TargetError("no records")

    monkeypatch.setattr(comparing, "compared", slow)
    tumour = ports.store.endpoint("tumour")
    for _ in range(3):
        (said,) = evidence_of(tumour, "tumour:two", ports, seconds=0.01)
        words = "Comparing tumour:two with stable takes longer than 0.01 s: open the comparison."
        assert (said.verdict, said.reason) == ("", words)
    assert asked == ["tumour:two"], "one goes on, however often it is asked for"
    goes_on.set()
    (said,) = evidence_of(tumour, "tumour:two", ports)
    assert (said.verdict, said.reason) == ("", "Not compared with stable: no records.")


def test_without_records_a_preview_says_that_there_is_nothing_to_compare_yet(ports):
    keep(ports, "tumour")
    second = ports.store.endpoint("tumour").with_release(release("two"))
    ports.store.save(second, based_on=1, reason="", change="second")
    ports.store.remember(manifests.snapshot("tumour:one"))
    asked = PreviewRequest(name="tumour", verb="promote")
    (said,) = until(lambda: _decided(preview(asked, ports).evidence))
    assert (said.role, said.verdict, said.reason) == ("shadow", "inconclusive", "0 pairs so far.")
    ports.store.save(second.promoted(), based_on=2, reason="", change="promoted")
    asked = PreviewRequest(name="tumour", verb="rollback")
    (said,) = until(lambda: _decided(preview(asked, ports).evidence))
    assert said.reason == "Of tumour:two, as a candidate against tumour:one: 0 pairs so far."


def _decided(evidence):
    """The evidence, once a comparison is ready."""
    return evidence if evidence and evidence[0].verdict else None


def test_a_tag_stays_as_it_is_where_a_sentence_begins_with_it(ports):
    keep(ports, "tumour")
    second = ports.store.endpoint("tumour").with_release(release("two")).with_traffic({"two": 0}, {})
    ports.store.save(second, based_on=1, reason="", change="second")
    ports.store.remember(manifests.snapshot("tumour:one"))
    asked = PreviewRequest(name="tumour", verb="promote", given={"tag": "two"})
    (said,) = until(lambda: _decided(preview(asked, ports).evidence))
    assert said.reason.startswith("tumour:two has no traffic")


def test_a_card_shows_the_first_metrics_of_its_notebook(ports):
    keep(ports, "tumour")
    assert endpoint(EndpointRequest(name="tumour"), ports).cards[0].metrics == {}
    metrics = {"accuracy": 0.91, "f1": 0.8, "roc_auc": 0.95, "brier": 0.1, "loss": 0.3}
    ports.store.remember(manifests.snapshot("tumour:one", metrics=metrics))
    shown = endpoint(EndpointRequest(name="tumour"), ports).cards[0].metrics
    assert list(shown.items()) == list(metrics.items())[:4]


def test_a_release_that_does_not_run_shows_the_log_of_its_last_run_with_masked_secrets(ports):
    keep(ports, "tumour")
    request = ReleaseLogRequest(name="tumour")
    assert release_log(request, ports).note == "the release has printed nothing"
    logs = ports.home / "logs"
    logs.mkdir(parents=True)
    log = logs / f"{program_name('tumour', 'tumour:one')}-0.log"
    key = "AKIA" + "Q3EGRIXHTDHQRMVA"
    log.with_name(f"{log.name}.1").write_text("an older line\n")
    log.write_text(f"loading\nTraceback (most recent call last):\n  File x\nKeyError: 'Age'\n{key}\n" + "é" * 9000)
    shown = release_log(request, ports)
    assert shown.lines[:5] == (
        "an older line",
        "loading",
        "Traceback (most recent call last):",
        "  File x",
        "KeyError: 'Age'",
    )
    assert key not in shown.lines[5]
    assert len(shown.lines[6]) < 9000
    found = release_log(request.model_copy(update={"text": "TRACEBACK"}), ports)
    assert found.lines == ("Traceback (most recent call last):", "  File x")
    assert release_log(request.model_copy(update={"limit": 2}), ports).cut
    log.write_text("x" * 100 + "\n" + "line\n" * 300_000)
    shown = release_log(request, ports)
    assert (len(shown.lines), shown.cut, set(shown.lines)) == (1000, True, {"line"})


def test_a_form_of_what_does_not_run_is_shown_all_the_same(ports):
    keep(ports, "tumour")
    ports.store.remember(manifests.snapshot("tumour:one"))
    shown = form(FormRequest(name="tumour"), ports)
    assert (shown.release, shown.instance) == ("tumour:one", {"age": 30, "weight": 60.5})
    assert [snippet.language for snippet in shown.snippets] == ["curl", "python", "r", "javascript"]


def test_an_endpoints_validations_are_listed_newest_first_and_drawn(ports):
    keep(ports, "churn", "other")
    for one in history(20):
        ports.store.keep_validation(one)
    ports.store.keep_validation(history(1)[0].model_copy(update={"id": "another", "endpoint": "other"}))
    shown = validations(ValidationsRequest(name="churn"), ports)
    assert [row.id for row in shown.validations] == [f"old-{number}" for number in range(1, 13)]
    assert {(row.trigger, row.release, row.verdict) for row in shown.validations} == {
        ("validate", "churn:7f3ac21b9d20", "pass")
    }
    assert [chart["title"]["text"] for chart in shown.charts] == ["accuracy", "log_loss"]
    assert [len(chart["data"]["values"]) for chart in shown.charts] == [20, 20]
    only = validations(ValidationsRequest(name="other"), ports)
    assert ([row.id for row in only.validations], only.charts) == (["another"], ())
    with pytest.raises(UnknownEndpoint):
        validations(ValidationsRequest(name="nobody"), ports)
