"""Endpoints as Envoy configuration (v3 JSON). Pure: values in, documents out, no I/O.

The path of a request, with the names in the documents::

    client ── edge listener (TCP) ─┬─ route <endpoint>/predict ─┬─ cluster <tag of stable>
                                   │  (/invocations, /v2/…)     └─ cluster <tag of the canary>
                                   ├─ route <endpoint>/metrics  ── cluster metrics (the exporter)
                                   ├─ route <endpoint>/feedback ── cluster <tag of stable>
                                   ├─ route <endpoint>          ─── cluster <tag of stable>
                                   └─ mirror ── cluster shadow-hop/<tag> ── shadow listener (pipe)
                                                                            └─ cluster shadow/<tag>

A mirror has no timeout of its own, and its overflow is not logged. So mirrored requests pass a second listener, the
shadow listener, which gives each a timeout, a small circuit breaker and a line in the shadow ledger. A shadow has a
cluster of its own (``shadow/<tag>``), so that a promotion changes only routes and no cluster with requests in flight.

For the host ``<endpoint>.localhost`` the same routes lack the prefix ``/<endpoint>``: clients of some protocols allow
no path before their own. A name with ``_`` is no host name, and has no such host.

Headers. The edge first removes ``x-pair-id``, ``x-rollout-*`` and ``x-envoy-*`` of the client. It then sets
``x-pair-id`` to Envoy's unique id, and for a prediction ``x-rollout-role``, ``x-rollout-release``,
``x-rollout-endpoint`` and ``x-rollout-record`` (the mode of recording). Feedback gets only ``x-rollout-record``: it is
no prediction, so it is neither mirrored nor in the ledger. Predictions have ``x-rollout-salt`` too, and those that
stable shares with a canary ``x-rollout-canary``: the canary, and its share in force.
``x-request-id`` is the client's, or a new one.
A client that sends ``x-sticky-key`` (the id of a user or a session) gets the same release, stable or canary, while
the shares stay; when the canary grows, keys only move towards it.

Access. A request for an unknown host gets 421, which stops DNS rebinding by web pages. With a token, a request
without it gets 401. Both are part of the routes, so they come into force and are confirmed like them. The gateway
removes the client's credentials (token, ``authorization``, ``cookie``) before a release sees the request.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from jupyter_deploy.domain.release.endpoint import Endpoint

from . import parts
from .names import EDGE, METRICS, SHADOW, cluster_name, hop_name, own_host, shadow_name
from .parts import Json
from .routes import endpoint_routes, endpoint_salt, metrics_route
from .upstream import UPSTREAM_IDLE_SECONDS, Upstream, cluster, collector

Upstreams = Mapping[tuple[str, str], Upstream]
"""(endpoint's name, release's tag) -> where its processes listen."""

TOKEN_HEADER = "x-nbdeploy-token"  # noqa: S105 - a header's name

OWN_DOMAIN = "localhost"
"""The domain of the endpoints' own hosts; it always resolves to this machine (RFC 6761)."""

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")

_DISCOVERY = {
    "cluster": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "route": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}

# The first hop must not drop mirrored requests; the second bounds the memory of a hanging shadow: with a breaker of
# 100000 there, Envoy grew to 247 MiB.
_HOP_BREAKER = 4096
_SHADOW_BREAKER = 64
_BREAKER = 1024
_METRICS_BREAKER = 16
_MOST_OF_AN_EXPRESSION = 5000


@dataclass(frozen=True)
class GatewaySettings:
    """Inputs of the documents besides the endpoints.

    Attributes
    ----------
    xds
        The folder of the watched documents: ``<xds>/cds/cds.json``, ``<xds>/edge/edge.json``,
        ``<xds>/shadow/shadow.json``. A folder each, since Envoy reads a document again whenever
        something is renamed into its folder.
    hosts
        Names by which clients may call the gateway, besides those of this machine; a name may begin with ``*.``.
    token
        The token that requests must carry in ``x-nbdeploy-token``, or as a bearer token; empty: none.
    request_timeout
        Seconds in which a whole request must have arrived.
    start_timeout
        Seconds for the start of a release, which a request to an idle one may last longer.
    traces
        URL of the OpenTelemetry collector; None, or not plain ``http``: the gateway makes no spans and passes the
        client's trace on.
    address
        The address on which the edge listens.
    own_socket
        The unix socket of a listener with the edge's routes, for nbdeploy's own requests: no other user can take it,
        while the port of an Envoy that is away is anybody's. Empty: there is none.
    salt
        The secret with which releases hash ``x-sticky-key`` for their records; empty: they do not record it.
    key_variable
        Envoy's environment variable with the key by which releases on other hosts know it; empty: they need none.
    """

    port: int
    admin_socket: str
    shadow_socket: str
    xds: str
    edge_log: str
    shadow_log: str
    predict_timeout: float = 60.0
    shadow_timeout: float = 30.0
    start_timeout: float = 120.0
    request_timeout: float = 120.0
    hosts: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    traces: str | None = None
    address: str = "127.0.0.1"
    own_socket: str = ""
    metrics_socket: str = ""
    salt: str = field(default="", repr=False)
    key_variable: str = ""


