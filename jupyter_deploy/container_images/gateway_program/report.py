"""The report of a gateway's pod: a Lease of its name, which ends with the pod.

Its annotations hold the hashes in force by endpoint, the reasons of what is refused, and Envoy's statistics.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from .api import Api, ApiError
from .envoy import Json, call, say
from .pod import Pod

IN_FORCE = "nbdeploy.io/in-force"
REFUSED = "nbdeploy.io/refused"
IDLE = "nbdeploy.io/idle"
"""JSON list of the releases that got no request for the time after which they have no pod."""

STATISTICS = "nbdeploy.io/statistics"
"""JSON ``{"since": time of Envoy's start, "values": {name: value}}``, as of the Lease's renewal."""

_MOST_STATISTICS = 200_000  # of the 256 KiB that all annotations may have

_MANAGER = "nbdeploy-gateway"
_RENEW_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_LEASE_SECONDS = 40


def idle_by_all(leases: Iterable[Json]) -> set[str]:
    """The releases that every pod of the gateway reports as idle; a report that is not renewed counts against all."""
    reported = []
    for lease in leases:
        metadata, spec = lease["metadata"], lease["spec"]
        try:
            renewed = datetime.fromisoformat(spec["renewTime"])
            found = json.loads((metadata.get("annotations") or {})[IDLE])
        except (KeyError, ValueError, TypeError):
            return set()
        if datetime.now(UTC) - renewed > timedelta(seconds=_LEASE_SECONDS):
            return set()
        reported.append(set(found))
    return set.intersection(*reported) if reported else set()


class Report:
    """What the pod reports of itself.

    Parameters
    ----------
    statistics
        A regular expression for the names of the reported statistics.

    Attributes
    ----------
    noted
        The last fault, until the next look succeeds.
    """

    def __init__(self, api: Api, pod: Pod, statistics: str) -> None:
        self._api, self._pod, self._statistics = api, pod, statistics
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{pod.namespace}/leases/{pod.name}"
        self._sent: dict[str, str] = {}
        self._due = 0.0
        self._fault = ""
        self.noted = ""

    def note(self, text: str) -> None:
        """Log a fault, once while it lasts."""
        if text and text != self.noted:
            say(text)
        self.noted = text

    def send(self, in_force: Mapping[str, str], refused: Mapping[str, str], idle: Sequence[str] = ()) -> None:
        """Report what is in force: at once if it changed, and often enough that the report is not old."""
        annotations = {IN_FORCE: _text(in_force), REFUSED: _text(refused), IDLE: _text(idle)}
        now = time.monotonic()
        if now < self._due and (annotations == self._sent or self._fault):
            return
        lease = self._lease({**annotations, STATISTICS: self._read_statistics()})
        try:
            self._api.patch(f"{self._path}?fieldManager={_MANAGER}", lease, "apply-patch+yaml")
        except ApiError as error:
            self._due = now + _RETRY_SECONDS
            if str(error) != self._fault:
                say(f"the Lease cannot be written: {error}")
            self._fault = str(error)
        else:
            self._due, self._sent, self._fault = now + _RENEW_SECONDS, annotations, ""

    def withdraw(self) -> None:
        """Remove the report of a pod that has ended."""
        with suppress(ApiError):
            self._api.delete(self._path)

    def _read_statistics(self) -> str:
        uptime = _values(call(self._pod.admin, "GET", "/stats?filter=^server.uptime$")[1]).get("server.uptime", "0")
        query = urlencode({"filter": self._statistics})
        values = _values(call(self._pod.admin, "GET", f"/stats?usedonly&{query}")[1])
        since = datetime.now(UTC) - timedelta(seconds=int(uptime))
        text = json.dumps({"since": since.isoformat(timespec="seconds"), "values": values}, separators=(",", ":"))
        return text if len(text) <= _MOST_STATISTICS else "{}"

    def _lease(self, annotations: dict[str, str]) -> Json:
        labels = {"app.kubernetes.io/managed-by": "nbdeploy", "app.kubernetes.io/component": "gateway-state"}
        owner = {"apiVersion": "v1", "kind": "Pod", "name": self._pod.name, "uid": self._pod.uid}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._pod.name,
                "namespace": self._pod.namespace,
                "labels": labels,
                "annotations": annotations,
                **({"ownerReferences": [owner]} if self._pod.uid else {}),
            },
            "spec": {
                "holderIdentity": self._pod.name,
                "leaseDurationSeconds": _LEASE_SECONDS,
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }


def _values(text: str) -> dict[str, str]:
    return {
        name: value.strip('"') for name, found, value in (line.partition(": ") for line in text.splitlines()) if found
    }


def _text(found: Mapping[str, str] | Sequence[str]) -> str:
    return json.dumps(found, sort_keys=True, separators=(",", ":"))
