"""verbs/change.py over the real store; the target is a fake, since a real one cannot be made to lose a race."""

import errno
import multiprocessing
import signal
import time
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

import psutil
import pytest

from jupyter_deploy.domain.errors import CandidateUnhealthy, Conflict, RouteNotConfirmed, StartFailed, StoreError
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.requests import DeployRequest, PromoteRequest, TrafficRequest
from jupyter_deploy.faces.render.render import text
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.verbs.change import change, stop_unwanted
from jupyter_deploy.verbs.deploy_plan import next_endpoint, with_running_bento
from jupyter_deploy.verbs.traffic import promote, traffic
from tests.releases import release

ONE, TWO = release("one"), release("two")
FIRST = Endpoint.first(ONE)
SECOND = FIRST.with_release(TWO)


@dataclass
class Target:
    """Records its calls; fails on request."""

    refuses_to_start: set = field(default_factory=set)
    refuses_to_answer: set = field(default_factory=set)
    refuses_revisions: set = field(default_factory=set)
    running: set = field(default_factory=set)
    routed: list = field(default_factory=list)
    rebooted: bool = False

    def start(self, release, *, ask=False, renew=False):
        if release.tag in self.refuses_to_start or (ask and release.tag in self.refuses_to_answer):
            raise StartFailed(f"{release.tag} does not answer")
        self.running.add(release.tag)

    def lost(self):
        return self.rebooted

    def observe(self, endpoint):
        health = {
            tag: ReleaseHealth(running=tag in self.running, healthy=tag in self.running)
            for tag in {release.tag for release in endpoint.releases} | self.running
        }
        return Observation(url="http://url", releases=health)

    def stop(self, release):
        self.running.discard(release.tag)

    needs_image, shared, header_file = False, None, None

    def route(self, endpoint):
        if endpoint.revision in self.refuses_revisions:
            raise RouteNotConfirmed("Envoy said no")
        self.routed.append(endpoint.revision)
        return "http://url"


@dataclass
class Capturer:
    swept: int = 0

    def sweep(self):
        self.swept += 1


@pytest.fixture
def ports(tmp_path):
    store = SqliteStore(tmp_path / "home", "ada")
    return SimpleNamespace(store=store, targets={"local": Target()}, capturer=Capturer(), keep_revisions=0)


def moved(ports, before, after):
    return change(ports, before, after, reason="", what="")


def _intend(home, ready):
    SqliteStore(home, "x").intend(TWO)
    ready.set()
    signal.pause()


def test_the_very_same_model_is_as_old_as_it_was_when_it_is_released_again():
    first = release("aaaa1111", name="churn")
    later = first.model_copy(update={"created_at": first.created_at + timedelta(days=1)})
    before = Endpoint.first(first)
    assert next_endpoint(DeployRequest(), before, later).release(first.tag).created_at == first.created_at
    other = later.model_copy(update={"digest": "sha256:other"})
    assert next_endpoint(DeployRequest(), before, other).release(first.tag).created_at == other.created_at


def test_what_runs_keeps_the_bento_that_it_runs_from_and_what_is_started_gets_the_newest(ports):
    newer = TWO.model_copy(update={"path": f"{TWO.path}-2"})
    assert with_running_bento(newer, SECOND, ports.keep_revisions).path == TWO.path
    assert with_running_bento(newer, SECOND.stopped(), ports.keep_revisions).path == newer.path
    assert with_running_bento(newer, FIRST, ports.keep_revisions).path == newer.path
    other = newer.model_copy(update={"digest": "sha256:other"})
    assert with_running_bento(other, SECOND, ports.keep_revisions).path == newer.path


def test_what_another_living_process_is_starting_is_not_stopped(tmp_path, ports):
    moved(ports, None, FIRST)
    target = ports.targets["local"]
    target.running.add(TWO.tag)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_intend, args=(tmp_path / "home", ready), daemon=True)
    other.start()
    assert ready.wait(60)
    assert stop_unwanted(ports, "tumour", [TWO]) == []
    other.kill()
    while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:  # ended, and not asked for by its parent
        time.sleep(0.01)
    assert stop_unwanted(ports, "tumour", [TWO]) == [TWO]
    assert target.running == {ONE.tag}


def test_routes_that_do_not_come_into_force_take_the_endpoint_back_to_what_it_was(ports):
    moved(ports, None, FIRST)
    target = ports.targets["local"]
    target.refuses_revisions = {2}
    with pytest.raises(RouteNotConfirmed):
        moved(ports, FIRST, SECOND)
    now = ports.store.endpoint("tumour")
    assert (now.revision, now.traffic) == (3, FIRST.traffic)
    assert ports.store.history("tumour")[0].change == "back to revision 1"
    assert target.running == {ONE.tag}
    assert target.routed == [1, 3]


