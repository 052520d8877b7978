"""The cards, the history and the rates that all panels show, from values alone."""

from datetime import UTC, datetime, timedelta

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.state import Decision, begin, pause
from jupyter_deploy.domain.ramp.status import Look, ramp_status
from jupyter_deploy.domain.release.endpoint import Changes, Endpoint, Revision
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.status import Counts, EndpointStatus, ReleaseStatus, Usage
from jupyter_deploy.faces.views.cards import endpoint_view, revision_rows, role_start, roles_of
from jupyter_deploy.faces.views.processors import Processors
from jupyter_deploy.faces.views.rates import KEPT, Rates
from tests.published import published_as
from tests.releases import release

ONE = release("one", source=Source(notebook="/home/ada/train.ipynb", variable="clf"))
TWO, THREE = release("two"), release("three")
SHADOWED = Endpoint.first(ONE).with_release(TWO)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def status(endpoint, *, gateway=True, detail="", public_url=None, **requests):
    """A target's observation; ``requests``: the gateway's counts by version."""
    return EndpointStatus(
        name=endpoint.name,
        url="http://127.0.0.1:8780/tumour",
        public_url=public_url,
        revision=endpoint.revision,
        running=endpoint.running,
        gateway=gateway,
        traffic=endpoint.traffic,
        releases=[
            ReleaseStatus(
                tag=tag,
                role=endpoint.traffic.role_of(tag),
                percent=endpoint.traffic.percent_of(tag),
                healthy=not detail,
                detail=detail,
                counts=Counts(requests=requests[version], errors=0) if (version := tag[7:]) in requests else None,
                created_at=NOON,
            )
            for tag in endpoint.traffic.tags()
        ],
    )


def view(endpoint, found=None, *, rates=None, history=(), keep_revisions=3, publications=()):
    return endpoint_view(
        endpoint,
        found or status(endpoint),
        rates or {},
        history,
        keep_revisions,
        publications=publications,
    )


def made(endpoint, **more):
    return Revision(
        endpoint=endpoint.name, revision=endpoint.revision, at=NOON, by="ada", reason="", change="x", state=endpoint
    ).model_copy(update=more)


def test_there_is_a_card_for_each_release_that_has_traffic_or_is_kept_warm():
    both = SHADOWED.with_release(THREE, keep=True, role="canary", percent=20).with_traffic({"two": 0}, {})
    shown = view(both).cards
    assert [(card.tag, card.role, card.percent) for card in shown] == [
        ("tumour:one", "stable", 80.0),
        ("tumour:three", "canary", 20.0),
        ("tumour:two", "idle", 0.0),
    ]
    assert (shown[0].notebook, shown[0].path, shown[0].variable) == ("train.ipynb", "/home/ada/train.ipynb", "clf")
    assert [card.tag for card in view(both, keep_revisions=0).cards] == ["tumour:one", "tumour:three"]


def test_a_card_says_what_changed_since_the_release_that_was_stable_when_it_came():
    changes = Changes(predecessor="tumour:one", words=("C 1.0 -> 0.1", "3 cells changed"))
    grown = Endpoint.first(ONE).with_release(release("four", changes=changes))
    assert [card.changes for card in view(grown).cards] == ["", "since one: C 1.0 -> 0.1, 3 cells changed"]


def test_a_card_says_how_its_release_does_and_what_it_counted():
    shown = view(SHADOWED, status(SHADOWED, one=7), rates={"tumour:one": [1.5, 2.0]})
    assert (shown.words, shown.healthy) == ("healthy", True)
    one, two = shown.cards
    assert (one.healthy, one.health, one.counts.requests, one.counts.rates) == (True, "healthy", 7, (1.5, 2.0))
    assert two.counts is None
    ill = view(SHADOWED, status(SHADOWED, detail="BACKOFF: too many failed starts"))
    assert ill.cards[0].health == "BACKOFF: too many failed starts"
    assert ill.words == "NOT HEALTHY: 'nbdeploy reconcile' starts what is down"
    gone = view(SHADOWED, status(SHADOWED, gateway=False, detail="not running"))
    assert (gone.words, gone.healthy) == ("not running: 'nbdeploy reconcile' starts it", False)


def test_a_card_of_a_new_release_shows_only_known_values():
    three = SHADOWED.with_release(THREE, keep=True)
    (_, _, card) = view(three, status(SHADOWED)).cards
    assert (card.tag, card.healthy, card.health, card.counts) == ("tumour:three", False, "not checked yet", None)


def test_a_stopped_endpoint_says_so_and_keeps_the_cards_of_those_that_would_come_back():
    shown = view(SHADOWED.stopped(), status(SHADOWED.stopped(), detail="not running"))
    assert (shown.running, shown.words) == (False, "stopped")
    assert [card.tag for card in shown.cards] == ["tumour:one", "tumour:two"]


