"""Endpoints that several users share: revisions and routes in one object, and the store as a cache of them."""

import pytest

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import REFERENCE
from jupyter_deploy.domain.drift.watch import reference_of
from jupyter_deploy.domain.errors import Conflict, TargetError
from jupyter_deploy.domain.ramp.state import Decision
from jupyter_deploy.domain.ramp.status import Look
from jupyter_deploy.store.shared_store import SharedStore
from jupyter_deploy.system.digests import sha256
from jupyter_deploy.targets.kubernetes import endpoint_maps, names
from jupyter_deploy.targets.kubernetes.endpoint_maps import EndpointMaps
from tests.manifests import snapshot
from tests.shared_endpoints import FakeApi, endpoint_at, revision_of


def half(revision, digest):
    return {"data": {"revision": str(revision), "hash": digest}, "binaryData": {"documents": "eA=="}}


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def maps(api):
    return EndpointMaps(lambda: api, "kubernetes")


@pytest.fixture
def homes(api, tmp_path):
    """Two people's stores."""

    def store(user):
        shared = {"kubernetes": EndpointMaps(lambda: api, "kubernetes")}
        return SharedStore(tmp_path / user, user, lambda: shared)

    return store("ada"), store("bob")


def save(store, endpoint, based_on):
    store.save(endpoint, based_on=based_on, reason="", change="")


def test_a_second_person_sees_and_changes_the_same_endpoint_and_the_slower_one_gets_a_conflict(homes):
    ada, bob = homes
    save(ada, endpoint_at(1), 0)
    assert bob.endpoint("churn").revision == 1
    save(bob, endpoint_at(2), 1)
    with pytest.raises(Conflict, match="revision 2"):
        save(ada, endpoint_at(2), 1)
    ada._next_read = 0
    assert ada.endpoint("churn").revision == 2
    assert [(one.revision, one.by) for one in ada.history("churn")] == [(2, "bob"), (1, "ada")]


def test_a_deleted_endpoint_that_another_person_deploys_anew_is_not_overwritten_by_the_cache(homes, api):
    ada, bob = homes
    save(ada, endpoint_at(5), 0)
    assert bob.endpoint("churn").revision == 5
    ada.delete(ada.endpoint("churn"), reason="", keep_records=False)
    assert api.objects == {}
    save(ada, endpoint_at(1), 0)
    bob._next_read = 0
    assert bob.endpoint("churn").revision == 1
    assert len(bob.history("churn")) == 1


def test_while_the_cluster_is_away_reads_show_the_cache_and_changes_are_refused(homes, api):
    ada, _ = homes
    save(ada, endpoint_at(1), 0)
    api.away = True
    ada._next_read = 0
    assert ada.endpoint("churn").revision == 1
    with pytest.raises(TargetError):
        save(ada, endpoint_at(2), 1)
    api.away = False
    ada._next_read = 0
    assert ada.endpoint("churn").revision == 1


@pytest.fixture
def known(tmp_path):
    """A snapshot with the sketch of its training table."""
    sketch = reference_of({"inputs": [{"age": 20 + row} for row in range(50)]}, {"inputs": "training"})
    content = sketch.model_dump_json().encode()
    (tmp_path / REFERENCE).write_bytes(content)
    return snapshot("churn:aaa", files={REFERENCE: sha256(content)}).model_copy(update={"path": str(tmp_path)})


def test_a_person_without_the_snapshot_knows_the_signatures_of_the_releases_and_their_sketches(homes, known):
    ada, bob = homes
    ada.remember(known)
    save(ada, endpoint_at(1), 0)
    save(bob, endpoint_at(2), 1)  # who has none to give
    assert bob.remembered("churn:aaa") is None
    assert bob.signature("churn:aaa") == ada.signature("churn:aaa") == known.manifest.signature
    assert bob.signature("churn:bbb") is None
    assert bob.sketch("churn:aaa") == ada.sketch("churn:aaa")
    assert bob.sketch("churn:aaa").rows == 50
    assert bob.sketch("churn:bbb") is None


