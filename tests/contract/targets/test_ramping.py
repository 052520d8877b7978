"""The verb ``ramp`` and the looks of its driver over the real store; the target and the counts are made up."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from record_world import NOON, World

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import DeployError, GateFailed, InvalidInput, NoCandidate, Refused, StartFailed
from jupyter_deploy.domain.ramp.evidence import Events, StepCounts
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.ramp import decide
from jupyter_deploy.domain.ramp.requests import RampRequest
from jupyter_deploy.domain.ramp.state import begin
from jupyter_deploy.domain.release.comparison_settings import ComparisonSettings
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.ports import Observation
from jupyter_deploy.domain.requests import LabelRequest, RollbackRequest, StopRequest, TrafficRequest
from jupyter_deploy.faces.render.render import text
from jupyter_deploy.faces.request_fields import request_from
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.verbs import ramp_look
from jupyter_deploy.verbs.label import label
from jupyter_deploy.verbs.ramp import _segments, ramp
from jupyter_deploy.verbs.ramp_look import gather, look
from jupyter_deploy.verbs.status import status_of
from jupyter_deploy.verbs.stop import stop
from jupyter_deploy.verbs.traffic import rollback, traffic
from tests.releases import release

STABLE, CANDIDATE, OTHER = release("aaa"), release("bbb"), release("ccc")
SHADOWED = Endpoint.first(STABLE).with_release(CANDIDATE)
TAG = CANDIDATE.tag


class Target:
    """Routes and starts nothing; fails on request."""

    def __init__(self):
        self.fails = False

    def start(self, release, *, ask=False, renew=False):
        if self.fails:
            raise StartFailed("it does not start")
        return False

    needs_image, shared, header_file, check_ramp = False, None, None, staticmethod(lambda _endpoint: None)

    def route(self, endpoint):
        return "http://url"

    def stop(self, release):
        pass

    def lost(self):
        return False

    def observe(self, endpoint):
        return Observation(url="http://url", releases={})


class Log:
    """Counts as a test sets them."""

    def __init__(self):
        self.steps = ()

    def ramp_steps(self, _endpoint, *, until=None):
        return self.steps


class Scene:
    def __init__(self, home, endpoint=SHADOWED):
        self.events, self.lines = [], []
        self.target, self.log = Target(), Log()
        self.ports = SimpleNamespace(
            store=SqliteStore(home, "ada"),
            targets={"local": self.target},
            keep_revisions=3,
            log=self.log,
            notifier=SimpleNamespace(send=self.events.append),
            capturer=SimpleNamespace(sweep=lambda: None),
            client=SimpleNamespace(public=lambda _: None),
        )
        self.ports.store.save(endpoint, based_on=0, reason="", change="made")

    @property
    def endpoint(self):
        return self.ports.store.endpoint("tumour")

    @property
    def revisions(self):
        return self.ports.store.history("tumour")

    def ramp(self, **given):
        request = request_from(RampRequest, {"name": "tumour", **given})
        return ramp(request, self.ports, lambda _: None)

    def begin(self, **given):
        return self.ramp(**{"steps": "10,50,100", "per_step": timedelta(0)} | given)

    def look(self):
        return look("tumour", self.ports, self.lines.append)

    def change(self, verb, request):
        return verb(request, self.ports, lambda _: None)

    def types(self):
        return [event["type"].removeprefix("nbdeploy.ramp.") for event in self.events]


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "home")


def good(percent, clusters=500, requests=100_000, **more):
    candidate = round(requests * percent / 100)
    split = Events(candidate, requests - candidate)
    return StepCounts(percent, split, clusters, outcomes={0.0: requests}, **more)


def bad(percent):
    return good(percent, events={"errors": {1.0: 30, 0.0: 1}})


def test_a_ramp_is_a_revision_and_its_looks_advance_it_to_a_promotion(scene):
    begun = scene.begin(reason="wider trees")
    assert (begun.phase, begun.step, begun.percent, begun.candidate) == ("running", 1, 10, TAG)
    assert scene.endpoint.traffic.percent_of(TAG) == 10
    assert (scene.revisions[0].reason, scene.revisions[0].state.ramp.phase) == ("wider trees", "running")
    scene.log.steps = (good(10),)
    assert scene.look()
    assert (scene.endpoint.traffic.canary_percent, scene.ramp().step) == (50, 2)
    scene.log.steps = (good(10), good(50))
    assert scene.look()
    assert (scene.endpoint.traffic.stable, scene.ramp().words) == (TAG, "finished: promoted")
    assert not scene.look()
    assert scene.types() == ["advanced", "finished"]
    advanced = scene.revisions[1]
    assert advanced.change.startswith("ramp: advance to 50 %; tumour:aaa: stable 90 % → stable 50 %")
    assert "errors: evidence" in advanced.reason
    assert "10 %: 10000 of 100000 requests to the candidate, 500 clusters" in advanced.reason


def test_a_hold_is_no_revision_and_people_see_its_reason(scene):
    scene.begin()
    scene.log.steps = (good(10, clusters=63),)
    before = scene.endpoint
    assert scene.look()
    assert scene.endpoint == before
    found = status_of(before, scene.target.observe(before), scene.ports).ramp
    assert found.words == "step 1 of 3, 10 %, for 0 s; waits for 100 clusters: 63"
    assert (found.waits_for, found.looked is not None) == (("clusters",), True)
    shown = text(scene.ramp())
    assert "waits for 100 clusters: 63" in shown
    assert "errors: evidence" in shown


def test_a_hold_is_notified_of_only_when_its_reason_changes_and_not_before_the_step_could_end(scene):
    scene.begin(per_step=timedelta(hours=1))
    scene.log.steps = (good(10, clusters=1),)
    scene.look()
    scene.ramp(abort=True)
    assert scene.types() == []
    scene.begin(candidate=TAG)
    for clusters in (1, 2, 3):
        scene.log.steps = (good(10, clusters=clusters),)
        scene.look()
    scene.log.steps = (good(10, clusters=4, requests=1_000),)
    scene.look()
    assert scene.types() == ["held", "held"]
    assert [event["data"]["waits_for"] for event in scene.events] == [["clusters"], ["clusters", "errors"]]


def test_a_worse_candidate_loses_its_clients_and_the_event_says_why(scene):
    scene.begin()
    scene.log.steps = (bad(10),)
    assert scene.look()
    assert scene.endpoint.traffic.role_of(TAG) == "idle"
    (event,) = scene.events
    required = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert event.keys() == required
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", "nbdeploy.ramp.rolled-back", TAG)
    assert event["data"]["reason"].startswith(f"{TAG} is worse: errors: evidence")
    assert (event["data"]["phase"], event["data"]["percent"]) == ("rolled back", 0)
    assert scene.revisions[0].change.startswith("ramp rolled back; ")
    assert not scene.look()


def test_a_paused_ramp_stays_and_goes_back_if_its_candidate_is_worse(scene):
    scene.begin()
    scene.ramp(pause=True, reason="a release party")
    scene.log.steps = (good(10),)
    scene.look()
    assert (scene.endpoint.traffic.canary_percent, scene.ramp().phase) == (10, "paused")
    assert "paused at step 1 of 3, 10 %" in scene.ramp().words
    assert "is paused: a release party" in scene.ramp().words
    scene.ramp(resume=True)
    scene.look()
    assert scene.endpoint.traffic.canary_percent == 50
    scene.ramp(pause=True)
    scene.log.steps = (good(10), bad(50))
    scene.look()
    assert scene.ramp().phase == "rolled back"


def test_an_aborted_ramp_takes_its_candidate_the_clients(scene):
    scene.begin()
    ended = scene.ramp(abort=True, reason="wrong data")
    assert (ended.phase, ended.words) == ("aborted", "aborted: wrong data")
    assert scene.endpoint.traffic.role_of(TAG) == "idle"


@pytest.mark.parametrize(
    "change",
    [
        (traffic, TrafficRequest(name="tumour", canary={TAG: 30})),
        (rollback, RollbackRequest(name="tumour")),
        (stop, StopRequest(name="tumour")),
    ],
    ids=["traffic", "rollback", "stop"],
)
def test_a_persons_change_of_the_traffic_ends_the_ramp(scene, change):
    scene.begin()
    scene.change(*change)
    assert scene.endpoint.ramp.phase == "superseded"
    assert scene.ramp().words.startswith("superseded: the ")
    state = scene.endpoint
    assert not scene.look()
    assert scene.endpoint == state


def test_other_changes_leave_the_ramp_and_a_person_who_is_faster_wins(scene, monkeypatch):
    scene.begin()
    scene.change(label, LabelRequest(name="tumour", release=TAG, label="wider trees"))
    scene.change(traffic, TrafficRequest(name="tumour", record="meta"))
    assert (scene.endpoint.ramp.phase, scene.endpoint.record) == ("running", "meta")
    scene.log.steps = (good(10),)
    decide = ramp_look.decide

    def decide_late(*given):
        scene.change(traffic, TrafficRequest(name="tumour", canary={TAG: 30}))
        return decide(*given)

    monkeypatch.setattr(ramp_look, "decide", decide_late)
    assert scene.look()
    assert scene.endpoint.traffic.canary_percent == 30
    assert scene.endpoint.ramp.phase == "superseded"
    assert not scene.look()
    assert scene.types() == []


def test_gates_that_do_not_let_the_candidate_advance_pause_the_ramp(scene, monkeypatch):
    scene.begin()
    scene.log.steps = (good(10),)

    def refuse(*_):
        raise GateFailed("accuracy is 0.7, not >= 0.9")

    monkeypatch.setattr(ramp_look, "enforce_for_change", refuse)
    assert scene.look()
    assert (scene.endpoint.traffic.canary_percent, scene.ramp().phase) == (10, "paused")
    assert "its gates do not let it advance: accuracy is 0.7" in scene.ramp().words
    scene.look()
    assert scene.types() == ["held"]


def test_a_change_that_fails_is_tried_again_and_named(scene):
    scene.begin()
    scene.log.steps, scene.target.fails = (good(10),), True
    with pytest.raises(DeployError, match="does not start"):
        scene.look()
    assert "cannot advance: it does not start" in scene.ramp().words
    scene.target.fails = False
    assert scene.look()
    assert scene.endpoint.traffic.canary_percent == 50


def test_without_records_a_ramp_waits_for_them(scene):
    scene.begin()
    scene.change(traffic, TrafficRequest(name="tumour", record="off"))
    scene.log.steps = (good(10),)
    scene.look()
    assert "waits for records: 'nbdeploy traffic NAME --record full'" in scene.ramp().words


def test_a_ramp_may_begin_as_a_shadow_and_ends_there_if_a_figures_opposite_is_shown(tmp_path):
    scene = Scene(tmp_path / "home")
    begun = scene.begin(shadow_first=True, require=["agreement >= 0.9"])
    assert (begun.phase, begun.step, begun.percent) == ("shadow", 0, 0)
    assert scene.endpoint.traffic.shadows == {TAG: 100}
    assert begun.position == "as a shadow"


@pytest.mark.parametrize(("agree", "outcome"), [(True, ("met", False)), (False, ("not met", True))])
def test_a_required_figure_and_its_opposite_are_judged_by_the_records(tmp_path, agree, outcome):
    """The opposite needs more evidence than "not met" does."""
    scene, world = Scene(tmp_path / "home"), World(tmp_path / "home")
    plan = RampPlan(steps=(10, 100), require=("agreement >= 0.9",), shadow_first=True)
    for number in range(900):
        world.pair(number, stable=["x"], candidate=["x" if agree or number % 2 else "y"])
    state = begin(plan, TAG, NOON)
    endpoint = SHADOWED.model_copy(update={"ramp": state})
    scene.ports.log = RecordLog(tmp_path / "home")
    scene.ports.store.remembered = lambda _: SimpleNamespace(
        manifest=SimpleNamespace(signature=SimpleNamespace(answer_dtype="str"))
    )
    found = gather(endpoint, state, scene.ports)
    assert [(one.outcome, one.opposite) for one in found.required] == [outcome]
    assert found.shadow == ("agrees" if agree else "differs")
    as_canary = state.model_copy(update={"step": 0, "phase": "running"})
    assert gather(endpoint.model_copy(update={"ramp": as_canary}), as_canary, scene.ports).required == ()


@pytest.mark.parametrize(("wrong", "rolls_back"), [("south", True), (None, False)])
def test_a_segment_that_a_shadow_answers_otherwise_is_evidence_although_the_whole_agrees(tmp_path, wrong, rolls_back):
    """A tenth of the requests is of the segment, and 9 % of these are answered otherwise: 99.1 % agree."""
    scene, world = Scene(tmp_path / "home"), World(tmp_path / "home")
    settings = ComparisonSettings(segments=("region: north, south",), segments_at=NOON)
    endpoint = SHADOWED.model_copy(update={"comparison": settings})
    plan = RampPlan(steps=(10, 100), shadow_first=True, segments=_segments(endpoint, TAG))
    state = begin(plan, TAG, NOON)
    for number in range(3_000):
        inputs = [{"region": "north" if number % 10 else "south", "n": number}]
        answer = ["y"] if inputs[0]["region"] == wrong and number % 110 == 0 else ["x"]
        world.pair(number, ["x"], answer, stable_fields={"inputs": inputs}, inputs=inputs)
    scene.ports.log = RecordLog(tmp_path / "home")
    signature = SimpleNamespace(answer_dtype="str", columns=("region", "n"))
    scene.ports.store.remembered = lambda _: SimpleNamespace(manifest=SimpleNamespace(signature=signature))
    found = gather(endpoint.model_copy(update={"ramp": state}), state, scene.ports)
    decision = decide(state, found, NOON)
    if rolls_back:
        assert (found.segments.most, found.shadow) == ("region: south", "inconclusive")
        assert decision.action == "roll back"
        assert decision.reason.startswith(f"{TAG} differs: segments, most in region: south: evidence")
    else:
        assert (decision.action, found.segments.e_value < 1) == ("hold", True)


def test_the_segments_of_a_ramp_are_those_of_its_begin_without_redacted_columns(tmp_path):
    settings = ComparisonSettings(segments=("region", "age: <30, >=30"), segments_at=NOON)
    releases = (STABLE, CANDIDATE.model_copy(update={"redact": ("region",)}))
    endpoint = SHADOWED.model_copy(update={"comparison": settings, "releases": releases})
    scene = Scene(tmp_path / "home", endpoint)
    scene.begin(require=["error_rate <= 1%"])
    plan = scene.endpoint.ramp.plan
    assert (plan.segments, plan.guardrails) == (("age: <30, >=30",), 5)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"steps": "5,1"}, InvalidInput, "do not rise"),
        ({"steps": "50,120"}, InvalidInput, "not between 0 and 100"),
        ({"steps": [1, "x"]}, InvalidInput, "are no percentages"),
        ({"steps": "100"}, InvalidInput, "no step below 100 %"),
        ({"steps": "5", "require": ["eror_rate <= 1%"]}, InvalidInput, "did you mean error_rate"),
        ({"steps": "5", "require": ["agreement >= 0.99"]}, InvalidInput, "add --shadow-first"),
        ({"steps": "5", "candidate": "aaa"}, NoCandidate, "stable already"),
        ({"steps": "5", "per_step": "soon"}, InvalidInput, "'soon' is not a duration"),
        ({"require": ["error_rate <= 1%"]}, InvalidInput, "--require needs --steps"),
        ({"pause": True, "abort": True}, InvalidInput, "--pause and --abort exclude each other"),
        ({"pause": True, "steps": "5"}, InvalidInput, "--pause takes no --steps"),
        ({"pause": True}, InvalidInput, "has no ramp"),
        ({}, InvalidInput, "'nbdeploy ramp tumour --steps 1,5,20,50,100' begins one"),
    ],
)
def test_a_request_that_cannot_succeed_names_the_remedy_and_changes_nothing(scene, given, error, says):
    with pytest.raises(error) as refused:
        scene.ramp(**given)
    assert says in str(refused.value)
    assert scene.endpoint == SHADOWED


@pytest.mark.parametrize(
    ("endpoint", "error", "says"),
    [
        (Endpoint.first(STABLE), NoCandidate, "no canary and no shadow"),
        (SHADOWED.with_release(OTHER, keep=True), NoCandidate, "has 2 shadows"),
        (SHADOWED.recording("off"), Refused, "'nbdeploy traffic tumour --record full'"),
        (SHADOWED.stopped(), Refused, "'nbdeploy rollback tumour'"),
        (SHADOWED.ramped(begin(RampPlan(steps=(5,)), TAG, NOON)), Refused, "--abort"),
    ],
    ids=["none", "several", "no records", "stopped", "in progress"],
)
def test_an_endpoint_that_cannot_ramp_says_why(tmp_path, endpoint, error, says):
    scene = Scene(tmp_path / "home", endpoint.model_copy(update={"revision": 1}))
    with pytest.raises(error) as refused:
        scene.begin()
    assert says in str(refused.value)
    assert scene.endpoint == endpoint.model_copy(update={"revision": 1})


def test_another_canary_is_not_displaced(tmp_path):
    endpoint = SHADOWED.with_release(OTHER, role="canary", percent=5, keep=True)
    scene = Scene(tmp_path / "home", endpoint)
    with pytest.raises(InvalidInput, match="one canary at a time"):
        scene.begin(candidate=TAG)