def document_path(settings: GatewaySettings, kind: str) -> str:
    """The path of the watched document ``cds``, ``edge`` or ``shadow``."""
    return f"{settings.xds}/{kind}/{kind}.json"


def bootstrap(settings: GatewaySettings) -> Json:
    """The static part: admin, the listeners, and the paths of the watched documents."""
    traces = _collector_of(settings)
    return {
        "node": {"id": "nbdeploy", "cluster": "nbdeploy"},
        "admin": {"address": parts.pipe(settings.admin_socket), "ignore_global_conn_limit": True},
        # An expression holds an endpoint's name twice, and a name may have 63 characters.
        "layered_runtime": {
            "layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": _MOST_OF_AN_EXPRESSION}}]
        },
        "overload_manager": parts.overload(),
        "dynamic_resources": {"cds_config": parts.watched(document_path(settings, "cds"))},
        "static_resources": {
            "listeners": _listeners(settings, {"rds": _rds(settings, EDGE)}, {"rds": _rds(settings, SHADOW)}),
            **({"clusters": [collector(traces)]} if traces else {}),
        },
    }


def _listeners(settings: GatewaySettings, edge: Json, shadow: Json) -> list[Json]:
    """The listeners, with the routes of the edge and of shadows."""
    manager = parts.edge_manager(
        edge,
        settings.edge_log,
        # A prediction may take predict_timeout without a byte going either way.
        idle=max(300.0, settings.predict_timeout + settings.start_timeout + 10.0),
        arrival=settings.request_timeout,
        traces=_collector_of(settings),
        key_variable=settings.key_variable,
    )
    return [
        parts.edge_listener((settings.address, settings.port), manager),
        *([parts.own_listener(settings.own_socket, manager)] if settings.own_socket else []),
        parts.shadow_listener(settings.shadow_socket, shadow, settings.shadow_log),
    ]


def _collector_of(settings: GatewaySettings) -> str | None:
    return settings.traces if settings.traces and settings.traces.startswith("http://") else None


def clusters(endpoints: Iterable[Endpoint], upstreams: Upstreams, settings: GatewaySettings, version: str) -> Json:
    """The CDS document."""
    found = [one for endpoint in _running(endpoints) for one in _endpoint_clusters(endpoint, upstreams, settings)]
    if settings.metrics_socket:
        found.append(cluster(METRICS, settings.metrics_socket, _METRICS_BREAKER))
    return _discovery("cluster", sorted(found, key=lambda one: str(one["name"])), version)


def _endpoint_clusters(endpoint: Endpoint, upstreams: Upstreams, settings: GatewaySettings) -> list[Json]:
    found: list[Json] = []
    for tag in endpoint.traffic.tags():
        upstream, idle = upstreams[endpoint.name, tag], _idle_seconds(endpoint, tag)
        if tag in endpoint.traffic.shadows:
            hop, shadow = hop_name(endpoint.name, tag), shadow_name(endpoint.name, tag)
            found.append(cluster(hop, settings.shadow_socket, _HOP_BREAKER))
            found.append(cluster(shadow, upstream, _SHADOW_BREAKER, idle))
        else:
            found.append(cluster(cluster_name(endpoint.name, tag), upstream, _BREAKER, idle))
    return found


def _idle_seconds(endpoint: Endpoint, tag: str) -> float:
    """Seconds after which an idle connection is closed: a release waits for that before it becomes idle itself."""
    idle_after = endpoint.release(tag).resources.idle_after
    return min(UPSTREAM_IDLE_SECONDS, (idle_after or math.inf) / 2)


