"""The verb ``history``: the revisions of an endpoint."""

from __future__ import annotations

from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Revision
from jupyter_deploy.domain.requests import HistoryRequest

from .change import find


def history(request: HistoryRequest, ports: Ports, report: Report) -> list[Revision]:
    """List the endpoint's revisions, newest first."""
    revisions = ports.store.history(find(ports, request.name).name)
    states = (
        r.state.validating(tuple(spec.without_secrets for spec in r.state.validations), r.state.validations_from)
        for r in revisions
    )
    return [r.model_copy(update={"state": state}) for r, state in zip(revisions, states, strict=True)]
