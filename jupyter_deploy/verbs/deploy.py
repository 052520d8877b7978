"""From the model in a notebook to a release behind an endpoint: the main job, step by step."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot, checked_name
from jupyter_deploy.domain.capture.findings import has_new_findings, require_waivable
from jupyter_deploy.domain.errors import Conflict, InvalidInput, InvalidName, InvalidTraffic
from jupyter_deploy.domain.ports import Live, Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.results import Deployment
from jupyter_deploy.domain.validation.validated import Validated

from .build import build, release_of
from .capture import as_tag, capture, capture_in_notebook, is_notebook, isolate, judged, stored
from .change import asked_in_words, change, difference_in_words, keep, require_signature, target_of
from .difference import changes_since
from .endpoint_gates import GatePlan, GateSource, gate_source, plan_gates, require_readable
from .enforce_gates import GateCheck, check_at_deploy, enforce, in_words, keep_forced, require_reason
from .from_image import Imaged, bring, imaged, require_image
from .redaction import redacted
from .release_checks import check_beside
from .steps import Steps

CURL_LIMIT = 500  # characters that are comfortable to paste; one instance is shown in any case


def deploy(request: DeployRequest, ports: Ports, report: Report, live: Live | None = None) -> Deployment:
    """Capture (unless SOURCE is a snapshot), prove, validate, build, start, release.

    Parameters
    ----------
    live
        The object in the running kernel; None: ``request.source`` names a notebook or a snapshot.
    """
    require_image(request, live)
    found = imaged(request, ports, report) if request.image else None
    request = found.request if found else request
    checked = _possible(request, ports, live, found)
    name, before, gates = checked.name, checked.before, checked.gates
    progress = Steps(report, total=checked.steps)
    if found:
        bring(found, ports, progress)

    with nullcontext() if found else ports.builder.prepared():
        if found:
            snapshot = judged(found.snapshot, request)
        elif live is not None:
            snapshot = capture(live, name, request, ports, progress, check=check_beside(before, request, ports))
        elif is_notebook(request.source or ""):
            snapshot = capture_in_notebook(request, name, ports, progress)
        else:
            snapshot = judged(stored(as_tag(request.source or ""), trust=request.trust, ports=ports), request)
        if request.isolated:
            snapshot = isolate(snapshot, ports, progress)
        redact = redacted(request, before, snapshot, ports)

        check = gates.check(before, snapshot)
        resources = resources_for(request, before, ports)
        same = (redact, resources, request.image)
        if before is not None and _is_unchanged(request, before, snapshot, check, same):
            url = keep(ports, before)  # after 'down' or a reboot the cell that is run again brings all of it back
            deployed = _deployment(ports, before, snapshot.tag, url, snapshot, changed=False, replaced=None)
            return deployed.model_copy(update={"passed_over": gates.source(before).passed_over})
        if before is not None:
            require_signature(ports, before, snapshot)
        validated = enforce(check, ports, report, lambda: progress(f"validating {snapshot.tag}"))
        bento = _unbuilt(snapshot)
        if not found:
            progress("building the bento")
            bento = build(snapshot, ports)
    before = ports.store.endpoint(name)  # read again, since all this takes a while
    release = release_of(bento, snapshot, name, resources_for(request, before, ports), request.image)
    anew = gates.check(before, snapshot)
    # Another release is stable by now, or the endpoint asks for something else.
    if (anew.keys, anew.enforced.specs, anew.endpoint is None) != (
        check.keys,
        check.enforced.specs,
        check.endpoint is None,
    ):
        validated = enforce(anew, ports, report, lambda: progress(f"validating {snapshot.tag} again", False))
    return _release(request, ports, progress, snapshot, release, before=before, gates=gates, validated=validated)


def capture_live(request: DeployRequest, ports: Ports, report: Report, live: Live) -> Snapshot:
    """As much of a deploy as needs the notebook's kernel; another process goes on from the snapshot's tag.

    What can be said before slow work is said here already.
    """
    require_image(request, live)
    checked = _possible(request, ports, live)
    progress = Steps(report, total=checked.steps)
    return capture(live, checked.name, request, ports, progress, check=check_beside(checked.before, request, ports))


@dataclass(frozen=True)
class _Checked:
    """A request that can be right: the endpoint as it was then, what it is to be validated by, how many steps it is."""

    name: str
    before: Endpoint | None
    gates: _Gates
    steps: int


def _possible(request: DeployRequest, ports: Ports, live: Live | None, found: Imaged | None = None) -> _Checked:
    """All that can be refused before slow work is refused here."""
    name = _checked(request, ports, live)
    steps = 5 if live else 3 if is_notebook(request.source or "") else 2
    before = ports.store.endpoint(name)
    require_role(request, before)
    platform = found.image.platform if found else None
    target_of(ports, request.target).check(resources_for(request, before, ports), platform)
    gates = _Gates(request, name, ports)
    planned = gates.plan(before)
    require_readable(planned, request, name)
    ports.store.check()
    ports.capturer.check()
    return _Checked(name, before, gates, steps + 2 * request.isolated + bool(planned.runs))


@dataclass(frozen=True)
class _Gates:
    """The gates of a deploy: its own, else the endpoint's."""

    request: DeployRequest
    name: str
    ports: Ports

    def source(self, before: Endpoint | None) -> GateSource:
        return gate_source(self.request, self.name, before, self.ports)

    def plan(self, before: Endpoint | None) -> GatePlan:
        specs = self.source(before).specs
        return plan_gates(specs if specs is not None else before.validations if before else (), self.ports)

    def check(self, before: Endpoint | None, snapshot: Snapshot) -> GateCheck:
        # The release is complete but for the path of its bento.
        resources = resources_for(self.request, before, self.ports)
        release = release_of(_unbuilt(snapshot), snapshot, self.name, resources, self.request.image)
        after = _next(self.request, before, release)
        return check_at_deploy(
            self.request, self.plan(before), before, after, name=self.name, snapshot=snapshot, ports=self.ports
        )