def edge_routes(endpoints: Iterable[Endpoint], settings: GatewaySettings, version: str) -> Json:
    """The RDS document of the edge listener."""
    running = _running(endpoints)
    routes = [route for endpoint in running for route in _edge_routes(endpoint, settings, f"/{endpoint.name}")]
    if settings.metrics_socket:
        routes.append(metrics_route("", "/metrics"))
    hosts = list(dict.fromkeys([*LOCAL_HOSTS, *settings.hosts]))
    known = _host(EDGE, hosts, [*routes, parts.refusal("unknown", 404, "unknown endpoint")], settings)
    own = [
        _host(
            own_host(one.name),
            [f"{one.name}.{OWN_DOMAIN}"],
            _edge_routes(one, settings, ""),
            settings,
        )
        for one in running
        if "_" not in one.name
    ]
    words = (
        f"this gateway answers to {', '.join(hosts)}, and to NAME.{OWN_DOMAIN} for a running endpoint whose name has "
        "no '_'; the setting NBDEPLOY_HOSTS names more"
    )
    refused = [_several_hosts(), parts.refusal("foreign host", 421, words)]
    foreign = {"name": "foreign host", "domains": ["*"], "routes": refused}
    return _table(EDGE, [known, *own, foreign], version)


def _edge_routes(endpoint: Endpoint, settings: GatewaySettings, root: str) -> list[Json]:
    salt = endpoint_salt(endpoint.name, settings.salt) if settings.salt else ""
    exported = [metrics_route(endpoint.name, f"{root}/metrics")] if settings.metrics_socket else []
    return [*exported, *endpoint_routes(endpoint, _predict_seconds(endpoint, settings), root, salt)]


def _predict_seconds(endpoint: Endpoint, settings: GatewaySettings) -> float:
    """Seconds that a request may take; the start of an idle release counts."""
    return settings.predict_timeout + max(_start_seconds(endpoint, tag, settings) for tag in endpoint.traffic.tags())


def _start_seconds(endpoint: Endpoint, tag: str, settings: GatewaySettings) -> float:
    return settings.start_timeout if endpoint.release(tag).resources.idles else 0.0


def _host(name: str, domains: Sequence[str], routes: Sequence[Json], settings: GatewaySettings) -> Json:
    return {
        "name": name,
        "domains": list(domains),
        "routes": [_several_hosts(), *_guard(settings.token), *routes],
        "request_body_buffer_limit": parts.RETRIED_BYTES,
        "request_headers_to_remove": [TOKEN_HEADER, "authorization", "cookie"],
    }


def _several_hosts() -> Json:
    """The route before all others, for requests with several Host headers, which Envoy joins with a comma."""
    refusal = parts.refusal("several hosts", 400, "the request has several Host headers; send one")
    refusal["match"]["headers"] = [parts.contains(":authority", ",")]
    return refusal


def _guard(token: str) -> list[Json]:
    """The route before the endpoints', for requests without the token."""
    if not token:
        return []
    words = f"send the endpoint's token in the header '{TOKEN_HEADER}', or as 'authorization: Bearer …'"
    refusal = parts.refusal("no token", 401, words)
    missing = [parts.header_is_not(TOKEN_HEADER, token), parts.header_is_not("authorization", f"Bearer {token}")]
    refusal["match"]["headers"] = missing
    refusal["response_headers_to_add"] = [parts.overwrite("www-authenticate", 'Bearer realm="nbdeploy"')]
    return [refusal]


def shadow_routes(endpoints: Iterable[Endpoint], settings: GatewaySettings, version: str) -> Json:
    """The RDS document of the shadow listener: by the endpoint and the release in the mirror's headers."""
    routes = [route for endpoint in _running(endpoints) for route in _endpoint_shadow_routes(endpoint, settings)]
    return _table(SHADOW, [{"name": SHADOW, "domains": ["*"], "routes": routes}], version)


def _endpoint_shadow_routes(endpoint: Endpoint, settings: GatewaySettings, waiting: bool = False) -> list[Json]:
    return [
        {
            "name": shadow_name(endpoint.name, tag),
            "match": {
                "prefix": "/",
                "headers": [
                    parts.header_is("x-rollout-endpoint", endpoint.name),
                    parts.header_is("x-rollout-release", tag),
                ],
            },
            "route": {
                "cluster": shadow_name(endpoint.name, tag),
                "timeout": parts.seconds(settings.shadow_timeout + _start_seconds(endpoint, tag, settings)),
                "retry_policy": parts.retry_policy(patient=waiting and endpoint.release(tag).resources.idles),
            },
        }
        for tag in endpoint.traffic.shadows
    ]


