"""The verb ``manifests``: request, result and port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from .base import Value
from .requests import Request

if TYPE_CHECKING:
    from .release.endpoint import Endpoint


class ManifestsRequest(Request):
    """Show the objects of the target kubernetes: an endpoint's workloads, or with --rbac those of an administrator.

    'nbdeploy manifests --rbac -o yaml | kubectl apply -f -' prepares a namespace. Nothing is cluster-wide.
    """

    name: Annotated[
        str | None,
        Field(description="The endpoint's name.", json_schema_extra={"positional": True, "completes": "endpoint"}),
    ] = None
    rbac: bool = Field(
        default=False, description="The Roles of users and gateway, the gateway's account and its Secret with new keys."
    )
    secrets: bool = Field(
        default=False, description="With --rbac: users may create, patch and delete Secrets, never read one."
    )
    open: bool = Field(default=False, description="With --rbac: the gateway takes requests without a token.")


class Manifests(Value):
    """Documents for Kubernetes, in the order in which they are applied."""

    documents: tuple[dict[str, Any], ...]


class Manifester(Protocol):
    """Makes the objects of the target kubernetes as documents."""

    def rights(self, *, write_secrets: bool, token: bool) -> Sequence[dict[str, Any]]:
        """The objects that an administrator applies once: Roles, account, Secret."""

    def workloads(self, endpoint: Endpoint) -> Sequence[dict[str, Any]]:
        """The objects of an endpoint's releases with traffic.

        Raises InvalidInput (the endpoint is on another target), Refused (a release has no image).
        """
