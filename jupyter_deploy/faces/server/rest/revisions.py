"""The endpoint's revision in HTTP: ETag and If-Match. Counts change without a new revision, so no response is a 304."""

from __future__ import annotations

import re
from typing import TypeVar

from jupyter_deploy.domain.errors import Conflict
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.faces.views.cards import revision_rows

from .exchange import HttpRequest, RequestError, refusal

R = TypeVar("R", bound=Request)

_TAGS = re.compile(r'(?:W/)?"(\d+)"')


def entity_tag(revision: int) -> str:
    """Format a revision as an entity tag."""
    return f'"{revision}"'


def with_if_match(request: R, http: HttpRequest) -> R:
    """Return the request with the revision of ``If-Match``, if the request has such a field."""
    revision = _if_match(http)
    if revision is None or "if_revision" not in type(request).model_fields:
        return request
    return request.model_copy(update={"if_revision": revision})


def require_current(request: Request, endpoint: Endpoint | None, http: HttpRequest, ports: Ports) -> None:
    """Raise 412, with the newer history, if the endpoint is not at the revision that the request names."""
    revision = getattr(request, "if_revision", None) or _if_match(http)
    if endpoint is None or revision is None or revision == endpoint.revision:
        return
    rows = revision_rows(ports.store.history(endpoint.name))
    since = tuple(row.model_dump(mode="json") for row in rows if row.revision > revision)
    error = Conflict(
        f"{endpoint.name} is at revision {endpoint.revision}; this change is based on revision {revision}",
        "read the newer history and, if the change is still right, repeat it",
    )
    raise RequestError(
        problem_of(error).model_copy(update={"status": 412, "revision": endpoint.revision, "history": since})
    ) from error


def _if_match(http: HttpRequest) -> int | None:
    given = http.if_match.strip()
    if given in ("", "*"):
        return None
    found = _TAGS.fullmatch(given)
    if found is None:
        raise refusal(400, "invalid_if_match", "If-Match is not a revision", f"If-Match is {given[:80]}",
               'write the revision in quotes, as in ETag: "5"')  # fmt: skip
    return int(found[1])
