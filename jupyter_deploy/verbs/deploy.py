"""Deploys a model: from a notebook, a stored snapshot or an image to a release of an endpoint, step by step."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot, checked_name
from jupyter_deploy.domain.capture.findings import require_waivable
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import Conflict, InvalidInput, InvalidName, InvalidTraffic
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.change_words import difference_in_words, validations_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.labels import checked_label
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.results import Deployment
from jupyter_deploy.domain.validation.validated import Validated

from .build import build
from .capture import as_tag, capture, is_notebook
from .change import change, keep, require_signature, target_of
from .deploy_plan import Plan, plan_deploy, plan_deploy_gates, resources_for
from .gates.endpoint_gates import GateSource, require_readable
from .gates.enforce_gates import enforce, in_words, keep_forced, require_reason
from .images.deployed_image import publish_image, require_destination
from .images.from_image import ImageSource, find_image, require_image, require_replaceable
from .monitoring.training import training_of
from .release_checks import release_check
from .release_secrets import references_for, require_readable_by_schedule
from .sources import count_steps, take_snapshot
from .steps import Steps

CURL_LIMIT = 500  # characters that are comfortable to paste; one instance is shown in any case


def deploy(
    request: DeployRequest,
    ports: Ports,
    report: Report,
    live: Live | None = None,
    gates: GateSource | None = None,
) -> Deployment:
    """Take a snapshot of the source, validate it, build its bento, start the release and route requests to it.

    Parameters
    ----------
    live
        The object in the running kernel; None: ``request.source`` names a notebook or a snapshot.
    gates
        The endpoint's validations from then on; None: those of the request, of ``nbdeploy.yaml`` or of the endpoint.
    """
    require_image(request, live)
    image = find_image(request, ports, report) if request.image else None
    request = image.request if image else request
    start = _preflight(request, ports, live, image, gates)
    progress = Steps(report, total=start.steps)
    before = start.before

    stored = None if live or is_notebook(request.source or "") else as_tag(request.source or "")
    with nullcontext() if image else ports.builder.prepared(stored):
        snapshot = take_snapshot(request, start.name, before, ports, progress, live=live, image=image)
        plan = plan_deploy(request, start.name, before, snapshot, ports, gates=gates)
        if before is not None and plan.is_in_force:
            return _kept(plan, before, ports)
        _require_signature(plan, ports)
        validated = enforce(plan.check, ports, report, lambda: progress(f"validating {snapshot.tag}"))
        bento = None
        if plan.needs_image(ports):
            request = publish_image(plan, ports, progress)
            plan = plan_deploy(request, start.name, before, snapshot, ports, gates=gates)
        elif plan.release.image is None:
            progress("building the bento")
            bento = build(snapshot, ports)
    current = ports.store.endpoint(start.name)
    if current != before:  # another process changed the endpoint meanwhile
        moved = plan_deploy(request, start.name, current, snapshot, ports, gates=gates)
        if not moved.checks_as(plan):
            validated = enforce(moved.check, ports, report, lambda: progress(f"validating {snapshot.tag} again", False))
        plan = moved
        _require_signature(plan, ports)
    return _release(plan, bento, validated, ports, progress)


def capture_live(request: DeployRequest, ports: Ports, report: Report, live: Live) -> Snapshot:
    """Take the snapshot of a deploy in the notebook's kernel; another process continues from the snapshot's tag.

    A request that cannot succeed is refused here already, before slow work.
    """
    require_image(request, live)
    start = _preflight(request, ports, live)
    progress, check = Steps(report, total=start.steps), release_check(start.before, request, ports)
    return capture(live, start.name, request, ports, progress, check=check)


@dataclass(frozen=True)
class _Start:
    """The start of a deploy: the endpoint at its present revision (None: there is none yet), and the steps to come."""

    name: str
    before: Endpoint | None
    steps: int


def _preflight(
    request: DeployRequest,
    ports: Ports,
    live: Live | None,
    image: ImageSource | None = None,
    gates: GateSource | None = None,
) -> _Start:
    """Refuse a request that cannot succeed, before slow work."""
    name = _require_valid(request, ports, live)
    before = ports.store.endpoint(name)
    require_role(request, before)
    if image:
        require_replaceable(image, before)
    platform = image.image.platform if image else None
    target_of(ports, request.target).check(resources_for(request, before, ports), platform)
    require_destination(request, name, ports)
    references = references_for(request, before, ports)
    if before is not None and before.batch is not None and request.role == "stable":
        require_readable_by_schedule(name, "the new release", references)
    if live is None and not is_notebook(request.source or ""):  # a capture reads them first
        ports.secrets.values(references)
    _, planned = plan_deploy_gates(request, name, before, ports, gates)
    require_readable(planned, request, name)
    ports.store.check()
    ports.capturer.check()
    return _Start(name, before, count_steps(request, ports, live) + bool(planned.runs))


def _require_signature(plan: Plan, ports: Ports) -> None:
    if plan.before is not None:
        require_signature(ports, plan.before, plan.snapshot.tag, plan.snapshot.manifest.signature)


def _kept(plan: Plan, before: Endpoint, ports: Ports) -> Deployment:
    """Keep a release that is deployed already; after ``down`` or a reboot, what it needs is started again."""
    url = keep(ports, before)
    deployment = _deployment(ports, before, plan.snapshot.tag, url, plan.snapshot, changed=False, replaced=None)
    return deployment.model_copy(update={"passed_over": plan.gates.ignored_file})


def _release(plan: Plan, bento: Bento | None, validated: Validated | None, ports: Ports, progress: Steps) -> Deployment:
    """Add the release to its endpoint."""
    before, tag = plan.before, plan.release.tag
    after = plan.next_endpoint(bento, validated, ports.keep_revisions)
    choice = plan.release.choice if plan.request.choice else None
    progress(f"starting {tag} and testing it with the example")
    what = "; ".join((difference_in_words(before, after), *in_words(tag, validated)))
    url = change(ports, before, after, reason=plan.request.reason or (choice.words if choice else ""), what=what)
    training = training_of(tag, ports)
    if training is not None:
        ports.drift.prepare(after.release(tag), *training)
    keep_forced(after.name, validated, ports)
    gone = set(before.candidates()) - set(after.candidates()) - {after.traffic.stable} if before else set()
    replaced = next(iter(gone), None)
    deployment = _deployment(ports, after, tag, url, plan.snapshot, changed=True, replaced=replaced)
    validations = validations_in_words(before)
    return deployment.model_copy(
        update={
            "waiting": plan.check.waiting,
            "passed_over": plan.gates.ignored_file,
            "asked_before": validations if validations != validations_in_words(after) else "",
        }
    )


def _require_valid(request: DeployRequest, ports: Ports, live: Live | None) -> str:
    """Return the endpoint's name, or refuse a faulty request."""
    checked_label(request.label)
    if live is None and not request.source:
        raise InvalidInput("the deploy has no source", "name a variable, a notebook or a snapshot's tag")
    target_of(ports, request.target)
    require_share(request)
    if request.accepted_difference and request.engine == "native":
        raise InvalidInput(
            "--accepted-difference is of a translation, and the engine is native", "add --engine onnx, or --engine auto"
        )
    require_waivable(request.waive, request.reason)
    require_reason(request)
    if request.choice and (live or is_notebook(request.source or "")):
        raise InvalidInput("a choice is of a stored snapshot", "name the tag of a row of its table as the source")
    name = request.name
    if name is None and live is None and not is_notebook(request.source or ""):
        name = as_tag(request.source or "").partition(":")[0]
    if name is None:
        raise InvalidName("the endpoint needs a name", "add --name, such as --name churn")
    return checked_name(name)


