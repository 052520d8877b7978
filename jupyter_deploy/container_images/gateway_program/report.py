"""The report of a gateway's pod: a Lease of its name, which ends with the pod.

Its annotations hold the hashes in force by endpoint, and the reasons of what is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from .api import Api, ApiError
from .envoy import Json, say
from .pod import Pod

IN_FORCE = "nbdeploy.io/in-force"
REFUSED = "nbdeploy.io/refused"

_MANAGER = "nbdeploy-gateway"
_RENEW_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_LEASE_SECONDS = 40


class Report:
    """What the pod reports of itself.

    Attributes
    ----------
    noted
        The last fault, until the next look succeeds.
    """

    def __init__(self, api: Api, pod: Pod) -> None:
        self._api, self._pod = api, pod
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

    def send(self, in_force: Mapping[str, str], refused: Mapping[str, str]) -> None:
        """Report what is in force: at once if it changed, and often enough that the report is not old."""
        annotations = {IN_FORCE: _text(in_force), REFUSED: _text(refused)}
        now = time.monotonic()
        if now < self._due and (annotations == self._sent or self._fault):
            return
        try:
            self._api.patch(f"{self._path}?fieldManager={_MANAGER}", self._lease(annotations), "apply-patch+yaml")
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


def _text(found: Mapping[str, str]) -> str:
    return json.dumps(found, sort_keys=True, separators=(",", ":"))
