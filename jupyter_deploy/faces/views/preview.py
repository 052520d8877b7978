"""What a change would do, asked for before it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_deploy.domain.deletion import DeleteRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.requests import (
    PromoteRequest,
    RollbackRequest,
    StopRequest,
    TrafficRequest,
)
from jupyter_deploy.faces.request_fields import request_from
from jupyter_deploy.verbs import BY_NAME
from jupyter_deploy.verbs.delete import describe_contents
from jupyter_deploy.verbs.traffic import Change, planned

from .change import preview_of
from .comparing import evidence_of
from .documents import Preview
from .requests import PreviewRequest


def preview(request: PreviewRequest, ports: Ports) -> Preview:
    """What would change, what follows from it, and what the comparison says of the release that gains clients.

    Raises
    ------
    Conflict
        The endpoint is not at ``if_revision``.
    InvalidInput
        What is asked for cannot be.
    """
    change = change_from(request.verb, {**request.given, "name": request.name, "if_revision": request.if_revision})
    before, after = planned(change, ports)
    history = history_of(change, ports)
    shown = described(change, before, after, history=history, ports=ports)
    return compared(shown, change, before, after, history=history, ports=ports)


def described(
    change: Change, before: Endpoint, after: Endpoint, *, history: Sequence[Revision], ports: Ports
) -> Preview:
    """Make the preview without the comparison."""
    contents = describe_contents(change, ports).content if isinstance(change, DeleteRequest) else ""
    return preview_of(change, before, after, history=history, keep_revisions=ports.keep_revisions, contents=contents)


def history_of(change: Change, ports: Ports) -> list[Revision]:
    """Only going back is about what was; of the rest nobody waits for hundreds of revisions to be read."""
    return ports.store.history(change.name) if isinstance(change, RollbackRequest) else []


def change_from(verb: str, given: Mapping[str, Any]) -> Change:
    """The verb's request. Raises InvalidInput."""
    change = request_from(BY_NAME[verb].request, given)
    if not isinstance(change, TrafficRequest | PromoteRequest | RollbackRequest | StopRequest | DeleteRequest):
        raise TypeError(verb)
    return change


def compared(
    shown: Preview, change: Change, before: Endpoint, after: Endpoint, *, history: Sequence[Revision], ports: Ports
) -> Preview:
    """Add the comparison of the release that gains clients."""
    gaining = before.gaining(after)
    if gaining is None or not before.running:
        return shown
    if not isinstance(change, RollbackRequest) or gaining != after.traffic.stable:
        return shown.model_copy(update={"evidence": evidence_of(before, gaining, ports)})
    # Who comes back was compared with the present stable release when that was a candidate.
    now = before.traffic.stable
    then = next((r.state for r in history if r.state.traffic.stable == gaining and now in r.state.candidates()), None)
    if then is None:
        return shown
    said = [
        one.model_copy(update={"reason": f"Of {now}, as a candidate against {gaining}: {one.reason}"})
        for one in evidence_of(then, now, ports)
    ]
    return shown.model_copy(update={"evidence": tuple(said)})
