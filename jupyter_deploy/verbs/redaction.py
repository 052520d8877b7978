"""Which columns of a release are never written down."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest

OFF = "off"

MOST_CHARACTERS = 4000
"""Of all names together: the gateway says them with each request."""


def redacted(request: DeployRequest, before: Endpoint | None, snapshot: Snapshot, ports: Ports) -> tuple[str, ...]:
    """The columns that a deploy's release redacts, in the model's order.

    Those that it names itself; else nbdeploy.yaml's, and those that this very model has redacted until now, or stable
    does: what is redacted is never given up unseen.

    Raises
    ------
    InvalidInput
        The model has no such column, or none by name; or they are too many.
    """
    if OFF in request.redact:
        if len(request.redact) > 1:
            raise InvalidInput("--redact off redacts nothing any more", "name no column beside it")
        return ()
    signature = snapshot.manifest.signature
    named = request.redact or tuple(ports.redact)
    where = "--redact" if request.redact else "nbdeploy.yaml's redact"
    _require(named, signature, where)
    wanted = {*named} if request.redact else {*named, *_until_now(before, snapshot.tag)}
    found = tuple(name for name in signature.columns if name in wanted)
    if sum(map(len, found)) > MOST_CHARACTERS:
        raise InvalidInput(
            f"{len(found)} columns are too many to be redacted one by one",
            "'--record meta' keeps no inputs and outputs at all",
        )
    return found


def _until_now(before: Endpoint | None, tag: str) -> Iterable[str]:
    if before is None:
        return ()
    known = {release.tag: release.redact for release in before.releases}
    return known[tag] if tag in known else known.get(before.traffic.stable, ())


def _require(names: Iterable[str], signature: Signature, where: str) -> None:
    columns = signature.columns
    for name in names:
        if name in columns:
            continue
        if not columns:
            raise InvalidInput(
                f"{where} names '{name}', and this model's instances have no columns by name",
                "'--record meta' keeps no inputs and outputs at all",
            )
        near = difflib.get_close_matches(name, columns)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the columns are: {', '.join(columns)}"
        raise InvalidInput(f"{where} names '{name}', and the model has no such column", hint)
