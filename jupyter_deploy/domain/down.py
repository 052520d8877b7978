"""The request of the verb ``down``."""

from __future__ import annotations

from pydantic import Field

from .requests import Request


class DownRequest(Request):
    """Stop all processes: workers, gateway and supervisor. 'nbdeploy reconcile' starts them again.

    A target that several users share is stopped only if it is named: then every object of nbdeploy there is removed,
    with the endpoints' revisions, also those of other users, except what its administrator made; 'reconcile' cannot
    bring them back.
    """

    target: str | None = Field(default=None, description="The target to stop (default: this machine's).")
