"""The verb ``manifests``: request, result and port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field

from .base import Value
from .requests import Request

if TYPE_CHECKING:
    from .batch.scoring import ScheduledScoring
    from .release.endpoint import Endpoint, Release


class ManifestsRequest(Request):
    """Show the objects of the target kubernetes: an endpoint's workloads, or with --rbac those of an administrator.

    'nbdeploy manifests --rbac -o yaml | kubectl apply -f -' prepares a namespace. Nothing is cluster-wide. --expose is
    for TLS and host names before the gateway, --monitoring for Prometheus' operator and Grafana.
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
    expose: bool = Field(
        default=False, description="An Ingress, or an HTTPRoute, that leads the gateway's host names to it."
    )
    monitoring: bool = Field(
        default=False,
        description="An exporter of all releases' metrics, its ServiceMonitor, the alerts, and Grafana's dashboard.",
    )
    gateway: str | None = Field(
        default=None, description="With --expose: NAMESPACE/NAME of a Gateway, for an HTTPRoute in place of an Ingress."
    )
    tls: str | None = Field(default=None, description="With --expose: the Ingress' Secret with certificate and key.")
    ingress_class: str | None = Field(
        default=None, description="With --expose: the Ingress' class (default: the cluster's)."
    )
    open: bool = Field(default=False, description="With --rbac: the gateway takes requests without a token.")


class Manifests(Value):
    """Documents for Kubernetes, in the order in which they are applied."""

    documents: tuple[dict[str, Any], ...]


class ObjectChange(Value):
    """What a start would do to one object of a cluster.

    Attributes
    ----------
    difference
        Lines of the object as YAML, now (``-``) and afterwards (``+``), by the server's dry run; empty unless changed.
    """

    object: str
    action: Literal["create", "change", "delete"]
    difference: tuple[str, ...] = ()


class Manifester(Protocol):
    """Makes the objects of the target kubernetes as documents."""

    def rights(self, *, write_secrets: bool, token: bool) -> Sequence[dict[str, Any]]:
        """The objects that an administrator applies once: Roles, account, Secret."""

    def exposure(self, *, gateway: str | None, tls: str | None, ingress_class: str | None) -> Mapping[str, Any]:
        """The Ingress, or the HTTPRoute of a Gateway, before the gateway. Raises InvalidInput: no host is known."""

    def monitoring(self, files: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        """The exporter of metrics, and what Prometheus and Grafana read; ``files``: the rules and the dashboard.

        Raises Refused: the exporter has no image.
        """

    def workloads(self, endpoint: Endpoint) -> Sequence[dict[str, Any]]:
        """The objects of an endpoint's releases with traffic, and the CronJob of its batches.

        Raises InvalidInput (the endpoint is on another target), Refused (a release or the shipper has no image).
        """

    def differences(
        self, target: str, releases: Iterable[Release], batches: Mapping[str, Sequence[ScheduledScoring]]
    ) -> Mapping[str, Sequence[ObjectChange]]:
        """What starts of these releases would change in the cluster, by endpoint; changes nothing.

        ``batches``: what its releases do by schedule, by endpoint.
        Empty for another target than kubernetes. A release without an image is planned with a placeholder.
        Raises TargetError (the cluster cannot be reached, or refuses an object), Conflict (somebody else owns a field).
        """