def fragment(endpoint: Endpoint, upstreams: Upstreams, settings: GatewaySettings, salt: str) -> dict[str, list[Json]]:
    """One endpoint's part of each document, for a gateway that joins the parts itself; see ``frame``.

    ``salt``: what stands for the endpoint's salt until the gateway replaces it.
    """
    if not endpoint.running:
        return {"cds": [], "edge": [], "shadow": []}
    return {
        "cds": _discovery("cluster", _endpoint_clusters(endpoint, upstreams, settings), "")["resources"],
        "edge": endpoint_routes(
            endpoint, _predict_seconds(endpoint, settings), f"/{endpoint.name}", salt, waiting=True
        ),
        "shadow": _endpoint_shadow_routes(endpoint, settings, waiting=True),
    }


def frame(settings: GatewaySettings) -> Json:
    """The documents around the parts, for a gateway that clients may call by any IP address.

    ``edge`` and ``shadow`` are route documents without endpoints: their routes belong before the last route of the
    edge's host, and into the shadow's. ``guard`` has the routes for requests without the token, which belong before
    those. A web page can rebind a name to the gateway's address, but no address: so all addresses are known hosts.
    """
    names = "|".join(_host_pattern(host) for host in [*LOCAL_HOSTS, *settings.hosts])
    words = f"this gateway answers to {', '.join(settings.hosts)}, and to its addresses; the setting 'hosts' names more"
    foreign = parts.refusal("foreign host", 421, words)
    pattern = rf"(?i)({names}|[0-9]+(\.[0-9]+){{3}}|\[[0-9a-f:.]+\])(:[0-9]+)?"
    foreign["match"]["headers"] = [parts.header_matches_not(":authority", pattern)]
    routes = [foreign, parts.refusal("unknown", 404, "unknown endpoint")]
    return {
        "edge": _table(EDGE, [_host(EDGE, ["*"], routes, replace(settings, token=""))], ""),
        "shadow": shadow_routes([], settings, ""),
        "guard": _guard(settings.token),
    }


def _host_pattern(host: str) -> str:
    """A regular expression for a host's name, which may begin with ``*.``."""
    rest = host.removeprefix("*")
    return ("" if rest == host else "[a-z0-9.-]+") + re.escape(rest)


def watched(endpoints: Iterable[Endpoint], upstreams: Upstreams, settings: GatewaySettings) -> dict[str, Json]:
    """The documents that Envoy watches, by kind; each has a hash of its content as its version."""
    served = list(endpoints)
    return {
        "cds": versioned(clusters(served, upstreams, settings, "")),
        "shadow": versioned(shadow_routes(served, settings, "")),
        "edge": versioned(edge_routes(served, settings, "")),
    }


def versioned(document: Json) -> Json:
    """The document with a version that is a hash of its content."""
    content = json.dumps(document["resources"], sort_keys=True)
    return document | {"version_info": hashlib.sha256(content.encode()).hexdigest()[:16]}


def static(endpoints: Sequence[Endpoint], upstreams: Upstreams, settings: GatewaySettings) -> Json:
    """One static document: ``envoy --mode validate`` does not load watched documents."""
    document = bootstrap(settings)
    del document["dynamic_resources"]
    (edge,) = _inlined(edge_routes(endpoints, settings, "static"))
    (shadow,) = _inlined(shadow_routes(endpoints, settings, "static"))
    document["static_resources"] = {
        "listeners": _listeners(settings, {"route_config": edge}, {"route_config": shadow}),
        "clusters": _inlined(clusters(endpoints, upstreams, settings, "static")),
    }
    return document


def _running(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    return sorted((e for e in endpoints if e.running), key=lambda endpoint: endpoint.name)


def _rds(settings: GatewaySettings, name: str) -> Json:
    return {"route_config_name": name, "config_source": parts.watched(document_path(settings, name))}


def _table(name: str, hosts: Sequence[Json], version: str) -> Json:
    table = {"name": name, "ignore_port_in_host_matching": True, "virtual_hosts": list(hosts)}
    return _discovery("route", [table], version)


def _discovery(kind: str, resources: Sequence[Json], version: str) -> Json:
    url = _DISCOVERY[kind]
    return {
        "version_info": version,
        "type_url": url,
        "resources": [{"@type": url, **resource} for resource in resources],
    }


def _inlined(document: Json) -> list[Json]:
    """A discovery document's resources without their types, for another message."""
    return [{key: value for key, value in r.items() if key != "@type"} for r in document["resources"]]
