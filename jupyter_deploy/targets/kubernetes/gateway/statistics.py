"""The counters of releases, summed over the pods of the gateway, from their Leases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from jupyter_deploy.container_images.gateway_program.report import STATISTICS
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.status import Counts
from jupyter_deploy.targets.envoy import counters
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.api import Api


class PodStatistics(NamedTuple):
    """What one pod counted since its Envoy started; at most ten seconds old."""

    since: datetime
    values: dict[str, str]


def read_statistics(api: Api) -> list[PodStatistics]:
    """The statistics of all pods of the gateway; a report that cannot be read is left out."""
    found = []
    for lease in api.list_("Lease", names.selector("gateway-state")):
        text = (lease["metadata"].get("annotations") or {}).get(STATISTICS, "")
        try:
            report = json.loads(text)
            found.append(PodStatistics(datetime.fromisoformat(report["since"]), dict(report["values"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def summed_counts(endpoint: Endpoint, pods: Sequence[PodStatistics]) -> dict[str, Counts]:
    """The counters of each release that has traffic; the median is that of the pod with the most requests."""
    by_tag: dict[str, list[Counts]] = {}
    for pod in pods:
        for tag, counted in counters.counts(endpoint, pod.values, pod.since).items():
            by_tag.setdefault(tag, []).append(counted)
    return {
        tag: Counts(
            requests=sum(one.requests for one in counted),
            errors=sum(one.errors for one in counted),
            refused=sum(one.refused for one in counted),
            p50_ms=max(counted, key=lambda one: one.requests).p50_ms,
            since=min((one.since for one in counted if one.since), default=None),
        )
        for tag, counted in by_tag.items()
    }


def summed_overflowed(endpoint: Endpoint, pods: Sequence[PodStatistics]) -> dict[str, int]:
    """By shadow, the mirrored requests that the pods dropped."""
    dropped = [counters.overflowed(endpoint, pod.values) for pod in pods]
    return {tag: sum(one[tag] for one in dropped) for tag in endpoint.traffic.shadows}