def test_sketches_without_room_are_left_out(homes, known, monkeypatch):
    ada, bob = homes
    ada.remember(known)
    monkeypatch.setattr(endpoint_maps, "_MOST_OF_SKETCHES", 100)
    save(ada, endpoint_at(1), 0)
    assert bob.signature("churn:aaa") == known.manifest.signature
    assert bob.sketch("churn:aaa") is None


def test_a_sketch_that_was_changed_is_none(homes, known, tmp_path):
    ada, _ = homes
    ada.remember(known)
    (tmp_path / REFERENCE).write_bytes(b"{}")
    assert ada.sketch("churn:aaa") is None


def test_the_latest_look_at_a_ramp_is_in_its_job_and_none_is_shown_while_the_cluster_is_away(homes, api):
    ada, bob = homes
    save(ada, endpoint_at(1), 0)
    assert bob.endpoint("churn")
    assert bob.ramp_look("churn") is None
    api.objects[names.ramp_name("churn")] = {"metadata": {"resourceVersion": "1"}}
    seen = Look(at=now(), since=now(), decision=Decision(action="hold", reason="waits"))
    ada.keep_ramp_look("churn", seen)
    assert bob.ramp_look("churn") == seen
    api.away = True
    assert bob.ramp_look("churn") is None


def test_an_endpoint_of_this_machine_hides_one_of_the_same_name_in_the_cluster(homes):
    ada, bob = homes
    save(ada, endpoint_at(1, target="local"), 0)
    save(bob, endpoint_at(7), 0)
    ada._next_read = 0
    assert ada.endpoint("churn").target == "local"
    assert bob.endpoint("churn").target == "kubernetes"
    assert ada.revisions() == {"churn": 1}


def test_routes_and_revisions_do_not_undo_each_other(maps, api):
    first, second = endpoint_at(1), endpoint_at(2)
    maps.write(revision_of(first), based_on=0)
    # Another person routes between the read and the write of this one.
    api.before_write.append(lambda: EndpointMaps(lambda: api, "kubernetes").route(first, half(1, "one")))
    maps.write(revision_of(second), based_on=1)
    assert maps.routed("churn") == (1, "one")
    assert [one.revision for one in maps.histories()["churn"]] == [2, 1]


def test_a_later_revisions_routes_stay_and_refused_ones_are_put_back(maps):
    maps.write(revision_of(endpoint_at(1)), based_on=0)
    assert maps.route(endpoint_at(1), half(1, "one")) == {"data": {}, "binaryData": {}}
    former = maps.route(endpoint_at(3), half(3, "three"))
    assert former["data"]["hash"] == "one"
    assert maps.route(endpoint_at(2), half(2, "two")) is None
    assert maps.routed("churn") == (3, "three")
    maps.put_back(endpoint_at(2), former)
    assert maps.routed("churn") == (3, "three"), "somebody else's routes stay"
    maps.put_back(endpoint_at(3), former)
    assert maps.routed("churn") == (1, "one")


@pytest.mark.parametrize("history", ["!", "eA==", "H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA=="])
def test_an_object_that_cannot_be_read_hides_no_other(maps, api, history):
    maps.write(revision_of(endpoint_at(1)), based_on=0)
    api.objects["bad"] = {
        "metadata": {"name": "bad", "resourceVersion": "9"}, "data": {"endpoint": "bad"},
        "binaryData": {"history": history},
    }  # fmt: skip
    api.objects["other"] = {"metadata": {"name": "other", "resourceVersion": "9"}, "data": None}
    assert set(maps.histories()) == {"churn"}


def test_a_long_history_keeps_to_what_an_object_may_hold(maps, api):
    for number in range(1, 60):
        maps.write(revision_of(endpoint_at(number)), based_on=number - 1)
    kept = maps.histories()["churn"]
    assert [one.revision for one in kept] == list(range(59, 9, -1))
