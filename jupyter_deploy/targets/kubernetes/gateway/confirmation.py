"""The confirmation of routes: every ready pod of the gateway reports the hash in its Lease."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.container_images.gateway_program.report import IN_FORCE, REFUSED
from jupyter_deploy.domain.errors import RouteNotConfirmed
from jupyter_deploy.targets.kubernetes import names, pods
from jupyter_deploy.targets.kubernetes.api import Api

Json = dict[str, Any]

_POLL_SECONDS = 0.05


def wait_in_force(api: Api, endpoint: str, digest: str, seconds: float) -> None:
    """Return when every ready pod of the gateway has an endpoint's routes with this hash in force.

    Raises
    ------
    RouteNotConfirmed
        A pod refuses them, or the time is over: the reason names the pods.
    """
    deadline = time.monotonic() + seconds
    while True:
        ready, reports, others = _state(api)
        missing = []
        for pod in ready:
            report = reports.get(pod)
            if (reason := _read(report, REFUSED).get(endpoint)) and _read(report, IN_FORCE).get(endpoint) != digest:
                raise RouteNotConfirmed(
                    f"the change is not in force, the gateway keeps the former routes of {endpoint}: pod {pod} says "
                    f"that {reason}",
                    "correct what it names",
                )
            if _read(report, IN_FORCE).get(endpoint) != digest:
                missing.append(pod)
        if ready and not missing:
            return
        if time.monotonic() > deadline:
            state = f"not by {', '.join(missing)}" if missing else f"no pod of the gateway is ready {others}".rstrip()
            raise RouteNotConfirmed(
                f"the change is not in force after {seconds:g} s: {state}",
                f"look at the gateway: kubectl --namespace {api.namespace} get pods "
                f"--selector {names.selector('gateway')}; more time: NBDEPLOY_KUBERNETES__CONFIRM_TIMEOUT",
            )
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class GatewayReports:
    """The ready pods of the gateway, and what all pods report: each pod's Lease by its name."""

    ready: tuple[str, ...]
    leases: Mapping[str, Json]

    def lacking(self, endpoint: str, digest: str) -> str:
        """``2 of 3 gateway pods have its routes in force``; empty: all ready ones have, or none is ready."""
        count = sum(_read(self.leases.get(pod), IN_FORCE).get(endpoint) == digest for pod in self.ready)
        if count == len(self.ready):
            return ""
        refused = (_read(self.leases.get(pod), REFUSED).get(endpoint) for pod in self.ready)
        why = next(filter(None, refused), "")
        return f"{count} of {len(self.ready)} gateway pods have its routes in force{f': {why}' if why else ''}"


def read_reports(api: Api) -> GatewayReports:
    """The pods' reports now."""
    ready, leases, _ = _state(api)
    return GatewayReports(tuple(ready), leases)


def _state(api: Api) -> tuple[list[str], dict[str, Json], str]:
    """The names of the ready pods, the Leases by pod, and in words why the other pods are not ready."""
    found = api.list_("Pod", names.selector("gateway"))
    leases = {str(one["metadata"]["name"]): one for one in api.list_("Lease", names.selector("gateway-state"))}
    ready = [str(pod["metadata"]["name"]) for pod in found if pods.ready(pod)]
    reasons = dict.fromkeys(reason for pod in found if (reason := pods.reason(pod)))
    return ready, leases, f"({'; '.join(reasons)})" if reasons else ""


def _read(lease: Json | None, name: str) -> dict[str, str]:
    try:
        found = json.loads(((lease or {}).get("metadata", {}).get("annotations") or {}).get(name) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
