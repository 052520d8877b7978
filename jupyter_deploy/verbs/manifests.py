"""The verb ``manifests``: the objects of the target kubernetes as documents."""

from __future__ import annotations

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.manifests import Manifests, ManifestsRequest
from jupyter_deploy.domain.ports import Ports, Report

from .change import find


def manifests(request: ManifestsRequest, ports: Ports, report: Report) -> Manifests:
    """Return an endpoint's workloads, or what an administrator applies to a namespace."""
    if [request.rbac, request.expose, request.monitoring, request.name is not None].count(True) != 1:
        raise InvalidInput(
            "name an endpoint, or write --rbac, --expose or --monitoring",
            "nbdeploy manifests --rbac; nbdeploy manifests --expose; nbdeploy manifests churn",
        )
    if not request.rbac and (request.secrets or request.open):
        raise InvalidInput("--secrets and --open belong to --rbac", "write --rbac too")
    given = {name: getattr(request, name) for name in ("gateway", "tls", "ingress_class")}
    if request.expose:
        if request.gateway and (request.tls or request.ingress_class):
            raise InvalidInput("--tls and --ingress-class are of an Ingress", "the Gateway has the certificate")
        return Manifests(documents=(dict(ports.manifester.exposure(**given)),))
    if any(given.values()):
        raise InvalidInput("--gateway, --tls and --ingress-class belong to --expose", "write --expose too")
    if request.monitoring:
        files = {draft.path.partition("/")[2]: draft.text for draft in ports.starter.monitoring("")}
        return Manifests(documents=tuple(ports.manifester.monitoring(files)))
    made = (
        ports.manifester.workloads(find(ports, request.name))
        if request.name is not None
        else ports.manifester.rights(write_secrets=request.secrets, token=not request.open)
    )
    return Manifests(documents=tuple(made))