def test_clients_see_the_public_address_if_there_is_one():
    assert view(SHADOWED).url == "http://127.0.0.1:8780/tumour/predict"
    public = status(SHADOWED, public_url="https://hub.example.org/tumour")
    assert view(SHADOWED, public).url == "https://hub.example.org/tumour/predict"


def test_texts_of_users_stay_texts_as_they_are():
    evil = "<script>alert(1)</script> & \N{PILE OF POO}"
    finding = Finding(check="leakage", severity="warning", message=evil)
    endpoint = Endpoint.first(release("one", source=Source(notebook=f"/x/{'y' * 300}.ipynb"), findings=(finding,)))
    shown = view(endpoint, history=[made(endpoint, reason=evil)])
    assert evil in shown.cards[0].findings[0]
    assert shown.history[0].reason == evil
    assert len(shown.cards[0].notebook) == 306


def test_a_revision_names_its_new_releases_and_the_new_and_previous_stable():
    first = Endpoint.first(ONE)
    states = [first, SHADOWED, SHADOWED.with_traffic({"two": 40}, {}), SHADOWED.promoted()]
    rows = revision_rows([made(state) for state in reversed(states)])
    pairs = [[(pair.a, pair.b) for pair in row.diffs] for row in rows]
    assert pairs == [[("tumour:one", "tumour:two")], [], [("tumour:one", "tumour:two")], []]


def test_the_last_revision_shown_knows_the_one_before_it():
    history = [made(SHADOWED)] * 20 + [made(Endpoint.first(ONE))]
    rows = revision_rows(history)
    assert len(rows) == 20
    assert [pair.b for pair in rows[-1].diffs] == ["tumour:two"]


class Clock:
    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


def rates():
    clock = Clock()
    return clock, Rates(clock)


def test_a_rate_is_what_came_between_two_looks():
    clock, seen = rates()
    assert seen.note(status(SHADOWED, one=100, two=50)) == {"tumour:one": (), "tumour:two": ()}
    clock.at += 2
    assert seen.note(status(SHADOWED, one=110, two=50)) == {"tumour:one": (5.0,), "tumour:two": (0.0,)}


def test_a_look_just_after_another_makes_no_rate_and_takes_nothing_from_the_next():
    clock, seen = rates()
    seen.note(status(SHADOWED, one=100))
    clock.at += 0.1
    assert seen.note(status(SHADOWED, one=110)) == {"tumour:one": ()}
    clock.at += 0.9
    assert seen.note(status(SHADOWED, one=120)) == {"tumour:one": (20.0,)}


def test_a_gateway_that_started_anew_counts_from_nought():
    clock, seen = rates()
    seen.note(status(SHADOWED, one=1000))
    clock.at += 1
    assert seen.note(status(SHADOWED, one=4)) == {"tumour:one": (4.0,)}
    clock.at += 1
    assert seen.note(status(SHADOWED, gateway=False)) == {}
    clock.at += 1
    assert seen.note(status(SHADOWED, one=5000)) == {"tumour:one": ()}


def test_a_release_in_another_role_is_counted_anew():
    clock, seen = rates()
    seen.note(status(SHADOWED, one=100, two=100))
    clock.at += 1
    canary = SHADOWED.with_traffic({}, {"two": 50})
    assert seen.note(status(canary, one=101, two=90_000)) == {"tumour:one": (1.0,), "tumour:two": ()}


def test_a_pause_in_which_nobody_looked_is_no_rate():
    clock, seen = rates()
    seen.note(status(SHADOWED, one=0))
    clock.at += 3600
    assert seen.note(status(SHADOWED, one=36_000)) == {"tumour:one": ()}


def test_so_many_rates_are_kept_and_none_of_what_is_gone():
    clock, seen = rates()
    for look in range(KEPT * 2):
        clock.at += 1
        found = seen.note(status(SHADOWED, one=look * 3))
    assert found == {"tumour:one": (3.0,) * KEPT}
    seen.only([])
    assert seen.note(status(SHADOWED, one=0)) == {"tumour:one": ()}


def test_a_card_says_where_its_release_was_published_and_the_endpoint_where_it_would_be():
    known = [
        published_as(ONE.tag, "registry.example/tumour:latest"),
        published_as(ONE.tag, "registry.example/tumour:one"),
        published_as(ONE.tag, "registry.example/tumour:latest", f"sha256:{'2' * 64}"),
    ]
    shown = view(SHADOWED, publications=known)
    assert [card.published for card in shown.cards] == [
        ("registry.example/tumour:latest", "registry.example/tumour:one"),
        (),
    ]


