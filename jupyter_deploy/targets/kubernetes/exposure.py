"""What stands before the gateway for TLS and host names: an Ingress, or an HTTPRoute of the Gateway API. Pure.

::

    clients ── TLS, host ── Ingress controller or Gateway ── Service nbdeploy-gateway

It routes no traffic between releases and checks no token: that is the task of nbdeploy's gateway alone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jupyter_deploy.domain.errors import InvalidInput

from . import names
from .settings import ClusterSettings

Json = dict[str, Any]


def exposure(settings: ClusterSettings, *, gateway: str | None, tls: str | None, ingress_class: str | None) -> Json:
    """The object, for an administrator.

    Parameters
    ----------
    gateway
        ``NAMESPACE/NAME`` of a Gateway, which has the certificate: an HTTPRoute; None: an Ingress.
    tls
        The Ingress' Secret with certificate and key; None: its controller has one, or there is none.
    ingress_class
        None: the cluster's default.

    Raises
    ------
    InvalidInput
        No host is known, or the Gateway's name has another form.
    """
    hosts = list(dict.fromkeys([*filter(None, [urlsplit(settings.url or "").hostname]), *settings.hosts]))
    if not hosts:
        raise InvalidInput(
            "the gateway has no host name that clients could use",
            "name it: NBDEPLOY_KUBERNETES__URL=https://models.example.org; NBDEPLOY_KUBERNETES__HOSTS has further ones",
        )
    labels = {"app.kubernetes.io/part-of": "nbdeploy"}  # the administrator's: 'down' leaves it
    metadata = {"name": names.GATEWAY, "namespace": settings.namespace, "labels": labels}
    if gateway is not None:
        return _route(settings, hosts, gateway, metadata)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {
            **({"ingressClassName": ingress_class} if ingress_class else {}),
            "rules": [{"host": host, "http": _all_paths(settings)} for host in hosts],
            **({"tls": [{"hosts": [*hosts], "secretName": tls}]} if tls else {}),
        },
    }


def _all_paths(settings: ClusterSettings) -> Json:
    backend = {"service": {"name": names.GATEWAY, "port": {"number": settings.port}}}
    return {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}


def _route(settings: ClusterSettings, hosts: list[str], gateway: str, metadata: Json) -> Json:
    namespace, slash, name = gateway.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise InvalidInput(f"'{gateway}' is no Gateway", "write NAMESPACE/NAME, such as istio-ingress/public")
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata,
        "spec": {
            "parentRefs": [{"namespace": namespace, "name": name}],
            "hostnames": hosts,
            "rules": [{"backendRefs": [{"name": names.GATEWAY, "port": settings.port}]}],
        },
    }
