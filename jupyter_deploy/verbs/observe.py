"""Looking: list, describe, history, logs, compare, predict. Nothing here changes an endpoint."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, StoreError, TargetError
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.inference import Comparison, Record
from jupyter_deploy.domain.gates.figures import evaluate, parse_requirement
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.release.status import EndpointStatus, ReleaseStatus
from jupyter_deploy.domain.requests import (
    CompareRequest,
    DescribeRequest,
    HistoryRequest,
    ListRequest,
    LogsRequest,
    PredictRequest,
    Step,
)
from jupyter_deploy.domain.results import Prediction

from .change import find, moment, target_of


def list_(request: ListRequest, ports: Ports, report: Report) -> list[EndpointStatus]:  # noqa: ARG001 - one shape
    """All endpoints, by name."""
    endpoints = ports.store.endpoints()
    seen: dict[str, Observation] = {}
    for target in dict.fromkeys(endpoint.target for endpoint in endpoints):
        seen |= target_of(ports, target).observe_all([e for e in endpoints if e.target == target])
    return [status_of(endpoint, seen[endpoint.name], ports) for endpoint in endpoints]


def describe(request: DescribeRequest, ports: Ports, report: Report) -> EndpointStatus:  # noqa: ARG001 - one shape
    """One endpoint as it is wanted and as it is found."""
    endpoint = find(ports, request.name)
    status = status_of(endpoint, target_of(ports, endpoint.target).observe(endpoint), ports)
    return status.model_copy(update={"removed_records": ports.log.removed(status.name)})


def history(request: HistoryRequest, ports: Ports, report: Report) -> list[Revision]:  # noqa: ARG001 - one shape
    """The endpoint's revisions, newest first."""
    revisions = ports.store.history(find(ports, request.name).name)
    states = (
        r.state.validating(tuple(spec.told for spec in r.state.validations), r.state.validations_from)
        for r in revisions
    )
    return [r.model_copy(update={"state": state}) for r, state in zip(revisions, states, strict=True)]


def logs(request: LogsRequest, ports: Ports, report: Report) -> Iterable[Record]:  # noqa: ARG001 - one shape
    """Records, oldest first; with ``follow`` an iterator that goes on with new ones."""
    endpoint = find(ports, request.name)
    wanted: dict[str, Any] = {"role": request.role, "status": request.status, "request_ids": request.request_id}
    past: list[Record] = []
    if not request.follow or request.since or request.limit:
        since = moment(request.since)
        past = ports.log.records(endpoint.name, since=since, limit=request.limit, **wanted)
    if not request.follow:
        return past
    return itertools.chain(past, ports.log.follow(endpoint.name, **wanted))


def compare(request: CompareRequest, ports: Ports, report: Report) -> Comparison:
    """A candidate against stable, and what is required of it."""
    endpoint = find(ports, request.name)
    candidate = endpoint.candidate(request.candidate)
    report(Step(number=1, total=1, title=f"comparing {candidate} with {endpoint.traffic.stable}"))
    comparison = compared(endpoint, candidate, ports, request)
    outcomes = [evaluate(parse_requirement(expression), comparison) for expression in request.require]
    return comparison.model_copy(update={"requirements": outcomes})


def compared(endpoint: Endpoint, candidate: str, ports: Ports, request: CompareRequest) -> Comparison:
    """The comparison alone; the endpoint's state may be an earlier one.

    Raises
    ------
    StoreError
        The snapshot of the stable release is not known any more.
    """
    snapshot = ports.store.remembered(endpoint.traffic.stable)
    if snapshot is None:
        raise StoreError(f"the store has lost the snapshot {endpoint.traffic.stable}", "deploy the model again")
    seen = target_of(ports, endpoint.target).observe(endpoint)
    signature = snapshot.manifest.signature
    return ports.log.compare(
        endpoint,
        candidate,
        since=moment(request.since),
        overflowed=seen.overflowed.get(candidate, 0),
        rule=Rule.of(signature.answer_dtype, request.tolerance, request.absolute_tolerance),
    )


def predict(request: PredictRequest, ports: Ports, report: Report) -> Prediction:  # noqa: ARG001 - one shape
    """Ask the endpoint through its gateway."""
    endpoint = find(ports, request.name)
    url = address(endpoint, ports)
    if request.data is None:
        snapshot = ports.store.remembered(endpoint.traffic.stable)
        body: Any = {"instances": snapshot.manifest.instances if snapshot else []}
    else:
        body = _body(request.data)
    status, headers, answer = ports.client.post(f"{url}/predict", body)
    return Prediction(
        endpoint=endpoint.name,
        status=status,
        release=headers.get("x-model-version"),
        request_id=headers.get("x-request-id"),
        body=answer,
    )


def address(endpoint: Endpoint, ports: Ports) -> str:
    """Where the endpoint can be asked.

    Raises
    ------
    InvalidInput
        It is stopped.
    TargetError
        Its gateway does not run.
    """
    if not endpoint.running:
        raise InvalidInput(f"{endpoint.name} is stopped", f"'nbdeploy rollback {endpoint.name}' brings it back")
    seen = target_of(ports, endpoint.target).observe(endpoint)
    if not seen.gateway:  # whoever listens at its address then is somebody else, to whom data and token are not given
        raise TargetError(f"the gateway of {endpoint.name} does not run", "'nbdeploy reconcile' starts what should run")
    return seen.url


def _body(data: Any) -> Any:
    """A request body: a document with instances as it is, anything else as the instances."""
    given = _parsed(data) if isinstance(data, str) else data
    return given if isinstance(given, dict) else {"instances": given}


def _parsed(data: str) -> Any:
    text = data
    if data.startswith("@"):
        try:
            text = Path(data[1:]).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"cannot read {data[1:]}: {error}", "name a readable JSON file after the @") from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"the data is not JSON: {error}", """write, for example, --data '{"instances": [[1, 2]]}' or --data @FILE"""
        ) from error


def status_of(endpoint: Endpoint, seen: Observation, ports: Ports) -> EndpointStatus:
    """An endpoint as it is wanted and as a target saw it."""
    wanted = {r.tag for r in endpoint.wanted(ports.keep_revisions)}
    nothing = ReleaseHealth(running=False, healthy=False, detail="not running")
    releases = []
    for release in endpoint.releases:
        role = endpoint.traffic.role_of(release.tag)
        if role == "idle" and release.tag not in wanted:
            continue
        health = seen.releases.get(release.tag, nothing)
        releases.append(
            ReleaseStatus(
                tag=release.tag,
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
                counts=seen.counts.get(release.tag),
                findings=release.findings,
                validation=release.validation,
                redact=release.redact,
                image=release.image,
                created_at=release.created_at,
            )
        )
    order = {"stable": 0, "canary": 1, "shadow": 2, "idle": 3}
    releases.sort(key=lambda r: (order[r.role], r.created_at))
    return EndpointStatus(
        name=endpoint.name,
        url=seen.url,
        public_url=ports.client.public(seen.url),
        revision=endpoint.revision,
        running=endpoint.running,
        gateway=seen.gateway,
        traffic=endpoint.traffic,
        record=endpoint.record,
        record_sample=endpoint.record_sample,
        validations=tuple(spec.told for spec in endpoint.validations),
        releases=releases,
    )
