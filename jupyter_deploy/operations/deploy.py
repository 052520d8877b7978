"""From the model in a notebook to a release behind an endpoint: the main job, step by step."""

from __future__ import annotations

import json
from typing import Any

from jupyter_deploy.domain.artifacts import Snapshot, checked_name
from jupyter_deploy.domain.endpoint import Endpoint, Release
from jupyter_deploy.domain.errors import Conflict, InvalidInput, InvalidName, InvalidTraffic
from jupyter_deploy.domain.findings import is_news, require_waivable
from jupyter_deploy.domain.ports import Live, Ports, Report
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.results import Deployment

from .build import build, release_of
from .capture import as_tag, capture, capture_in_notebook, is_notebook, isolate, judged, stored
from .change import change, difference_in_words, keep, require_signature, target_of
from .checking import check_beside
from .difference import changes_since
from .steps import Steps

CURL_LIMIT = 500  # characters that are comfortable to paste; one instance is shown in any case


def deploy(request: DeployRequest, ports: Ports, report: Report, live: Live | None = None) -> Deployment:
    """Capture (unless SOURCE is a snapshot), prove, build, start, release.

    Parameters
    ----------
    live
        The object in the running kernel; None: ``request.source`` names a notebook or a snapshot.
    """
    name = _checked(request, ports, live)
    steps = 5 if live else 3 if is_notebook(request.source or "") else 2
    progress = Steps(report, total=steps + 2 * request.isolated)
    before = ports.store.endpoint(name)
    _check_role(request, before)
    ports.store.check()
    ports.capturer.check()

    with ports.builder.prepared():
        if live is not None:
            snapshot = capture(live, name, request, ports, progress, check=check_beside(before, ports))
        elif is_notebook(request.source or ""):
            snapshot = capture_in_notebook(request, name, ports, progress)
        else:
            snapshot = judged(stored(as_tag(request.source or ""), trust=request.trust, ports=ports), request)
        if request.isolated:
            snapshot = isolate(snapshot, ports, progress)

        unchanged = _unchanged(request, before, snapshot, ports)
        if unchanged is not None:
            return unchanged
        progress("building the bento")
        bento = build(snapshot, ports)
    release = release_of(bento, snapshot, name)
    return _release(request, ports, progress, snapshot, release)


def _release(request: DeployRequest, ports: Ports, progress: Steps, snapshot: Snapshot, release: Release) -> Deployment:
    """Put the release behind its endpoint; the endpoint is read again, since capture takes a while."""
    name = release.endpoint
    before = ports.store.endpoint(name)
    if before is not None:
        require_signature(ports, before, snapshot)
        release = release.model_copy(update={"changes": changes_since(before, snapshot, ports)})
    after = _next(request, before, release)
    progress(f"starting {release.tag} and asking it the example")
    url = change(ports, before, after, reason=request.reason, what=difference_in_words(before, after))
    gone = set(before.candidates()) - set(after.candidates()) - {after.traffic.stable} if before else set()
    replaced = next(iter(gone), None)
    return _deployment(ports, after, release.tag, url, snapshot, changed=True, replaced=replaced)


def _next(request: DeployRequest, before: Endpoint | None, release: Release) -> Endpoint:
    if before is None:
        return Endpoint.first(release, request.target, record=request.record or "full")
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
        return before.with_renewed(release).recording(request.record)
    after = before.with_release(release, role=request.role, percent=request.percent, keep=request.keep)
    return after.recording(request.record)


def _checked(request: DeployRequest, ports: Ports, live: Live | None) -> str:
    """The endpoint's name, when the request can be right; raised before any slow work."""
    if live is None and not request.source:
        raise InvalidInput("what is to be deployed?", "name a variable, a notebook or a snapshot's tag")
    target_of(ports, request.target).check()
    if request.percent is not None and not 0 < request.percent <= 100:
        raise InvalidTraffic(f"{request.percent:g} is not a share", "give a number above 0 and up to 100")
    if request.percent is not None and request.role == "stable":
        raise InvalidTraffic("stable has no percentage of its own", "leave out --percent; stable gets what is left")
    require_waivable(request.waive, request.reason)
    name = request.name
    if name is None and live is None and not is_notebook(request.source or ""):
        name = as_tag(request.source or "").partition(":")[0]
    if name is None:
        raise InvalidName("the endpoint needs a name", "add --name, such as --name churn")
    return checked_name(name)


def _check_role(request: DeployRequest, before: Endpoint | None) -> None:
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


def _unchanged(request: DeployRequest, before: Endpoint | None, snapshot: Snapshot, ports: Ports) -> Deployment | None:
    """The deployment as it stands, when there is nothing to do."""
    if before is None or not before.running:
        return None
    role = before.traffic.role_of(snapshot.tag)
    same_role = request.role in ("auto", role)
    same_share = request.percent in (None, before.traffic.percent_of(snapshot.tag))
    same_share = same_share and request.record in (None, before.record)
    if role == "idle" or not same_role or not same_share:
        return None
    release = before.release(snapshot.tag)
    if release.digest != snapshot.digest or is_news(snapshot.manifest.findings, release.findings):
        return None
    url = keep(ports, before)  # after 'down' or a reboot the cell that is run again brings the whole endpoint back
    return _deployment(ports, before, snapshot.tag, url, snapshot, changed=False, replaced=None)


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
