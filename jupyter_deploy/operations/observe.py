"""Looking: list, describe, history, logs, compare, predict. Nothing here changes an endpoint."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.agreement import Rule
from jupyter_deploy.domain.endpoint import Endpoint, EndpointStatus, ReleaseStatus, Revision
from jupyter_deploy.domain.errors import InvalidInput, StoreError, TargetError
from jupyter_deploy.domain.inference import Comparison, Record
from jupyter_deploy.domain.ports import Ports, ReleaseHealth, Report
from jupyter_deploy.domain.requests import (
    CompareRequest,
    DescribeRequest,
    HistoryRequest,
    ListRequest,
    LogsRequest,
    PredictRequest,
    Step,
)
from jupyter_deploy.domain.requirement import evaluate, parse_requirement
from jupyter_deploy.domain.results import Prediction

from .change import find, moment, target_of


def list_(request: ListRequest, ports: Ports, report: Report) -> list[EndpointStatus]:  # noqa: ARG001 - one shape
    """All endpoints, by name."""
    return [_status(ports, endpoint) for endpoint in ports.store.endpoints()]


def describe(request: DescribeRequest, ports: Ports, report: Report) -> EndpointStatus:  # noqa: ARG001 - one shape
    """One endpoint as it is wanted and as it is found."""
    status = _status(ports, find(ports, request.name))
    return status.model_copy(update={"removed_records": ports.log.removed(status.name)})


def history(request: HistoryRequest, ports: Ports, report: Report) -> list[Revision]:  # noqa: ARG001 - one shape
    """The endpoint's revisions, newest first."""
    return ports.store.history(find(ports, request.name).name)


def logs(request: LogsRequest, ports: Ports, report: Report) -> Iterable[Record]:  # noqa: ARG001 - one shape
    """Records, oldest first; with ``follow`` an iterator that goes on with new ones."""
    endpoint = find(ports, request.name)
    wanted: dict[str, Any] = {"role": request.role, "status": request.status}
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
    snapshot = ports.store.remembered(endpoint.traffic.stable)
    if snapshot is None:
        raise StoreError(f"the store has lost the snapshot {endpoint.traffic.stable}", "deploy the model again")
    seen = target_of(ports, endpoint.target).observe(endpoint)
    signature = snapshot.manifest.signature
    comparison = ports.log.compare(
        endpoint,
        candidate,
        since=moment(request.since),
        overflowed=seen.overflowed.get(candidate, 0),
        rule=Rule.of(signature.answer_dtype, request.tolerance, request.absolute_tolerance),
    )
    outcomes = [evaluate(parse_requirement(expression), comparison) for expression in request.require]
    return comparison.model_copy(update={"requirements": outcomes})


def predict(request: PredictRequest, ports: Ports, report: Report) -> Prediction:  # noqa: ARG001 - one shape
    """Ask the endpoint through its gateway."""
    endpoint = find(ports, request.name)
    if not endpoint.running:
        raise InvalidInput(f"{endpoint.name} is stopped", f"'nbdeploy rollback {endpoint.name}' brings it back")
    seen = target_of(ports, endpoint.target).observe(endpoint)
    if not seen.gateway:  # whoever listens at its address then is somebody else, to whom data and token are not given
        raise TargetError(f"the gateway of {endpoint.name} does not run", "'nbdeploy reconcile' starts what should run")
    if request.data is None:
        snapshot = ports.store.remembered(endpoint.traffic.stable)
        body: Any = {"instances": snapshot.manifest.instances if snapshot else []}
    else:
        body = _body(request.data)
    status, headers, answer = ports.client.post(f"{seen.url}/predict", body)
    return Prediction(
        endpoint=endpoint.name,
        status=status,
        release=headers.get("x-model-version"),
        request_id=headers.get("x-request-id"),
        body=answer,
    )


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


def _status(ports: Ports, endpoint: Endpoint) -> EndpointStatus:
    seen = target_of(ports, endpoint.target).observe(endpoint)
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
                counts=seen.counts.get(release.tag),
                findings=release.findings,
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
        releases=releases,
    )
