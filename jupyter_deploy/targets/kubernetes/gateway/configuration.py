"""An endpoint's routes as a part of its ConfigMap, and what is around the routes of all endpoints. Pure.

No document holds a secret: the pod's agent fills in the token and the salts, and Envoy has the key in its environment.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from jupyter_deploy.container_images.gateway_program.documents import SALT, TOKEN_PLACEHOLDER
from jupyter_deploy.container_images.gateway_program.pod import KEY_VARIABLE, LEDGER, RUN
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.targets.envoy import counters
from jupyter_deploy.targets.envoy import documents as envoy
from jupyter_deploy.targets.envoy.upstream import Discovered
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings

Json = dict[str, Any]


def configuration(endpoint: Endpoint, settings: ClusterSettings, run: str = RUN) -> Json:
    """The routes' half of an endpoint's ConfigMap: ``data`` with revision and hash, ``binaryData`` with documents.

    ``run``: the folder that Envoy and agent share in a gateway's pod.
    """
    upstreams = {
        (endpoint.name, tag): Discovered(service, f"{run}/xds/eds/{service}.json")
        for tag in endpoint.traffic.tags()
        for service in [names.release_name(endpoint.name, tag)]
    }
    part: Json = envoy.fragment(endpoint, upstreams, envoy_settings(settings, run), SALT)
    idle = {
        names.release_name(endpoint.name, one.tag): one.resources.idle_seconds
        for one in endpoint.releases
        if one.resources.idles and endpoint.running
    }
    part |= {"idle": idle} if idle else {}
    text = json.dumps(part, sort_keys=True, separators=(",", ":")).encode()
    return {
        "data": {"revision": str(endpoint.revision), "hash": hashlib.sha256(text).hexdigest()},
        "binaryData": {"documents": base64.b64encode(gzip.compress(text, mtime=0)).decode("ascii")},
    }


def gateway_files(settings: ClusterSettings, run: str = RUN, ledger: str = LEDGER) -> dict[str, str]:
    """The files of the gateway's own ConfigMap: Envoy's bootstrap, and the routes around those of endpoints."""
    inputs = envoy_settings(settings, run, ledger)
    frame = envoy.frame(inputs) | {"statistics": counters.FILTER, "start_seconds": settings.start_timeout}
    files = {"bootstrap.json": envoy.bootstrap(inputs), "frame.json": frame}
    return {name: json.dumps(content, indent=1, sort_keys=True) for name, content in files.items()}


def envoy_settings(settings: ClusterSettings, run: str = RUN, ledger: str = LEDGER) -> envoy.GatewaySettings:
    """Inputs of the documents besides the endpoints."""
    service = names.GATEWAY
    own = [service, *(f"{service}.{settings.namespace}{domain}" for domain in ("", ".svc", ".svc.cluster.local"))]
    return envoy.GatewaySettings(
        address="0.0.0.0",
        port=settings.port,
        admin_socket=f"{run}/admin.sock",
        shadow_socket=f"{run}/shadow.sock",
        xds=f"{run}/xds",
        edge_log=f"{ledger}/edge.jsonl",
        shadow_log=f"{ledger}/shadow.jsonl",
        predict_timeout=settings.predict_timeout,
        shadow_timeout=settings.shadow_timeout,
        start_timeout=settings.start_timeout,
        request_timeout=settings.request_timeout,
        hosts=(*own, *settings.hosts, *_host_of(settings.url)),
        token=TOKEN_PLACEHOLDER,
        key_variable=KEY_VARIABLE,
    )


def _host_of(url: str | None) -> list[str]:
    """The host in the gateway's URL, as a ``Host`` header has it."""
    host = urlsplit(url or "").hostname
    return [f"[{host}]" if ":" in host else host] if host else []
