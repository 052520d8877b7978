"""The endpoint's revision as HTTP has it: ETag, and If-Match. What is counted changes without one, so none is a 304."""

from __future__ import annotations

import re
from typing import TypeVar

from jupyter_deploy.domain.errors import Conflict
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.faces.views.cards import revision_rows

from .exchange import Question, Wrong, refusal

R = TypeVar("R", bound=Request)

_TAGS = re.compile(r'(?:W/)?"(\d+)"')


def in_quotes(revision: int) -> str:
    """The revision as an entity tag."""
    return f'"{revision}"'


def named(request: R, question: Question) -> R:
    """The request with the revision that ``If-Match`` names, where it knows one."""
    revision = _if_match(question)
    if revision is None or "if_revision" not in type(request).model_fields:
        return request
    return request.model_copy(update={"if_revision": revision})


def stale(request: Request, endpoint: Endpoint | None, question: Question, ports: Ports) -> None:
    """Raise 412, with what has happened since, if the endpoint is no longer at the revision that was named."""
    revision = getattr(request, "if_revision", None) or _if_match(question)
    if endpoint is None or revision is None or revision == endpoint.revision:
        return
    rows = revision_rows(ports.store.history(endpoint.name))
    since = tuple(row.model_dump(mode="json") for row in rows if row.revision > revision)
    error = Conflict(
        f"{endpoint.name} is at revision {endpoint.revision} by now; this was based on revision {revision}",
        "look at what has changed and, if it is still right, do it again",
    )
    raise Wrong(
        problem_of(error).model_copy(update={"status": 412, "revision": endpoint.revision, "history": since})
    ) from error


def _if_match(question: Question) -> int | None:
    given = question.if_match.strip()
    if given in ("", "*"):
        return None
    found = _TAGS.fullmatch(given)
    if found is None:
        raise refusal(400, "invalid_if_match", "If-Match is no revision", f"If-Match is {given[:80]}",
               'write the revision in quotes, as ETag has it: "5"')  # fmt: skip
    return int(found[1])
