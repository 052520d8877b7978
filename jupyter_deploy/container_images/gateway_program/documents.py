"""Objects of Kubernetes as Envoy's documents. Pure.

An endpoint's ConfigMap holds its part of each document, without secrets (``targets/kubernetes/gateway``)::

    data: {endpoint, revision, hash}
    binaryData: {documents: gzip of {"cds": [clusters], "edge": [routes], "shadow": [routes], "idle": {…}}}

``idle`` has the Services of releases that have no pod while there are no requests, with the seconds until then.
``hash`` is the SHA-256 of the unpacked text. EndpointSlices or Endpoints have the addresses of releases' pods.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .envoy import TOKEN, Json

SALT = "${NBDEPLOY_SALT}"
"""Stands for an endpoint's salt in its part."""

TOKEN_PLACEHOLDER = "${NBDEPLOY_TOKEN}"  # noqa: S105 - stands for the token
"""Stands for the clients' token in the frame."""

Address = tuple[str, int]

Addresses = Mapping[str, tuple[Address, ...]]
"""Name of a Service -> address and port of each pod that gets requests."""


class Pods(NamedTuple):
    """Addresses of a Service's pods: those that are ready, and those that may still, or soon, answer."""

    ready: tuple[Address, ...]
    others: tuple[Address, ...]


NOWHERE = ("127.0.0.1", 1)
"""The address of a release without a pod: it refuses connections, so that Envoy repeats the request for a while."""

_MOST_BYTES = 16 * 1024 * 1024
_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_RELEASE = re.compile(r"nbd-[a-z0-9-]{0,58}[a-z0-9]")
_TYPES = {
    "cds": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "eds": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
}


class Invalid(Exception):
    """An object or a secret that cannot be used, with the reason; it holds no secret."""


@dataclass(frozen=True)
class Part:
    """One endpoint's part of the documents.

    Attributes
    ----------
    digest
        The hash in its ConfigMap.
    idle
        By Service, the seconds without a request after which its Deployment has no pod.
    """

    endpoint: str
    digest: str
    cds: tuple[Json, ...]
    edge: tuple[Json, ...]
    shadow: tuple[Json, ...]
    idle: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        endpoint: str,
        digest: str,
        *,
        cds: list[Json],
        edge: list[Json],
        shadow: list[Json],
        idle: Mapping[str, float] | None = None,
    ) -> Part:
        """A part from lists, as JSON has them."""
        return cls(endpoint, digest, tuple(cds), tuple(edge), tuple(shadow), dict(idle or {}))

    def services(self) -> set[str]:
        """The names of the Services with the releases' addresses."""
        return {str(one["eds_cluster_config"]["service_name"]) for one in self.cds if "eds_cluster_config" in one}


@dataclass(frozen=True)
class Secrets:
    """What no ConfigMap holds: the key for releases, the salt for hashes, and the token of clients (empty: none)."""

    key: str
    salt: str
    token: str

    @classmethod
    def read(cls, folder: Path) -> Secrets:
        """The secrets in a folder. Raises Invalid."""

        def text(name: str) -> str:
            try:
                return (folder / name).read_text("ascii").strip()
            except FileNotFoundError:
                return ""
            except (OSError, UnicodeDecodeError) as error:
                raise Invalid(f"the Secret's '{name}' cannot be read: {type(error).__name__}") from error

        found = cls(text("key"), text("salt"), text("token"))
        if not TOKEN.fullmatch(found.key) or len(found.key) < 32:
            raise Invalid("the Secret's 'key' must be 32 to 512 of letters, digits and ._~+/=-")
        if found.token and not TOKEN.fullmatch(found.token):
            raise Invalid("the Secret's 'token' must be 16 to 512 of letters, digits and ._~+/=-")
        return found

    def masked(self, text: str) -> str:
        """The text without the secrets."""
        for secret in (self.key, self.token, self.salt):
            text = text.replace(secret, "•••") if secret else text
        return text


def digest_of(config_map: Json) -> tuple[str, str]:
    """The endpoint and the hash that a ConfigMap names; empty where it has none."""
    data = config_map.get("data") or {}
    return str(data.get("endpoint", "")), str(data.get("hash", ""))


def part_of(config_map: Json, secrets: Secrets) -> Part | None:
    """The part in an endpoint's ConfigMap; None: it has none (yet). Raises Invalid."""
    endpoint, digest = digest_of(config_map)
    packed = (config_map.get("binaryData") or {}).get("documents")
    if not packed:
        return None
    if not endpoint or not digest:
        raise Invalid("it has no 'endpoint' or no 'hash'")
    try:
        unpacking = zlib.decompressobj(wbits=31)  # gzip
        text = unpacking.decompress(base64.b64decode(packed, validate=True), _MOST_BYTES)
    except (binascii.Error, zlib.error, TypeError, ValueError) as error:
        raise Invalid(f"its documents cannot be unpacked: {error}") from error
    if not unpacking.eof:
        raise Invalid("its documents are cut off, or too large")
    if hashlib.sha256(text).hexdigest() != digest:
        raise Invalid("its documents do not have the hash that it names")
    try:
        return _checked(endpoint, digest, json.loads(text.replace(SALT.encode(), _salt(endpoint, secrets).encode())))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Invalid(f"its documents have another form: {type(error).__name__} {error}") from error


def _salt(endpoint: str, secrets: Secrets) -> str:
    """An endpoint's salt (``endpoint_salt`` of ``targets/envoy/routes.py``)."""
    key = secrets.salt.encode()[:64]
    return hashlib.blake2b(endpoint.encode(), key=key, digest_size=16).hexdigest() if key else "-"


