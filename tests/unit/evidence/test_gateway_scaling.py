"""Requests that wait for the first pod of an idle release, and the agents' decisions, without a cluster."""

import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.container_images.gateway_program import scaling
from jupyter_deploy.container_images.gateway_program.api import ApiError
from jupyter_deploy.container_images.gateway_program.documents import Part, Pods
from jupyter_deploy.container_images.gateway_program.pod import Pod
from jupyter_deploy.container_images.gateway_program.report import IDLE, idle_by_all
from jupyter_deploy.container_images.gateway_program.waiting_room import WaitingRooms

SERVICE = "nbd-tumour-a"
PART = Part(
    "tumour", "hash", ({"name": "tumour:a", "eds_cluster_config": {"service_name": SERVICE}},), (), (), {SERVICE: 30.0}
)
READY = Pods((("10.0.0.1", 8080),), ())
STARTING = Pods((), (("10.0.0.2", 8080),))
PREDICTION = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000


@pytest.fixture
def rooms():
    arrived = threading.Event()
    made = WaitingRooms(60, arrived.set)
    made.arrived_event = arrived
    yield made
    made.keep(set())


def sent(address, request):
    connection = socket.create_connection(address, timeout=20)
    connection.sendall(request)
    return connection


def answer(connection):
    with connection:
        found = b""
        while data := connection.recv(65536):
            found += data
    return found.decode()


def test_a_request_waits_until_the_release_has_a_pod_and_is_then_repeated(rooms):
    waiting = sent(rooms.address(SERVICE), PREDICTION)
    assert rooms.arrived_event.wait(20)
    assert rooms.waiting(SERVICE)
    rooms.let_go(SERVICE)
    assert "x-rollout-starting: 1" in answer(waiting)
    assert not rooms.waiting(SERVICE)


def test_a_request_that_still_comes_when_there_is_a_pod_is_repeated_at_once(rooms):
    address = rooms.address(SERVICE)
    rooms.let_go(SERVICE)
    assert "503 Service Unavailable" in answer(sent(address, PREDICTION))
    assert not rooms.arrived_event.is_set()


@pytest.mark.parametrize("path", ["/livez", "/v2/health/ready", "/v2/models/tumour/ready", "/metrics"])
def test_a_health_check_is_answered_and_wakes_nobody(rooms, path):
    found = answer(sent(rooms.address(SERVICE), f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()))
    assert found.startswith("HTTP/1.1 200 OK")
    assert "idle, starts on a request" in found
    assert not rooms.arrived_event.is_set()


def test_requests_get_the_reason_if_there_will_be_no_pod(rooms):
    waiting = sent(rooms.address(SERVICE), PREDICTION)
    assert rooms.arrived_event.wait(20)
    rooms.refuse(SERVICE, "it was stopped")
    found = answer(waiting)
    assert "the release was idle and does not start: it was stopped" in found
    assert "x-rollout-starting" not in found


def test_a_request_waits_no_longer_than_a_start_may_take():
    rooms = WaitingRooms(0.05, lambda: None)
    assert "it is not ready after 0.05 s" in answer(sent(rooms.address(SERVICE), PREDICTION))
    rooms.keep(set())


def test_a_client_that_leaves_does_not_keep_waiting(rooms):
    connection = sent(rooms.address(SERVICE), PREDICTION)
    assert rooms.arrived_event.wait(20)
    connection.close()
    while rooms.waiting(SERVICE):
        rooms.arrived_event.wait(0.01)


