"""What a change would do, in words: its title, each release's role before and after, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.deletion import DeleteRequest
from jupyter_deploy.domain.release.change_words import roles_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.requests import PromoteRequest, RollbackRequest, StopRequest, TrafficRequest
from jupyter_deploy.faces.render.endpoint_page import recorded_in_words
from jupyter_deploy.verbs.traffic import Change, back_to

from .documents import Preview, RoleChange


def preview_of(
    change: Change,
    before: Endpoint,
    after: Endpoint,
    *,
    history: Sequence[Revision],
    keep_revisions: int,
    contents: str = "",
) -> Preview:
    """What there is to see before a change, but for the comparison; ``contents``: of the endpoint to delete."""
    if isinstance(change, DeleteRequest):
        return _of_deletion(before, contents)
    return Preview(
        title=title_of(change, before),
        revision=before.revision,
        rows=role_changes(before, after),
        notes=consequences(change, before, after, history=history, keep_revisions=keep_revisions),
        asks=touches_clients(before, after),
    )


def title_of(change: Change, before: Endpoint) -> str:
    """A change as a headline."""
    match change:
        case DeleteRequest():
            return f"Delete {before.name}"
        case StopRequest():
            return f"Stop {before.name}"
        case PromoteRequest():
            return f"Promote {change.tag or 'the candidate'}"
        case RollbackRequest():
            return f"Go back to revision {back_to(change, before)}"
        case TrafficRequest():
            parts = [f"canary {tag} {percent:g} %" for tag, percent in change.canary.items()]
            parts += [f"shadow {tag} {percent:g} %" for tag, percent in change.shadow.items()]
            recorded = before.recording(change.record, change.record_sample)
            parts += [f"records {recorded.recorded}"] if recorded != before else []
            compared = before.comparing(change.tolerance, change.absolute_tolerance, change.segment, now()).comparison
            parts += [f"comparison: {compared.words}"] if compared.words != before.comparison.words else []
            return f"Set {', '.join(parts)}"


def touches_clients(before: Endpoint, after: Endpoint) -> bool:
    """Whether other releases, or other shares of them, answer clients from then on: copies for shadows do not count."""
    answering = [(e.traffic.stable, e.traffic.canary, e.traffic.canary_percent) for e in (before, after)]
    return answering[0] != answering[1] or before.running != after.running


def role_changes(before: Endpoint, after: Endpoint) -> tuple[RoleChange, ...]:
    """Each release's role before and after."""
    old, new = _roles(before), _roles(after)
    return tuple(
        RoleChange(tag=tag, before=old.get(tag, "no traffic"), after=new.get(tag, "no traffic"))
        for tag in dict.fromkeys([*new, *old])
    )


def _roles(endpoint: Endpoint) -> dict[str, str]:
    return roles_in_words(endpoint.traffic) if endpoint.running else dict.fromkeys(endpoint.traffic.tags(), "stopped")


def consequences(
    change: Change, before: Endpoint, after: Endpoint, *, history: Sequence[Revision], keep_revisions: int
) -> tuple[str, ...]:
    """What else a change does, in sentences."""
    if isinstance(change, StopRequest):
        return _of_stopping(before)
    said = []
    if isinstance(change, RollbackRequest):
        number = back_to(change, before)
        found = next((r for r in history if r.revision == number), None)
        if found:
            because = f" ({found.reason})" if found.reason else ""
            who = f"Revision {number} was made by {found.by}, {found.at:%Y-%m-%d %H:%M} UTC"
            said.append(f"{who}: {found.change}{because}.")
    gaining = before.gaining(after)
    if gaining and after.validations and not isinstance(change, RollbackRequest):
        gates = "; ".join(spec.words for spec in after.validations)
        said.append(f"Validated first, and refused if a gate fails, {gaining}: {gates}.")
    if not before.running:
        said.append("The endpoint is stopped: this starts it again.")
    runs = {release.tag for release in before.releases_to_run(keep_revisions)}
    starting = [tag for tag in after.traffic.tags() if tag not in runs]
    if starting:
        said.append(f"Started first, and tested with the example: {', '.join(starting)}.")
    losing = [tag for tag in before.traffic.tags() if tag not in after.traffic.tags()]
    if losing:
        kept = f"kept warm for {keep_revisions} revisions" if keep_revisions else "stopped"
        said.append(f"Without traffic, {kept}: {', '.join(losing)}.")
    said += _of_settings(before, after)
    if before.running and not touches_clients(before, after):
        copies = before.traffic.shadows != after.traffic.shadows
        said.append(f"Clients are not affected{': only shadow copies change' if copies else ''}.")
    return tuple(said)


def _of_settings(before: Endpoint, after: Endpoint) -> list[str]:
    said = []
    if before.recorded != after.recorded:
        said.append(f"Recorded from then on: {recorded_in_words(after)}.")
    if before.comparison.words != after.comparison.words:
        said.append(f"Comparisons from then on: {after.comparison.words}.")
    return said


def _of_deletion(before: Endpoint, contents: str) -> Preview:
    answered = ["Clients get errors from then on. Requests in progress are answered first."] if before.running else []
    return Preview(
        title=f"Delete {before.name}",
        revision=before.revision,
        rows=tuple(RoleChange(tag=tag, before=role, after="deleted") for tag, role in _roles(before).items()),
        notes=(
            *answered,
            f"Deleted permanently: {contents}.",
            "Snapshots and published images stay; 'nbdeploy gc' removes the snapshots that nothing uses.",
        ),
        asks=True,
    )


def _of_stopping(before: Endpoint) -> tuple[str, ...]:
    if not before.running:
        return ("The endpoint is stopped already: nothing changes.",)
    return (
        "Clients get errors from then on.",
        f"Requests in progress are answered first. Then these releases stop: {', '.join(before.traffic.tags())}.",
        "Records and history are kept. Going back to a revision starts the endpoint again.",
    )