def test_a_failed_restoration_is_an_error_with_a_remedy(ports, monkeypatch):
    moved(ports, None, FIRST)
    ports.targets["local"].refuses_revisions = {2}
    save = ports.store.save

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "state.sqlite")

    def save_once(*args, **options):
        save(*args, **options)
        monkeypatch.setattr(ports.store, "save", full)
        monkeypatch.setattr(ports.store, "fulfil", full)

    monkeypatch.setattr(ports.store, "save", save_once)
    with pytest.raises(StoreError, match="revision 2 is written") as failed:
        moved(ports, FIRST, SECOND)
    assert "nbdeploy reconcile" in failed.value.remedy
    assert "Envoy said no" in failed.value.details
    assert "No space left" in failed.value.details


def test_a_first_release_without_confirmed_routes_is_stopped(ports):
    ports.targets["local"].refuses_revisions = {1}
    with pytest.raises(RouteNotConfirmed):
        moved(ports, None, FIRST)
    assert ports.store.endpoint("tumour").running is False
    assert ports.targets["local"].running == set()


def test_releases_started_for_a_stale_change_are_stopped(ports):
    moved(ports, None, FIRST)
    moved(ports, FIRST, FIRST.with_release(release("three")))
    with pytest.raises(Conflict):
        moved(ports, FIRST, SECOND)
    assert ports.targets["local"].running == {ONE.tag, "tumour:three"}
    assert ports.store.abandoned() == []


def test_a_shadow_that_does_not_start_blocks_no_other_release(ports):
    moved(ports, None, FIRST)
    moved(ports, FIRST, SECOND)
    target = ports.targets["local"]
    target.refuses_to_start = {TWO.tag}
    third = SECOND.with_release(release("three"))
    moved(ports, SECOND, third)
    with pytest.raises(CandidateUnhealthy):
        moved(ports, third, third.promoted("two"))
    assert ports.store.endpoint("tumour") == third


def test_a_shadow_that_is_ready_and_hangs_is_no_candidate(ports):
    moved(ports, None, FIRST)
    moved(ports, FIRST, SECOND)
    ports.targets["local"].refuses_to_answer = {TWO.tag}
    with pytest.raises(CandidateUnhealthy):
        moved(ports, SECOND, SECOND.promoted())
    assert ports.store.endpoint("tumour") == SECOND


@pytest.fixture
def rebooted(ports):
    """Two releases, and nothing of them runs any more."""
    moved(ports, None, FIRST)
    moved(ports, FIRST, SECOND)
    target = ports.targets["local"]
    target.running.clear()
    target.rebooted = True
    return target


def test_after_a_reboot_a_traffic_verb_that_changes_nothing_starts_everything(ports, rebooted):
    changed = traffic(TrafficRequest(name="tumour", shadow={TWO.tag: 100}), ports, lambda _: None)
    assert changed.revision == SECOND.revision
    assert rebooted.running == {ONE.tag, TWO.tag}


def test_after_a_reboot_a_change_brings_back_what_is_kept_warm_too(ports, rebooted):
    ports.keep_revisions = 1
    moved(ports, SECOND, SECOND.with_traffic(shadow={TWO.tag: 0}, canary={}))
    assert rebooted.running == {ONE.tag, TWO.tag}
    assert ports.capturer.swept == 1, "what the killed processes had left is removed"


def test_after_a_reboot_promote_starts_the_candidate_instead_of_refusing_it(ports, rebooted):
    assert promote(PromoteRequest(name="tumour"), ports, lambda _: None).after == {TWO.tag: "stable 100 %"}
    assert TWO.tag in rebooted.running


def test_promote_says_what_the_comparison_says_at_that_moment(ports, rebooted, monkeypatch):
    asked = []

    def compare(request, *_):
        asked.append((request.name, request.candidate))
        if len(asked) > 1:
            raise StoreError("the records cannot be read")
        return SimpleNamespace(verdict="inconclusive", reason="no pairs yet")

    monkeypatch.setattr("jupyter_deploy.verbs.traffic.compare", compare)
    done = promote(PromoteRequest(name="tumour"), ports, lambda _: None)
    assert asked == [("tumour", TWO.tag)]
    assert done.compared == "INCONCLUSIVE: no pairs yet"
    assert "compared  INCONCLUSIVE: no pairs yet" in text(done)
    again = promote(PromoteRequest(name="tumour", tag=ONE.tag), ports, lambda _: None)
    assert (again.compared, again.after) == ("", {ONE.tag: "stable 100 %"}), "without a comparison it is promoted too"


def test_a_candidate_that_does_not_run_is_not_promoted(ports, rebooted):
    rebooted.rebooted = False
    with pytest.raises(CandidateUnhealthy):
        promote(PromoteRequest(name="tumour"), ports, lambda _: None)