class Cluster:
    """The API's scale of one Deployment, and a clock."""

    def __init__(self, monkeypatch, replicas=1):
        self.replicas, self.now, self.asked, self.statistics = replicas, 1000.0, 0, ""
        monkeypatch.setattr(scaling.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(scaling, "call", lambda *_: (200, self.statistics))
        self.scaling = scaling.Scaling(self, Pod.of({"NBDEPLOY_NAMESPACE": "models"}), 60, lambda: None)

    def get(self, path):
        assert path == f"/apis/apps/v1/namespaces/models/deployments/{SERVICE}/scale"
        self.asked += 1
        if self.replicas is None:
            raise ApiError(404, "no such Deployment")
        return {"metadata": {"resourceVersion": "7"}, "spec": {"replicas": self.replicas} if self.replicas else {}}

    def patch(self, _, document, form):
        assert (document["metadata"], form) == ({"resourceVersion": "7"}, "merge-patch+json")
        self.replicas = document["spec"]["replicas"]

    def look(self, pods=READY, *, after=0.0, others=()):
        """One look of the agent; ``others``: what the other pods of the gateway report."""
        self.now += after
        placed = self.scaling.placed([PART], {SERVICE: pods} if pods else {})
        mine = self.scaling.follow([lease(one) for one in (self.idle, *others)])
        self.idle = mine
        return placed[SERVICE]

    idle = ()


def lease(idle, age=0.0):
    renewed = datetime.now(UTC) - timedelta(seconds=age)
    annotations = {IDLE: "[" + ",".join(f'"{one}"' for one in idle) + "]"}
    return {"metadata": {"annotations": annotations}, "spec": {"renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}


def counted(predictions, checks=0, active=0):
    return "\n".join(
        f"{name}: {value}"
        for name, value in {
            "cluster.tumour_a.upstream_rq_completed": predictions + checks,
            "vhost.edge.route.tumour_a.upstream_rq_completed": checks,
            "cluster.tumour_a.upstream_rq_active": active,
        }.items()
    )


def test_the_last_pod_goes_when_all_gateways_saw_no_prediction_for_the_time(monkeypatch):
    cluster = Cluster(monkeypatch, replicas=3)
    cluster.look()
    cluster.look(after=29)
    assert cluster.idle == []
    cluster.look(after=2)
    assert cluster.idle == [SERVICE]
    cluster.look(after=2, others=[[]])
    assert cluster.replicas == 3
    cluster.look(after=2, others=[[SERVICE]])
    assert cluster.replicas == 0


def test_predictions_and_those_that_still_run_keep_a_release_and_health_checks_do_not(monkeypatch):
    cluster = Cluster(monkeypatch)
    cluster.look()
    for number in range(1, 5):
        cluster.statistics = counted(number)
        cluster.look(after=20)
        assert cluster.idle == []
    for _ in range(3):
        cluster.statistics = counted(4, active=1)
        cluster.look(after=20)
    assert cluster.idle == []
    for number in range(1, 4):
        cluster.statistics = counted(4, checks=number)
        cluster.look(after=20)
    assert cluster.idle == [SERVICE]


def test_a_request_brings_one_pod_and_gets_it_only_when_it_is_ready(monkeypatch):
    cluster = Cluster(monkeypatch, replicas=0)
    (room,) = cluster.look(pods=None)
    assert room[0] == "127.0.0.1"
    assert cluster.asked == 0
    waiting = sent(room, PREDICTION)
    while not cluster.scaling._rooms.waiting(SERVICE):
        threading.Event().wait(0.01)
    cluster.look(pods=None)
    assert cluster.replicas == 1
    assert cluster.look(pods=STARTING, after=2) == (room,)
    assert cluster.replicas == 1
    assert cluster.look(pods=Pods(STARTING.others, ())) == STARTING.others
    assert "x-rollout-starting" in answer(waiting)
    # Its node is away: it may still answer.
    assert cluster.look(pods=STARTING) == STARTING.others
    assert cluster.idle == []


def test_a_release_that_was_stopped_refuses_its_requests(monkeypatch):
    cluster = Cluster(monkeypatch, replicas=None)
    (room,) = cluster.look(pods=None)
    waiting = sent(room, PREDICTION)
    while not cluster.scaling._rooms.waiting(SERVICE):
        threading.Event().wait(0.01)
    cluster.look(pods=None)
    assert "it was stopped" in answer(waiting)


def test_a_gateway_whose_report_is_old_or_unreadable_counts_as_busy():
    assert idle_by_all([lease(["a", "b"]), lease(["b"])]) == {"b"}
    assert idle_by_all([lease(["a"]), lease(["a"], age=60)]) == set()
    assert idle_by_all([lease(["a"]), {"metadata": {}, "spec": {}}]) == set()
    assert idle_by_all([]) == set()