def _release(
    request: DeployRequest,
    ports: Ports,
    progress: Steps,
    snapshot: Snapshot,
    release: Release,
    *,
    before: Endpoint | None,
    gates: _Gates,
    validated: Validated | None,
) -> Deployment:
    """Put the release behind its endpoint."""
    if before is not None:
        require_signature(ports, before, snapshot)
        known = next((r.validation for r in before.releases if r.tag == release.tag), None)
        changes = changes_since(before, snapshot, ports)
        release = release.model_copy(update={"changes": changes, "validation": known})
        release = _as_it_runs(release, before, ports)
    release = release.model_copy(update={"redact": redacted(request, before, snapshot, ports)})
    chosen, waiting = gates.source(before), gates.check(before, snapshot).waiting
    after = _next(request, before, release).validating(chosen.specs, chosen.file).validated(release.tag, validated)
    progress(f"starting {release.tag} and asking it the example")
    what = "; ".join((difference_in_words(before, after), *in_words(release.tag, validated)))
    url = change(ports, before, after, reason=request.reason, what=what)
    keep_forced(after.name, validated, ports)
    gone = set(before.candidates()) - set(after.candidates()) - {after.traffic.stable} if before else set()
    replaced = next(iter(gone), None)
    found = _deployment(ports, after, release.tag, url, snapshot, changed=True, replaced=replaced)
    asked = asked_in_words(before)
    told = {"waiting": waiting, "passed_over": chosen.passed_over}
    told |= {"asked_before": asked} if asked != asked_in_words(after) else {}
    return found.model_copy(update=told)


def _as_it_runs(release: Release, before: Endpoint, ports: Ports) -> Release:
    """With the bento that its processes run from, if it runs: a newer one is for who starts it the next time."""
    running = before.wanted(ports.keep_revisions)
    same = (release.tag, release.digest, release.image)
    known = next((one for one in running if (one.tag, one.digest, one.image) == same), release)
    return release.model_copy(update={"path": known.path})


def _unbuilt(snapshot: Snapshot) -> Bento:
    """The bento of a snapshot as far as it is known before it is built, and where none is needed."""
    return Bento(tag=snapshot.tag, snapshot_digest=snapshot.digest, path="")