def require_share(request: DeployRequest) -> None:
    """Raise InvalidTraffic if no release can have the requested share."""
    if request.percent is not None and not 0 < request.percent <= 100:
        raise InvalidTraffic(f"{request.percent:g} is not a share", "give a number above 0 and up to 100")
    if request.percent is not None and request.role == "stable":
        raise InvalidTraffic("stable has no percentage of its own", "leave out --percent; stable gets what is left")


def require_role(request: DeployRequest, before: Endpoint | None) -> None:
    """Raise InvalidInput or InvalidTraffic if a first release cannot have the role, Conflict for another target."""
    if before is None:
        if request.role in ("canary", "shadow"):
            raise InvalidInput(
                f"the first release of an endpoint is stable, and a {request.role} needs a stable release",
                "leave out --role for the first one",
            )
        if request.percent is not None:
            raise InvalidTraffic("the first release gets all requests", "leave out --percent")
    elif before.target != request.target:
        raise Conflict(f"{before.name} is on target {before.target}", "leave out --target, or choose another name")


def _deployment(
    ports: Ports, endpoint: Endpoint, tag: str, url: str, snapshot: Snapshot, *, changed: bool, replaced: str | None
) -> Deployment:
    target, pasted = target_of(ports, endpoint.target), {"instances": _pasteable(snapshot.manifest.instances)}
    return Deployment(
        endpoint=endpoint.name,
        url=url,
        public_url=ports.client.public(url),
        release=tag,
        role=endpoint.traffic.role_of(tag),
        percent=endpoint.traffic.percent_of(tag),
        snapshot=snapshot.tag,
        revision=endpoint.revision,
        changed=changed,
        replaced=replaced,
        captured=snapshot.manifest,
        changes=endpoint.release(tag).changes,
        validation=endpoint.release(tag).validation,
        validations=tuple(spec.without_secrets for spec in endpoint.validations),
        limits=target.limits(endpoint.release(tag)),
        image=endpoint.release(tag).image,
        redact=endpoint.release(tag).redact,
        secrets=endpoint.release(tag).secrets,
        curl=ports.client.command(f"{url}/predict", pasted, target.header_file),
    )


def _pasteable(instances: list[Any]) -> list[Any]:
    """Return as many instances of the example as are comfortable to paste."""
    shown = instances[:1]
    for instance in instances[1:]:
        if len(json.dumps([*shown, instance])) > CURL_LIMIT:
            break
        shown.append(instance)
    return shown
