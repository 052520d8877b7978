"""The state of endpoints in the cluster: their Deployments, pods, gateway and counters, by a handful of lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.release.processes import IDLE
from jupyter_deploy.domain.release.resources import Resources

from . import batch_runs, names, pods, ramp_drivers
from .api import Api, Json
from .gateway.confirmation import read_reports
from .gateway.statistics import read_statistics, summed_counts, summed_overflowed


def observed(
    endpoints: Sequence[Endpoint],
    api: Api,
    base: str,
    routes: Mapping[str, str],
    limits: Callable[[Release], tuple[str, ...]],
) -> dict[str, Observation]:
    """The state of endpoints by name.

    Parameters
    ----------
    base
        The gateway's URL.
    routes
        The hash of the wanted routes, by endpoint.
    limits
        Returns ``Target.limits`` of a release that runs.

    Raises
    ------
    TargetError
        The API does not answer.
    """
    deployments = {one["metadata"]["name"]: one for one in api.list_("Deployment", names.SELECTOR)}
    by_release: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for pod in api.list_("Pod", names.selector("release")):
        by_release[names.identity(pod["metadata"]["labels"])].append(pod)
    gateway = gateway_is_up(deployments.get(names.GATEWAY))
    figures, reports = read_statistics(api), read_reports(api)
    undriven = _undriven(endpoints, api)
    batches = batch_runs.states(endpoints, api)
    return {
        endpoint.name: Observation(
            url=f"{base}/{endpoint.name}",
            gateway=gateway,
            releases={
                release.tag: _health(
                    deployments.get(names.release_name(endpoint.name, release.tag)),
                    by_release[names.identity(names.labels("release", endpoint.name, release.tag))],
                    release,
                    limits(release),
                )
                for release in endpoint.releases
            },
            overflowed=summed_overflowed(endpoint, figures),
            counts=summed_counts(endpoint, figures),
            gateways=reports.lacking(endpoint.name, routes[endpoint.name])
            if endpoint.running and endpoint.name in routes
            else "",
            undriven=undriven.get(endpoint.name, ""),
            batch=batches.get(endpoint.name),
        )
        for endpoint in endpoints
    }


def gateway_is_up(deployment: Json | None) -> bool:
    """Whether a pod of the gateway's Deployment is ready."""
    status = (deployment or {}).get("status", {})
    return bool(status.get("readyReplicas", 0) > 0)


def limits_of(resources: Resources, *, scaled: bool) -> tuple[str, ...]:
    """How a release's processors, memory and GPUs are limited, one line each; ``scaled``: by an autoscaler."""
    lines = []
    if resources.cpu and not scaled:
        lines.append(f"cpu {resources.cpu:g}: request and limit of each pod")
    if resources.memory:
        lines.append(f"memory {size_in_words(resources.memory)}: request and limit of each pod")
    if resources.gpu not in (None, "none"):
        lines.append(f"gpu: {len(str(resources.gpu).split(','))} of each pod's node")
    return tuple(lines)


def _undriven(endpoints: Sequence[Endpoint], api: Api) -> dict[str, str]:
    """By name of an endpoint with a ramp in progress, why nothing drives it."""
    ramping = [one for one in endpoints if one.running and one.ramp is not None and not one.ramp.ended]
    if not ramping:
        return {}
    jobs, found = (api.list_(kind, names.selector("ramp")) for kind in (ramp_drivers.KIND, "Pod"))
    return {endpoint.name: ramp_drivers.undriven(endpoint, jobs, found) for endpoint in ramping}


def _health(deployment: Json | None, found: Sequence[Json], release: Release, limits: tuple[str, ...]) -> ReleaseHealth:
    if deployment is None:
        return ReleaseHealth(running=False, healthy=False, detail="not running")
    wanted = deployment["spec"].get("replicas", 1)
    if wanted == 0 and release.resources.idles:
        return ReleaseHealth(running=True, healthy=True, detail=IDLE, limits=limits)
    running = any(not pods.ending(pod) for pod in found)
    return ReleaseHealth(
        running=running,
        healthy=any(map(pods.ready, found)),
        detail=pods.in_words(found, wanted),
        limits=limits,
        pods=pods.count_in_words(found, wanted),
    )
