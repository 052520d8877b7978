"""Drift of a release that another user of a cluster deployed: this user has the rights, and not the snapshot."""

from types import SimpleNamespace

import pytest
from record_scene import settings
from record_world import World

from jupyter_deploy.domain.capture.artifacts import REFERENCE
from jupyter_deploy.domain.drift.drift import DriftRequest
from jupyter_deploy.domain.drift.watch import reference_of
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.monitoring.monitor import MonitorRequest
from jupyter_deploy.store.shared_store import SharedStore
from jupyter_deploy.system.digests import sha256
from jupyter_deploy.targets.kubernetes import endpoint_maps
from jupyter_deploy.targets.kubernetes.endpoint_maps import EndpointMaps
from jupyter_deploy.verbs.monitoring.alarmed import ranges_of_alarms
from jupyter_deploy.verbs.monitoring.drift import drift
from jupyter_deploy.verbs.monitoring.monitor import monitored, with_performance
from jupyter_deploy.wiring import Wiring
from tests.manifests import snapshot
from tests.shared_endpoints import FakeApi, endpoint_at

__all__ = ["settings"]


class Colleague:
    """The ports of a user whose store has no snapshot; ``deployed`` is done by another one."""

    def __init__(self, settings, folder):
        api, home = FakeApi(), settings.home
        folder.mkdir()
        content = self._sketch().model_dump_json().encode()
        (folder / REFERENCE).write_bytes(content)
        given = snapshot("tumour:aaa", rows=[{"age": 50}], files={REFERENCE: sha256(content)})
        self.known = given.model_copy(update={"path": str(folder)})

        def store(place, user):
            shared = {"kubernetes": EndpointMaps(lambda: api, "kubernetes")}
            return SharedStore(place, user, lambda: shared)

        self.deployer, self.store = store(folder / "ada", "ada"), store(home, "bob")
        ports = Wiring(settings).ports
        self.ports = SimpleNamespace(store=self.store, drift=ports.drift, truth=ports.truth)
        self.world = World(home)

    @staticmethod
    def _sketch():
        rows = [{"age": 40 + number % 20} for number in range(500)]
        return reference_of({"inputs": rows}, {"inputs": "training"})

    def deployed(self):
        self.deployer.remember(self.known)
        self.deployer.save(endpoint_at(1, name="tumour"), based_on=0, reason="", change="made")

    def requests(self, count, age):
        for number in range(count):
            inputs = [{"age": age + number % 20}]
            self.world.record(number, "aaa", "stable", ["yes"], inputs=inputs)

    def drift(self):
        return drift(DriftRequest(name="tumour"), self.ports, lambda _: None)


@pytest.fixture
def colleague(settings, tmp_path):
    return Colleague(settings, tmp_path / "ada")


def test_a_user_without_the_snapshot_sees_the_drift_against_the_training_table(colleague):
    colleague.deployed()
    colleague.requests(400, age=80)
    found = colleague.drift()
    assert colleague.store.remembered("tumour:aaa") is None
    assert found.requests == 400
    assert found.origin == {"inputs": "training"}
    assert found.drift_alarms == 1
    (alarmed,) = ranges_of_alarms(colleague.store.endpoint("tumour"), colleague.ports)
    assert alarmed.release == "tumour:aaa"


def test_a_user_without_the_snapshot_has_the_monitor(colleague):
    colleague.deployed()
    colleague.requests(400, age=80)
    request = MonitorRequest(name="tumour", since="2020-01-01T00:00:00Z")
    found = with_performance(monitored(request, colleague.ports), colleague.ports)
    assert found.requests == 400
    assert not any("lost the snapshot" in note for note in found.notes)
    assert found.performance.expected == [], "labels are no probabilities"


def test_a_sketch_without_room_is_an_error_with_its_remedy_and_the_monitor_goes_on(colleague, monkeypatch):
    monkeypatch.setattr(endpoint_maps, "_MOST_OF_SKETCHES", 100)
    colleague.deployed()
    colleague.requests(400, age=80)
    with pytest.raises(StoreError, match="no room for the sketch of tumour:aaa") as caught:
        colleague.drift()
    assert "on the machine that deployed it" in caught.value.remedy
    assert ranges_of_alarms(colleague.store.endpoint("tumour"), colleague.ports) == ()
    request = MonitorRequest(name="tumour", since="2020-01-01T00:00:00Z")
    assert monitored(request, colleague.ports).requests == 400


def test_a_release_that_nobody_described_is_an_error(colleague):
    colleague.deployer.save(endpoint_at(1, name="tumour"), based_on=0, reason="", change="made")
    with pytest.raises(StoreError, match="signature of tumour:aaa is not known here"):
        colleague.drift()