def test_a_revision_is_told_by_the_releases_that_had_traffic():
    assert roles_of(Endpoint.first(ONE)) == "stable one alone, 100 %"
    canary = SHADOWED.with_traffic({}, {"two": 20})
    assert roles_of(canary) == "stable one 80 %, canary two 20 %"
    named = SHADOWED.model_copy(update={"releases": (ONE, release("two", label="wider trees"))})
    assert roles_of(named) == "stable one 100 %, shadow wider trees 100 %"


def test_counts_begin_with_the_present_role_and_not_before_the_gateway():
    off = SHADOWED.with_traffic({"two": 0}, {})
    on = off.with_traffic({"two": 100}, {})
    states = [Endpoint.first(ONE), SHADOWED, off, on, on.with_traffic({"two": 50}, {})]
    history = [made(state, at=NOON + timedelta(hours=n)) for n, state in enumerate(states)][::-1]
    assert role_start(history, TWO.tag) == NOON + timedelta(hours=3), "since it is on again, whatever its percent"
    assert role_start(history, ONE.tag) == NOON
    assert role_start(history[:2], ONE.tag) is None, "it was so before the known revisions"
    assert role_start(history[1:], THREE.tag) is None
    found = status(states[-1], one=7, two=3)
    later = NOON + timedelta(hours=2)
    counted = [
        one.model_copy(update={"counts": one.counts.model_copy(update={"since": later})}) for one in found.releases
    ]
    cards = endpoint_view(
        states[-1],
        found.model_copy(update={"releases": counted}),
        {},
        history,
        3,
        publications=(),
        recorded={(ONE.tag, False): 70, (TWO.tag, True): 30, (TWO.tag, False): 5},
    ).cards
    assert [card.counts.since for card in cards] == [later, NOON + timedelta(hours=3)]
    assert [card.counts.recorded for card in cards] == [70, 30]


def test_a_ramp_is_shown_until_it_ends_and_one_that_went_back_as_long_as_its_candidate_is():
    state = begin(RampPlan(steps=(5, 20)), TWO.tag, NOON)
    look = Look(at=NOON, since=NOON, decision=Decision(action="hold", reason="waits for x", evidence=("errors: 1",)))
    ramped = SHADOWED.ramped(state)

    def shown(endpoint, state, latest=look):
        ramp = ramp_status(endpoint.name, endpoint.revision, state, latest, NOON + timedelta(minutes=12))
        return view(endpoint, status(endpoint).model_copy(update={"ramp": ramp})).ramp

    found = shown(ramped, state)
    assert (found.candidate, found.words) == (TWO.tag, "step 1 of 2, 5 %, for 12 min; waits for x")
    assert (found.paused, found.ended, found.evidence) == (False, False, ("errors: 1",))
    assert shown(ramped, pause(state, "lunch"), None).words == "paused at step 1 of 2, 5 %, for 12 min; lunch"
    back = state.model_copy(update={"phase": "rolled back", "reason": "worse"})
    assert (shown(ramped.ramped(back), back).words, shown(ramped.ramped(back), back).ended) == (
        "rolled back: worse",
        True,
    )
    assert shown(Endpoint.first(ONE), back) is None
    assert shown(ramped, state.model_copy(update={"phase": "superseded"})) is None


def test_processors_in_use_are_the_difference_of_two_looks():
    clock = iter([0.0, 0.1, 2.0, 4.0, 200.0])
    processors = Processors(lambda: next(clock))

    def look(seconds):
        return processors.note({"tumour:one": Usage(cpu_seconds=seconds, memory=1, workers=1)})["tumour:one"]

    assert look(10.0) is None
    assert look(10.1) is None, "too soon"
    assert look(13.0) == 1.5
    assert look(2.0) == 1.5, "a worker has ended, and its time with it"
    assert look(900.0) is None, "an average over minutes is no use of now"


def test_a_card_shows_what_its_release_uses_next_to_its_limits():
    limited = release("one", resources=Resources(cpu=2, memory=2**30, workers="1-4"))
    used = {"tumour:one": Usage(cpu_seconds=1, memory=2**29, workers=3, waiting=7)}
    shown = endpoint_view(
        Endpoint.first(limited), status(Endpoint.first(limited)), {}, (), 3, publications=(),
        usage=used, processors={"tumour:one": 1.5},
    ).cards[0].usage  # fmt: skip
    assert shown.model_dump() == {
        "cpu": 1.5, "most_cpu": 2.0, "memory": 2**29, "most_memory": 2**30, "workers": 3, "most_workers": "1-4",
        "waiting": 7,
    }  # fmt: skip
    assert view(SHADOWED).cards[0].usage is None
