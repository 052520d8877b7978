"""Releases that have no pod while there are no requests: the agent takes their last pods away, and brings one back.

::

    no request for a while ──▶ the pod's Lease says so ──▶ all Leases do ──▶ Deployment's scale: 0
    a request comes ──▶ it waits (``waiting_room``) ──▶ scale: 1 ──▶ a pod is ready ──▶ Envoy repeats the request

Between one pod and the greatest number an autoscaler decides; it leaves a Deployment without pods alone. Each change of
the scale names the version that it is based on, so that the agents of several pods undo nothing of each other.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from .api import Api, ApiError
from .documents import Address, Part, Pods, addresses
from .envoy import Json, call, say
from .pod import Pod
from .report import idle_by_all
from .waiting_room import WaitingRooms

_AGAIN_SECONDS = 1.0
_COUNTERS = r"^(cluster|vhost\.edge\.route)\..*\.upstream_rq_(completed|active)$"
_COUNTER = re.compile(r"^(.+)\.upstream_rq_(completed|active): ([0-9]+)$", re.MULTILINE)


class Scaling:
    """The releases that become idle, of all endpoints.

    Parameters
    ----------
    start_seconds
        A request waits for a pod so long at most.
    woken
        Called when a request begins to wait.
    """

    def __init__(self, api: Api, pod: Pod, start_seconds: float, woken: Callable[[], None]) -> None:
        self._api, self._pod = api, pod
        self._rooms = WaitingRooms(start_seconds, woken)
        self._idle: dict[str, float] = {}
        self._clusters: dict[str, list[str]] = {}
        self._answered: dict[str, set[Address]] = {}
        self._used: dict[str, float] = {}
        self._counted: dict[str, int] = {}
        self._running: set[str] = set()
        self._looked = 0.0
        self._due: dict[str, float] = {}
        self._fault = ""

    def placed(self, parts: Iterable[Part], pods: Mapping[str, Pods]) -> dict[str, tuple[Address, ...]]:
        """The addresses that get requests, by Service; those of an idle release wait.

        A pod of such a release gets requests once it was ready: one that is not ready yet would refuse them, while one
        whose node is away may still answer.
        """
        self._idle, self._clusters = {}, {}
        for part in parts:
            self._idle |= part.idle
            for cluster in part.cds:
                service = str(cluster.get("eds_cluster_config", {}).get("service_name", ""))
                self._clusters.setdefault(service, []).append(str(cluster["name"]).replace(":", "_"))
        self._rooms.keep(set(self._idle))
        for known in (self._answered, self._used, self._counted, self._due):
            for service in known.keys() - self._idle.keys():
                known.pop(service)
        found = addresses(pods)
        for service in self._idle:
            found[service] = self._addresses_of(service, pods.get(service, Pods((), ())))
        return found

    def _addresses_of(self, service: str, pods: Pods) -> tuple[Address, ...]:
        before = self._answered.get(service)
        answered = {*pods.ready, *((before or set()) & set(pods.others))}
        if before is None or (answered and not before):
            self._used[service] = time.monotonic()  # its time without a request begins
        self._answered[service] = answered
        return pods.ready or tuple(sorted(answered)) or (self._rooms.address(service),)

    def follow(self, leases: Iterable[Json]) -> list[str]:
        """Start and stop pods as requests need it, once Envoy has the addresses; returns what is idle here."""
        if not self._idle:
            return []
        self._see_uses()
        idle, now = [], time.monotonic()
        for service, after in self._idle.items():
            waits = self._rooms.waiting(service)
            if self._answered[service]:
                self._rooms.let_go(service)
            elif waits:
                self._try(service, self._wake)
            if waits:
                self._used[service] = now
            elif now - self._used[service] >= after:
                idle.append(service)
        for service in idle_by_all(leases) & set(idle) if idle else ():
            if self._answered[service]:
                self._try(service, self._sleep)
        return sorted(idle)

    def _see_uses(self) -> None:
        """Note, once a second, which releases got a prediction since the last look, or still answer one."""
        now = time.monotonic()
        if now < self._looked + _AGAIN_SECONDS:
            return
        self._looked, running = now, set()
        query = urlencode({"filter": _COUNTERS})
        found = _COUNTER.findall(call(self._pod.admin, "GET", f"/stats?usedonly&{query}")[1])
        values = {(name, counter): int(value) for name, counter, value in found}
        for service in self._idle:
            count = 0
            for cluster in self._clusters.get(service, ()):
                # Health checks and requests for metrics are no use; they are counted by their routes.
                others = values.get((f"vhost.edge.route.{cluster}", "completed"), 0)
                count += values.get((f"cluster.{cluster}", "completed"), 0) - others
                if values.get((f"cluster.{cluster}", "active"), 0):
                    running.add(service)
            # A health check may run at one look, but hardly at two.
            if count != self._counted.get(service, 0) or service in running & self._running:
                self._used[service] = now
            self._counted[service] = count
        self._running = running

    def _try(self, service: str, change: Callable[[str], None]) -> None:
        """Change a release's scale, once a second at most while that changes nothing."""
        now = time.monotonic()
        if now < self._due.get(service, 0.0):
            return
        self._due[service] = now + _AGAIN_SECONDS
        try:
            change(service)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                self._rooms.refuse(service, "it was stopped")
            elif error.status != HTTPStatus.CONFLICT and str(error) != self._fault:
                self._fault = str(error)
                say(f"the pods of {service} cannot be changed: {self._fault}")

    def _wake(self, service: str) -> None:
        self._scale(service, lambda replicas: max(replicas, 1))

    def _sleep(self, service: str) -> None:
        self._scale(service, lambda _: 0)

    def _scale(self, service: str, wanted: Callable[[int], int]) -> None:
        path = f"/apis/apps/v1/namespaces/{self._pod.namespace}/deployments/{service}/scale"
        scale = self._api.get(path)
        replicas = int(scale["spec"].get("replicas", 0))
        if wanted(replicas) != replicas:
            metadata = {"resourceVersion": scale["metadata"]["resourceVersion"]}
            self._api.patch(path, {"metadata": metadata, "spec": {"replicas": wanted(replicas)}}, "merge-patch+json")
            say(f"{service}: {replicas} → {wanted(replicas)} pods")