def _checked(endpoint: str, digest: str, found: Json) -> Part:
    """A part that names only clusters and paths of its endpoint, so that it can harm no other one."""
    idle = {str(service): float(seconds) for service, seconds in found.get("idle", {}).items()}
    part = Part.of(endpoint, digest, cds=found["cds"], edge=found["edge"], shadow=found["shadow"], idle=idle)
    for cluster in part.cds:
        own = str(cluster["name"]).removeprefix("shadow-hop/").removeprefix("shadow/")
        if not own.startswith((f"{endpoint}:", f"{endpoint}/")):
            raise Invalid(f"the cluster '{cluster['name']}' is not of this endpoint")
    for route in part.edge:
        match = route["match"]
        path = str(match.get("prefix") or match.get("path") or match["safe_regex"]["regex"])
        if path != f"/{endpoint}" and not path.startswith(f"/{endpoint}/"):
            raise Invalid(f"the route '{route['name']}' is not of this endpoint")
    for service in part.services():
        if not _SERVICE.fullmatch(service):
            raise Invalid(f"'{service}' is no name of a Service")
    for service in part.idle:
        if not _RELEASE.fullmatch(service):
            raise Invalid(f"'{service}' is no release, and only releases become idle")
    return part


def joined(frame: Json, parts: Iterable[Part], token: str) -> Json:
    """The documents that Envoy watches, with the parts of all endpoints."""
    known = sorted(parts, key=lambda part: part.endpoint)
    clusters = sorted((one for part in known for one in part.cds), key=lambda one: str(one["name"]))
    guard = json.loads(json.dumps(frame["guard"]).replace(TOKEN_PLACEHOLDER, token)) if token else []
    edge = [route for part in known for route in part.edge]
    shadow = [route for part in known for route in part.shadow]
    return {
        "cds": _versioned({"type_url": _TYPES["cds"], "resources": clusters}),
        "edge": _versioned(_with_routes(frame["edge"], lambda routes: [*routes[:-1], *guard, *edge, routes[-1]])),
        "shadow": _versioned(_with_routes(frame["shadow"], lambda _: shadow)),
    }


def _with_routes(document: Json, change: Callable[[list[Json]], list[Json]]) -> Json:
    (table,) = document["resources"]
    (host,) = table["virtual_hosts"]
    hosts = [{**host, "routes": change(host["routes"])}]
    return {**document, "resources": [{**table, "virtual_hosts": hosts}]}


def _versioned(document: Json) -> Json:
    content = json.dumps(document["resources"], sort_keys=True)
    return {**document, "version_info": hashlib.sha256(content.encode()).hexdigest()[:16]}


def assignment(service: str, addresses: Addresses) -> Json:
    """The document with the addresses of one Service (EDS)."""
    hosts = [
        {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}
        for address, port in addresses.get(service) or (NOWHERE,)
    ]
    resource = {"@type": _TYPES["eds"], "cluster_name": service, "endpoints": [{"lb_endpoints": hosts}]}
    return _versioned({"type_url": _TYPES["eds"], "resources": [resource]})


def addresses(found: Mapping[str, Pods]) -> dict[str, tuple[Address, ...]]:
    """The addresses that get requests, by Service.

    Those that are ready; if none is, those that may still answer, such as of a node that its cluster cannot reach:
    a release that starts has Envoy repeat the request.
    """
    return {service: pods.ready or pods.others for service, pods in found.items()}


def pods_of(objects: Iterable[Json]) -> dict[str, Pods]:
    """The pods by Service, from EndpointSlices or Endpoints. A pod that ends is none of them."""
    ready: dict[str, set[Address]] = {}
    others: dict[str, set[Address]] = {}
    for found in objects:
        for service, address, is_ready in _of_slice(found) if "endpoints" in found else _of_endpoints(found):
            (ready if is_ready else others).setdefault(service, set()).add(address)
    return {
        service: Pods(tuple(sorted(ready.get(service, ()))), tuple(sorted(others.get(service, ()))))
        for service in {*ready, *others}
    }


def _of_slice(found: Json) -> Iterable[tuple[str, Address, bool]]:
    service = str((found["metadata"].get("labels") or {}).get("kubernetes.io/service-name", ""))
    port = _port(found.get("ports"))
    for endpoint in found["endpoints"] or () if port else ():
        conditions = endpoint.get("conditions") or {}
        if not conditions.get("terminating"):
            for address in endpoint["addresses"]:
                yield service, (str(address), port), conditions.get("ready") is not False


def _of_endpoints(found: Json) -> Iterable[tuple[str, Address, bool]]:
    for subset in found.get("subsets") or ():
        if port := _port(subset.get("ports")):
            for kind in ("addresses", "notReadyAddresses"):
                for address in subset.get(kind) or ():
                    yield str(found["metadata"]["name"]), (str(address["ip"]), port), kind == "addresses"


def _port(ports: list[Json] | None) -> int:
    return next((int(one["port"]) for one in ports or () if one.get("name") == "http"), 0)


def static(bootstrap: Json, watched: Json) -> Json:
    """One document with the content of the watched ones: ``envoy --mode validate`` does not load those."""
    found = json.loads(json.dumps(bootstrap))
    found.pop("dynamic_resources", None)
    found.pop("admin", None)
    tables = {kind: _plain(watched[kind]["resources"][0]) for kind in ("edge", "shadow")}
    for listener in found["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            manager = chain["filters"][0]["typed_config"]
            manager["route_config"] = tables[manager.pop("rds")["route_config_name"]]
    found["static_resources"].setdefault("clusters", []).extend(_plain(one) for one in watched["cds"]["resources"])
    return dict(found)


def _plain(resource: Json) -> Json:
    return {key: value for key, value in resource.items() if key != "@type"}
