"""The verbs ``traffic``, ``promote`` and ``rollback``: pure transitions of an endpoint that are put in force."""

from __future__ import annotations

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.deletion import DeleteRequest
from jupyter_deploy.domain.errors import CandidateUnhealthy, DeployError, InvalidTraffic, UnknownRevision
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.change_words import difference_in_words, roles_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import (
    CompareRequest,
    PromoteRequest,
    RollbackRequest,
    Step,
    StopRequest,
    TrafficRequest,
)
from jupyter_deploy.domain.results import TrafficChange
from jupyter_deploy.domain.validation.validated import Validated

from .change import (
    change,
    find,
    keep,
    require_revision,
    require_signature,
    target_of,
)
from .compare import compare, require_columns
from .gates.enforce_gates import enforce_for_change, in_words, keep_forced
from .release_secrets import require_schedulable


def traffic(request: TrafficRequest, ports: Ports, report: Report) -> TrafficChange:
    """Set the shares of canary and shadows, and the mode of recording."""
    before, after = planned(request, ports)
    after, validated = enforce_for_change(request, before, after, ports, report)
    report(Step(number=1, total=1, title="routing"))
    return _changed(ports, before, after, request.reason, validated=validated)


def promote(request: PromoteRequest, ports: Ports, report: Report) -> TrafficChange:
    """Make the candidate stable."""
    before, after = planned(request, ports)
    chosen = after.traffic.stable
    target = target_of(ports, before.target)
    health = target.observe(before).releases.get(chosen)
    # After a reboot nothing is healthy: the change starts the candidate and tests it before it answers clients.
    observed = before.running and chosen in before.traffic.tags() and not target.lost()
    if observed and not (health and health.healthy):
        raise CandidateUnhealthy(
            f"{chosen} is not healthy{f': {health.detail}' if health and health.detail else ''}",
            f"'nbdeploy reconcile' restarts it; 'nbdeploy logs {before.name} --role shadow' shows what it answered",
        )
    after, validated = enforce_for_change(request, before, after, ports, report)
    report(Step(number=1, total=1, title=f"promoting {chosen}"))
    compared = _compared(before, chosen, ports)
    changed = _changed(ports, before, after, request.reason, validated=validated)
    return changed.model_copy(update={"compared": compared})


def _compared(before: Endpoint, chosen: str, ports: Ports) -> str:
    """Return the verdict of the comparison so far, for the history; empty: there is no comparison."""
    if chosen == before.traffic.stable:
        return ""
    try:
        comparison = compare(CompareRequest(name=before.name, candidate=chosen), ports, lambda _: None)
    except DeployError:
        return ""
    return f"{comparison.verdict.upper()}: {comparison.reason}"


def rollback(request: RollbackRequest, ports: Ports, report: Report) -> TrafficChange:
    """Return to an earlier revision, as a new one."""
    before, after = planned(request, ports)
    revision = back_to(request, before)
    report(Step(number=1, total=1, title=f"back to revision {revision}"))
    return _changed(ports, before, after, request.reason, prefix=f"rollback to revision {revision}: ")


def back_to(request: RollbackRequest, before: Endpoint) -> int:
    """Return the revision that a rollback leads to; it may not exist."""
    return before.previous_revision if request.to is None else request.to


Change = TrafficRequest | PromoteRequest | RollbackRequest | StopRequest | DeleteRequest
"""Requests that change an endpoint; ``planned`` computes the result before the change."""


def planned(request: Change, ports: Ports) -> tuple[Endpoint, Endpoint]:
    """Return the endpoint before and after a change, without making the change: a panel shows both.

    Raises
    ------
    Conflict
        The endpoint is no longer at ``if_revision``.
    InvalidInput
        The request cannot succeed: unknown releases or revisions, wrong shares, a signature that clients would notice.
    """
    before = find(ports, request.name)
    require_revision(before, request.if_revision)
    match request:
        case StopRequest() | DeleteRequest():
            return before, before.stopped() if before.running else before
        case RollbackRequest():
            after = before.rolled_back_to(_earlier(request, before, ports))
            require_schedulable(after)
            return before, after
        case PromoteRequest():
            after = before.promoted(request.tag)
        case TrafficRequest():
            if not request.shadow and not request.canary and not _settings(request):
                raise InvalidTraffic(
                    "no share was given",
                    f"write, for example, 'nbdeploy traffic {before.name} --canary TAG=20'; "
                    f"'nbdeploy describe {before.name}' shows the tags",
                )
            after = before.with_traffic(request.shadow, request.canary).recording(request.record, request.record_sample)
            after = after.comparing(request.tolerance, request.absolute_tolerance, request.segment, now())
            if after.comparison.segments != before.comparison.segments:
                require_columns(after.comparison.segments, after, ports)
    require_signatures(ports, before, after)
    require_schedulable(after)
    return before, after


def _settings(request: TrafficRequest) -> bool:
    """Whether the request changes more than shares."""
    given = (request.record, request.record_sample, request.tolerance, request.absolute_tolerance)
    return bool(request.segment) or any(value is not None for value in given)


def _earlier(request: RollbackRequest, before: Endpoint, ports: Ports) -> Endpoint:
    revision = back_to(request, before)
    earlier = {r.revision: r.state for r in ports.store.history(before.name)}
    if revision not in earlier or revision == before.revision:
        known = ", ".join(str(number) for number in sorted(earlier) if number != before.revision)
        raise UnknownRevision(
            f"{before.name} has no revision {revision} to go back to"
            if revision != before.revision
            else f"{before.name} is at revision {revision} already",
            f"name one of: {known}" if known else "there is no earlier revision yet",
        )
    return earlier[revision]


def require_signatures(ports: Ports, before: Endpoint, after: Endpoint) -> None:
    """What gains traffic must understand stable's requests: stable may have changed since it was deployed.

    Raises
    ------
    SignatureMismatch
    """
    for tag in after.traffic.tags():
        if tag not in before.traffic.tags() or tag == after.traffic.stable:
            require_signature(ports, before, tag, ports.store.signature(tag))


def _changed(
    ports: Ports,
    before: Endpoint,
    after: Endpoint,
    reason: str,
    prefix: str = "",
    *,
    validated: Validated | None = None,
) -> TrafficChange:
    if _in_force(after) == _in_force(before) and before.running:
        url = keep(ports, before)  # a revision that changes nothing would only be in the way
        return _traffic_change(before, before, url, "unchanged")
    what = prefix + "; ".join((difference_in_words(before, after), *in_words(before.gaining(after) or "", validated)))
    url = change(ports, before, after, reason=reason, what=what)
    keep_forced(after.name, validated, ports)
    return _traffic_change(before, after, url, what).model_copy(update={"validation": validated})


def _in_force(endpoint: Endpoint) -> tuple[object, ...]:
    """What a change can be of: shares, recording, comparisons, ways to be called, images of releases with a share."""
    images = {tag: endpoint.release(tag).image for tag in endpoint.traffic.tags()}
    return endpoint.traffic, endpoint.recorded, endpoint.comparison, endpoint.stream, endpoint.batch, images


def _traffic_change(before: Endpoint, after: Endpoint, url: str, what: str) -> TrafficChange:
    return TrafficChange(
        endpoint=after.name,
        url=url,
        revision=after.revision,
        before=roles_in_words(before.traffic),
        after=roles_in_words(after.traffic),
        change=what,
    )
