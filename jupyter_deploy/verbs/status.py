"""The verbs ``list`` and ``describe``: the status of endpoints."""

from __future__ import annotations

from datetime import timedelta

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.batch.results import BatchStatus
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.ramp.state import RampState
from jupyter_deploy.domain.ramp.status import RampStatus, ramp_status
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.release.status import EndpointStatus, ReleaseStatus
from jupyter_deploy.domain.requests import DescribeRequest, ListRequest
from jupyter_deploy.domain.stream.status import StreamStatus

from .change import find, target_of

REFUSALS_OF = timedelta(hours=24)


def list_(request: ListRequest, ports: Ports, report: Report) -> list[EndpointStatus]:
    """List the status of all endpoints, by name."""
    endpoints = ports.store.endpoints()
    seen: dict[str, Observation] = {}
    for target in dict.fromkeys(endpoint.target for endpoint in endpoints):
        seen |= target_of(ports, target).observe_all([e for e in endpoints if e.target == target])
    return [status_of(endpoint, seen[endpoint.name], ports) for endpoint in endpoints]


def describe(request: DescribeRequest, ports: Ports, report: Report) -> EndpointStatus:
    """Return the status of one endpoint: its desired and its observed state."""
    endpoint = find(ports, request.name)
    status = status_of(endpoint, target_of(ports, endpoint.target).observe(endpoint), ports)
    try:
        refusals = tuple(ports.record_counts.refusals(status.name, since=now() - REFUSALS_OF))
    except StoreError:  # a damaged segment, which 'logs' and 'compare' name, must not hide the endpoint's state
        refusals = ()
    return status.model_copy(update={"removed_records": ports.record_counts.removed(status.name), "refusals": refusals})


def status_of_ramp(endpoint: Endpoint, state: RampState, ports: Ports, undriven: str = "") -> RampStatus:
    """Return the status of the endpoint's ramp; ``undriven``: why nothing drives it now."""
    look = None if state.ended else ports.store.ramp_look(endpoint.name)
    return ramp_status(endpoint.name, endpoint.revision, state, look, now(), undriven=undriven)


def status_of_stream(endpoint: Endpoint, seen: Observation) -> StreamStatus:
    """Return the status of the endpoint's stream."""
    return StreamStatus(
        endpoint=endpoint.name,
        revision=endpoint.revision,
        running=endpoint.running,
        spec=endpoint.stream,
        state=seen.stream,
    )


def status_of_batch(endpoint: Endpoint, seen: Observation) -> BatchStatus:
    """Return the status of the endpoint's batches by schedule."""
    return BatchStatus(
        endpoint=endpoint.name,
        revision=endpoint.revision,
        running=endpoint.running,
        spec=endpoint.batch,
        state=seen.batch,
    )


def status_of(endpoint: Endpoint, seen: Observation, ports: Ports) -> EndpointStatus:
    """Return the status of an endpoint, as the store has it and as its target observed it."""
    desired = {r.tag for r in endpoint.releases_to_run(ports.keep_revisions)}
    absent = ReleaseHealth(running=False, healthy=False, detail="not running")
    releases = []
    for release in endpoint.releases:
        role = endpoint.traffic.role_of(release.tag)
        if role == "idle" and release.tag not in desired:
            continue
        health = seen.releases.get(release.tag, absent)
        releases.append(
            ReleaseStatus(
                tag=release.tag,
                label=release.label,
                role=role,
                percent=endpoint.traffic.percent_of(release.tag),
                healthy=health.healthy,
                framework=release.framework,
                stochastic=release.stochastic,
                source=release.source,
                changes=release.changes,
                detail=health.detail,
                resources=release.resources,
                limits=health.limits,
                pods=health.pods,
                counts=seen.counts.get(release.tag),
                findings=release.findings,
                validation=release.validation,
                redact=release.redact,
                secrets=release.secrets,
                image=release.image,
                choice=release.choice,
                created_at=release.created_at,
            )
        )
    order = {"stable": 0, "canary": 1, "shadow": 2, "idle": 3}
    releases.sort(key=lambda r: (order[r.role], r.created_at))
    return EndpointStatus(
        name=endpoint.name,
        target=endpoint.target,
        url=seen.url,
        public_url=ports.client.public(seen.url),
        revision=endpoint.revision,
        running=endpoint.running,
        gateway=seen.gateway,
        gateways=seen.gateways,
        traffic=endpoint.traffic,
        record=endpoint.record,
        record_sample=endpoint.record_sample,
        comparison=endpoint.comparison,
        validations=tuple(spec.without_secrets for spec in endpoint.validations),
        ramp=status_of_ramp(endpoint, endpoint.ramp, ports, seen.undriven) if endpoint.ramp else None,
        stream=status_of_stream(endpoint, seen) if endpoint.stream else None,
        batch=status_of_batch(endpoint, seen) if endpoint.batch else None,
        releases=releases,
    )
