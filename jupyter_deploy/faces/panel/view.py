"""What a panel shows, as plain JSON values: pure, from an endpoint, what is seen of it, and its history."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Any

from jupyter_deploy.domain.endpoint import Endpoint, EndpointStatus, Release, Revision
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.findings import counted, told
from jupyter_deploy.domain.requests import PromoteRequest, RollbackRequest, TrafficRequest
from jupyter_deploy.faces.difference_page import changed
from jupyter_deploy.faces.page import as_html
from jupyter_deploy.faces.render import page, state_in_words
from jupyter_deploy.operations.change import roles_in_words
from jupyter_deploy.operations.traffic import back_to

Change = TrafficRequest | PromoteRequest | RollbackRequest
Json = dict[str, Any]

SHOWN_REVISIONS = 20

_ORDER = {"stable": 0, "canary": 1, "shadow": 2, "idle": 3}


def endpoint_view(endpoint: Endpoint, url: str, keep_revisions: int) -> Json:
    """The endpoint and a card for each release that has traffic or is kept warm."""
    warm = {release.tag for release in endpoint.wanted(keep_revisions)} | set(endpoint.traffic.tags())
    shown = [release for release in endpoint.releases if release.tag in warm]
    shown.sort(key=lambda release: (_ORDER[endpoint.traffic.role_of(release.tag)], release.created_at))
    return {
        "name": endpoint.name,
        "url": f"{url}/predict",
        "revision": endpoint.revision,
        "running": endpoint.running,
        "previous": endpoint.previous_revision or None,
        "cards": [_card(endpoint, release) for release in shown],
    }


def _card(endpoint: Endpoint, release: Release) -> Json:
    source = release.source
    notebook = PurePath(source.notebook).name if source.notebook else ""
    return {
        "tag": release.tag,
        "role": endpoint.traffic.role_of(release.tag),
        "percent": endpoint.traffic.percent_of(release.tag),
        "variable": source.variable or "",
        "notebook": notebook,
        "path": source.notebook or "",
        "framework": release.framework,
        "stochastic": release.stochastic,
        "changes": _changes(release),
        "found": counted(release.findings),
        "findings": [told(finding) for finding in release.findings if finding.severity != "note"],
        "created": release.created_at.isoformat(),
    }


def _changes(release: Release) -> str:
    """What it has that its predecessor had not; empty when there was none."""
    if release.changes is None:
        return ""
    return f"since {release.changes.predecessor.partition(':')[2]}: {changed(release.changes)}"


def live_view(status: EndpointStatus, rates: Mapping[str, Sequence[float]]) -> Json:
    """Health and counts: what changes although nobody changed the endpoint.

    ``rates`` are requests a second, the latest last.
    """
    releases = {
        release.tag: {
            "healthy": release.healthy,
            "words": "healthy" if release.healthy else release.detail or "not healthy",
            "counts": release.counts.model_dump() if release.counts else None,
            "rates": [round(rate, 1) for rate in rates.get(release.tag, ())],
        }
        for release in status.releases
    }
    return {"words": state_in_words(status), "healthy": status.healthy, "releases": releases}


def history_view(revisions: Sequence[Revision]) -> list[Json]:
    """The latest revisions, newest first."""
    return [
        {
            "revision": r.revision,
            "at": r.at.isoformat(),
            "by": r.by,
            "what": r.change,
            "reason": r.reason,
        }
        for r in revisions[:SHOWN_REVISIONS]
    ]


def title_of(change: Change, before: Endpoint) -> str:
    """A change as a headline."""
    match change:
        case PromoteRequest():
            return f"Promote {change.tag or 'the candidate'}"
        case RollbackRequest():
            return f"Go back to revision {back_to(change, before)}"
        case TrafficRequest():
            shares = [f"canary {tag} {percent:g} %" for tag, percent in change.canary.items()]
            shares += [f"shadow {tag} {percent:g} %" for tag, percent in change.shadow.items()]
            return f"Set {', '.join(shares)}"


def touches_clients(before: Endpoint, after: Endpoint) -> bool:
    """Whether other releases, or other shares of them, answer clients from then on: copies for shadows do not count."""
    answering = [(e.traffic.stable, e.traffic.canary, e.traffic.canary_percent) for e in (before, after)]
    return answering[0] != answering[1] or before.running != after.running


def difference_view(before: Endpoint, after: Endpoint) -> list[Json]:
    """Each release's role before and after."""
    old, new = roles_in_words(before.traffic), roles_in_words(after.traffic)
    return [
        {"tag": tag, "before": old.get(tag, "no traffic"), "after": new.get(tag, "no traffic")}
        for tag in dict.fromkeys([*new, *old])
    ]


def consequences(
    change: Change, before: Endpoint, after: Endpoint, *, history: Sequence[Revision], keep_revisions: int
) -> list[str]:
    """What else a change does, in sentences."""
    said = []
    if isinstance(change, RollbackRequest):
        wanted = back_to(change, before)
        found = next((r for r in history if r.revision == wanted), None)
        if found:
            because = f" ({found.reason})" if found.reason else ""
            who = f"Revision {wanted} was made by {found.by}, {found.at:%Y-%m-%d %H:%M} UTC"
            said.append(f"{who}: {found.change}{because}.")
    if not before.running:
        said.append("The endpoint is stopped: this starts it again.")
    runs = {release.tag for release in before.wanted(keep_revisions)}
    starting = [tag for tag in after.traffic.tags() if tag not in runs]
    if starting:
        said.append(f"Started first, and asked the example: {', '.join(starting)}.")
    losing = [tag for tag in before.traffic.tags() if tag not in after.traffic.tags()]
    if losing:
        kept = f"kept warm for {keep_revisions} revisions" if keep_revisions else "stopped"
        said.append(f"Without traffic, {kept}: {', '.join(losing)}.")
    if before.running and not touches_clients(before, after):
        said.append("Clients notice nothing: only copies change.")
    return said


def problem_view(error: Exception) -> Json:
    """An error as it is shown: what is wrong, what to do, and the long material."""
    if isinstance(error, DeployError):
        return {"message": error.message, "remedy": error.remedy, "details": error.details}
    return {"message": f"{type(error).__name__}: {error}", "remedy": "", "details": ""}


# A saved notebook also holds the live view, whose model ended with its kernel: JupyterLab then says 'model not found'
# just above this, which the style hides. Where no style is let through, both are seen.
_SAVED_STYLE = """<style>
.jp-OutputArea-child:has(> .jupyter-widgets):has(+ .jp-OutputArea-child .nbdeploy-saved) { display: none; }
</style>"""


def saved_html(status: EndpointStatus, history: Sequence[Revision], problem: Json | None, at: datetime) -> str:
    """The last state as HTML without scripts, for whoever opens the notebook without this kernel."""
    when = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    trouble = f"<p>{html.escape(problem['message'])}</p>" if problem else ""
    pages = [as_html(page(status))]
    if history:
        pages.append(as_html(page(list(history[:SHOWN_REVISIONS]))))
    note = f"<p><i>As it was at {when}; run the cell to see and change what is.</i></p>"
    return f"<div class='nbdeploy-saved'>{_SAVED_STYLE}{trouble}{''.join(pages)}{note}</div>"
