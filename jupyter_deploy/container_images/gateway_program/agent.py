"""The agent of a gateway's pod: it puts what the API of Kubernetes holds into force in the pod's Envoy, and reports.

::

    ConfigMaps of endpoints ──watch──┐
    EndpointSlices ─────────watch──▶ agent ──▶ documents in memory ──▶ Envoy
                                       ├─────▶ a Lease of the pod: the hashes in force, and what is refused
                                       └─────▶ scale of releases that no request needs, or the first one (``scaling``)

An endpoint that cannot come into force keeps its former routes, and stops no other one. Without the API, Envoy keeps
what it has, and the pod stays ready.
"""

from __future__ import annotations

import signal
import threading
import time

from . import documents
from .api import Api, ApiError, Watched
from .documents import Invalid, Part, Secrets
from .envoy import Json, call
from .ledger import bound_ledger
from .pod import Pod
from .probes import serve_probes
from .report import Report
from .routes import EnvoyAway, Routes
from .scaling import Scaling

ENDPOINTS = "app.kubernetes.io/managed-by=nbdeploy,app.kubernetes.io/component=endpoint"
"""The labels of endpoints' ConfigMaps."""

LEASES = "app.kubernetes.io/managed-by=nbdeploy,app.kubernetes.io/component=gateway-state"
"""The labels of the Leases of the gateway's pods."""

_LOOK_SECONDS = 1.0


def run(environment: dict[str, str]) -> int:
    """Run until SIGTERM has arrived and Envoy has ended; return 0."""
    return _Agent(Pod.of(environment)).run()


class _Agent:
    """The routes in force, and the threads that follow those that are wanted."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._api = Api(pod)
        self._woken, self._ending = threading.Event(), threading.Event()
        path = f"/api/v1/namespaces/{pod.namespace}/configmaps"
        self._config_maps = Watched(self._api, path, ENDPOINTS, self._woken.set)
        self._addresses: Watched | None = None
        self._routes = Routes(pod)
        self._report = Report(self._api, pod, self._routes.frame["statistics"])
        self._scaling = Scaling(self._api, pod, self._routes.frame["start_seconds"], self._woken.set)
        self._leases: Watched | None = None

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ending.set())
        serve_probes(self._pod.port, self._not_ready)
        self._config_maps.start()
        threading.Thread(target=self._watch_addresses, name="addresses", daemon=True).start()
        while not (self._ending.is_set() and self._envoy_state()[0] == 0):
            self._woken.wait(_LOOK_SECONDS)
            self._woken.clear()
            try:
                if self._pod.ledger_bytes:
                    bound_ledger(self._pod.ledger, self._pod.ledger_bytes, self._pod.admin)
                self._look()
            except (Invalid, EnvoyAway) as error:
                self._report.note(str(error))
            except Exception as error:  # noqa: BLE001 - whatever an object holds, the agent goes on
                words = f"{type(error).__name__}: {error}"
                self._report.note(f"the routes cannot be looked at: {self._routes.secrets.masked(words)}")
        self._report.withdraw()
        return 0

    def _envoy_state(self) -> tuple[int, str]:
        return call(self._pod.admin, "GET", "/ready")

    def _not_ready(self) -> str:
        if self._ending.is_set():
            return "the pod is ending"
        if not self._routes.begun:
            return self._report.noted or "the endpoints were not read yet"
        status, text = self._envoy_state()
        return "" if status == 200 else f"Envoy is not ready: {text}"

    def _watch_addresses(self) -> None:
        """Begin to watch EndpointSlices in the version that the API has, else Endpoints."""
        while self._addresses is None:
            try:
                self._addresses = Watched(self._api, self._addresses_path(), "", self._woken.set)
                self._addresses.start()
            except Exception as error:  # noqa: BLE001 - without this thread no release would be found
                self._report.note(str(error) or type(error).__name__)
                time.sleep(_LOOK_SECONDS)

    def _addresses_path(self) -> str:
        for version in ("v1", "v1beta1"):
            try:
                found = self._api.get(f"/apis/discovery.k8s.io/{version}")
            except ApiError as error:
                if error.status != 404:
                    raise
                continue
            if any(one["name"] == "endpointslices" for one in found.get("resources") or ()):
                return f"/apis/discovery.k8s.io/{version}/namespaces/{self._pod.namespace}/endpointslices"
        return f"/api/v1/namespaces/{self._pod.namespace}/endpoints"

    def _look(self) -> None:
        """Make Envoy equal to the API, and report."""
        if not (self._config_maps.synced and self._addresses and self._addresses.synced):
            return
        secrets = Secrets.read(self._pod.secret)
        wanted, refused = self._wanted(secrets)
        pods = documents.pods_of(self._addresses.objects().values())
        self._routes.write_addresses(wanted, self._scaling.placed(wanted.values(), pods))
        idle = self._scaling.follow(self._leases_of_all() if any(part.idle for part in wanted.values()) else ())
        refused |= self._routes.put(wanted, secrets)
        self._report.note("")
        self._report.send({name: part.digest for name, part in self._routes.parts.items()}, refused, idle)

    def _leases_of_all(self) -> list[Json]:
        """The Leases of all pods of the gateway, watched since the first endpoint has a release that becomes idle."""
        if self._leases is None:
            path = f"/apis/coordination.k8s.io/v1/namespaces/{self._pod.namespace}/leases"
            self._leases = Watched(self._api, path, LEASES, self._woken.set)
            self._leases.start()
        return list(self._leases.objects().values())

    def _wanted(self, secrets: Secrets) -> tuple[dict[str, Part], dict[str, str]]:
        """The parts that the API holds, and the reasons against ConfigMaps that hold none, both by endpoint.

        An endpoint with such a ConfigMap keeps what it has.
        """
        wanted: dict[str, Part] = {}
        refused: dict[str, str] = {}
        for name, config_map in sorted(self._config_maps.objects().items()):
            endpoint, digest = documents.digest_of(config_map)
            present = self._routes.parts.get(endpoint)
            if endpoint in wanted:
                refused[endpoint] = f"ConfigMap {name}: another one has this endpoint, too"
                continue
            try:
                known = present if present and present.digest == digest and secrets == self._routes.secrets else None
                part = known or documents.part_of(config_map, secrets)
            except Invalid as error:
                refused[endpoint or name] = f"ConfigMap {name}: {error}"
                part = present
            if part is not None:
                wanted[endpoint] = part
        return wanted, refused