def _next(request: DeployRequest, before: Endpoint | None, release: Release) -> Endpoint:
    if before is None:
        return Endpoint.first(release, request.target).recording(request.record, request.record_sample)
    role = before.traffic.role_of(release.tag)
    if role == "stable" and request.role not in ("auto", "stable"):
        raise InvalidTraffic(
            f"{release.tag} is stable: it gets what the canary leaves", "deploy or promote another release first"
        )
    if role != "idle" and request.role in ("auto", role) and request.percent is None:
        # The endpoint was stopped, the files were stored anew, something was waived, or another mode of recording is
        # wanted: the very same model is as old as it was.
        known = before.release(release.tag)
        if known.digest == release.digest:
            release = release.model_copy(update={"created_at": known.created_at})
        return before.with_renewed(release).recording(request.record, request.record_sample)
    after = before.with_release(release, role=request.role, percent=request.percent, keep=request.keep)
    return after.recording(request.record, request.record_sample)


def _checked(request: DeployRequest, ports: Ports, live: Live | None) -> str:
    """The endpoint's name, when the request can be right; raised before any slow work."""
    if live is None and not request.source:
        raise InvalidInput("what is to be deployed?", "name a variable, a notebook or a snapshot's tag")
    target_of(ports, request.target)
    require_share(request)
    require_waivable(request.waive, request.reason)
    require_reason(request)
    name = request.name
    if name is None and live is None and not is_notebook(request.source or ""):
        name = as_tag(request.source or "").partition(":")[0]
    if name is None:
        raise InvalidName("the endpoint needs a name", "add --name, such as --name churn")
    return checked_name(name)


def require_share(request: DeployRequest) -> None:
    """Raise InvalidTraffic for a share that no release can have."""
    if request.percent is not None and not 0 < request.percent <= 100:
        raise InvalidTraffic(f"{request.percent:g} is not a share", "give a number above 0 and up to 100")
    if request.percent is not None and request.role == "stable":
        raise InvalidTraffic("stable has no percentage of its own", "leave out --percent; stable gets what is left")


def resources_for(request: DeployRequest, before: Endpoint | None, ports: Ports) -> Resources:
    """What is asked for; of what is not, what the settings say, else what the endpoint's stable release has."""
    known = before.release(before.traffic.stable).resources if before else Resources()
    return known.overridden(ports.resources.explicit()).overridden(request.resources)


def require_role(request: DeployRequest, before: Endpoint | None) -> None:
    """Raise InvalidInput or InvalidTraffic for what a first release cannot have, Conflict for another target."""
    if before is None:
        if request.role in ("canary", "shadow"):
            raise InvalidInput(
                f"the first release of an endpoint is stable; there is none yet that a {request.role} could follow",
                "leave out --role for the first one",
            )
        if request.percent is not None:
            raise InvalidTraffic("the first release gets all requests", "leave out --percent")
    elif before.target != request.target:
        raise Conflict(f"{before.name} is on target {before.target}", "leave out --target, or choose another name")


def _is_unchanged(
    request: DeployRequest,
    before: Endpoint,
    snapshot: Snapshot,
    check: GateCheck,
    same: tuple[tuple[str, ...], Resources, str | None],
) -> bool:
    """Whether there is nothing to do."""
    if not before.running:
        return False
    role = before.traffic.role_of(snapshot.tag)
    same_role = request.role in ("auto", role)
    same_share = request.percent in (None, before.traffic.percent_of(snapshot.tag))
    same_share = same_share and before.recording(request.record, request.record_sample) == before
    if role == "idle" or not same_role or not same_share:
        return False
    release = before.release(snapshot.tag)
    if (release.digest, (release.redact, release.resources, release.image)) != (
        snapshot.digest,
        same,
    ) or has_new_findings(snapshot.manifest.findings, release.findings):
        return False
    return check.upcoming.specs == before.validations and (not check.planned or check.matches(release.validation))


def _deployment(
    ports: Ports, endpoint: Endpoint, tag: str, url: str, snapshot: Snapshot, *, changed: bool, replaced: str | None
) -> Deployment:
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
        validations=tuple(spec.told for spec in endpoint.validations),
        limits=target_of(ports, endpoint.target).limits(endpoint.release(tag)),
        image=endpoint.release(tag).image,
        redact=endpoint.release(tag).redact,
        curl=ports.client.command(f"{url}/predict", {"instances": _pasteable(snapshot.manifest.instances)}),
    )


def _pasteable(instances: list[Any]) -> list[Any]:
    """As many instances of the example as are comfortable to paste."""
    shown = instances[:1]
    for instance in instances[1:]:
        if len(json.dumps([*shown, instance])) > CURL_LIMIT:
            break
        shown.append(instance)
    return shown
