"""The redacted columns of a release: records do not contain their values."""

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
"""The length of all names together: the gateway sends them with each request."""


def redacted_names(request: DeployRequest, before: Endpoint | None, ports: Ports) -> tuple[str, ...]:
    """Return the columns that a deploy may redact, before the model's columns are known."""
    if OFF in request.redact:
        return ()
    return request.redact or (*ports.redact, *_redacted_before(before, ""))


def redacted_columns(
    request: DeployRequest, before: Endpoint | None, snapshot: Snapshot, ports: Ports
) -> tuple[str, ...]:
    """Return the columns that a deploy's release redacts, in the model's order.

    The deploy's own columns; else those of ``nbdeploy.yaml``, and those that the same release or else the stable one
    redacts already, so that no deploy reveals a column by omission.

    Raises
    ------
    InvalidInput
        The model has no such column or no named columns, or there are too many.
    """
    if OFF in request.redact:
        if len(request.redact) > 1:
            raise InvalidInput("--redact off excludes all other columns", "name no column with it")
        return ()
    signature = snapshot.manifest.signature
    named = request.redact or tuple(ports.redact)
    origin = "--redact" if request.redact else "nbdeploy.yaml's redact"
    _require(named, signature, origin)
    chosen = {*named} if request.redact else {*named, *_redacted_before(before, snapshot.tag)}
    columns = tuple(name for name in signature.columns if name in chosen)
    if sum(map(len, columns)) > MOST_CHARACTERS:
        raise InvalidInput(
            f"{len(columns)} columns are too many to be redacted by name",
            "'--record meta' keeps no inputs and outputs at all",
        )
    return columns


def _redacted_before(before: Endpoint | None, tag: str) -> Iterable[str]:
    if before is None:
        return ()
    known = {release.tag: release.redact for release in before.releases}
    return known[tag] if tag in known else known.get(before.traffic.stable, ())


def _require(names: Iterable[str], signature: Signature, origin: str) -> None:
    columns = signature.columns
    for name in names:
        if name in columns:
            continue
        if not columns:
            raise InvalidInput(
                f"{origin} names '{name}', and this model's instances have no columns by name",
                "'--record meta' keeps no inputs and outputs at all",
            )
        near = difflib.get_close_matches(name, columns)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the columns are: {', '.join(columns)}"
        raise InvalidInput(f"{origin} names '{name}', and the model has no such column", hint)
