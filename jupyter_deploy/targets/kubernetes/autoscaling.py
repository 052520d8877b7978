"""The number of a release's pods: fixed, or a range in which an autoscaler chooses. Pure.

::

    replicas=3      Deployment's scale 3, set by nbdeploy
    replicas=2-20   an autoscaler: KEDA by the requests that wait, else a HorizontalPodAutoscaler by processor time
    replicas=0-20   the same autoscaler from 1 on; the gateway's agents choose between none and one (``scaling``)

``spec.replicas`` is no field of the Deployment that nbdeploy applies: it would take the number from the autoscaler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_deploy.domain.base import duration_in_words
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.resources import Resources

from .settings import ClusterSettings

Json = dict[str, Any]

KINDS = ("ScaledObject", "HorizontalPodAutoscaler")

_USE = 0.7
"""The share of its processors that a pod shall use: the rest is for the time until the next pod is ready."""

_CPU_OF_WORKER = 0.5
"""Processors that a pod requests for each worker, if its release names none."""

_CALM_SECONDS = 300
"""Pods go when none was needed for so long."""

_WAITING = 2
"""Requests that may wait in each pod."""


def bounds(release: Release, settings: ClusterSettings) -> tuple[int, int]:
    """The least and the greatest number of a release's pods."""
    return release.resources.pods(settings.replicas)


def is_scaled(release: Release, settings: ClusterSettings) -> bool:
    """Whether an autoscaler chooses the number of pods."""
    least, most = bounds(release, settings)
    return most > max(1, least)


def requested_cpu(resources: Resources) -> float:
    """The processors that each pod of a release with an autoscaler requests."""
    return resources.cpu or _CPU_OF_WORKER * resources.processes


def kind_of(release: Release, settings: ClusterSettings, versions: Mapping[str, str]) -> str:
    """The kind of a release's autoscaler; empty: it has none. ``versions``: see ``releases.release_objects``."""
    if not is_scaled(release, settings):
        return ""
    # With KEDA there would be a pod again as soon as there is none.
    if versions.get("ScaledObject") and settings.prometheus and bounds(release, settings)[0] > 0:
        return "ScaledObject"
    return "HorizontalPodAutoscaler" if versions.get("HorizontalPodAutoscaler") else ""


def autoscaler(release: Release, settings: ClusterSettings, metadata: Json, versions: Mapping[str, str]) -> Json | None:
    """The autoscaler's object; None: it has none. ``versions``: see ``releases.release_objects``."""
    kind = kind_of(release, settings, versions)
    if not kind:
        return None
    least, most = bounds(release, settings)
    name = metadata["name"]
    if kind == "ScaledObject":
        query = f'sum(nbdeploy_requests_waiting{{namespace="{settings.namespace}",pod=~"{name}-.*"}})'
        trigger = {"serverAddress": settings.prometheus, "query": query, "threshold": str(_WAITING)}
        spec: Json = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicaCount": least,
            "maxReplicaCount": most,
            "triggers": [{"type": "prometheus", "metadata": trigger}],
        }
        return {"apiVersion": versions[kind], "kind": kind, "metadata": metadata, "spec": spec}
    # An absolute value: a share would need a request of each container, also of those that an overlay adds.
    use = {"type": "AverageValue", "averageValue": f"{round(requested_cpu(release.resources) * _USE * 1000)}m"}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": max(1, least),
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": use}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": _CALM_SECONDS}},
    }
    return {"apiVersion": versions[kind], "kind": kind, "metadata": metadata, "spec": spec}


def in_words(release: Release, settings: ClusterSettings, versions: Mapping[str, str]) -> tuple[str, ...]:
    """How the number of pods is chosen, one line each."""
    least, most = bounds(release, settings)
    kind = kind_of(release, settings, versions)
    lines = []
    if kind == "ScaledObject":
        lines.append(f"{least}-{most} replicas, by the requests that wait: KEDA adds a pod from {_WAITING} in each on")
    elif kind:
        cpu = requested_cpu(release.resources)
        lines.append(
            f"{max(1, least)}-{most} replicas, by processor time: {_USE:.0%} of the {cpu:g} that each pod requests"
        )
    elif is_scaled(release, settings):
        lines.append(f"no autoscaler in this cluster: the number of replicas ({least}-{most}) stays as it is set")
    elif most > 1:
        lines.append(f"{most} replicas")
    if least == 0:
        words = duration_in_words(release.resources.idle_seconds)
        lines.append(f"stops when idle for {words}, and starts on a request")
    return tuple(lines)


def scaled_to(release: Release, settings: ClusterSettings, replicas: int) -> int:
    """The number of pods with which a release starts; ``replicas``: its present number."""
    least, most = bounds(release, settings)
    return min(max(replicas, least, 1), most)
