"""Endpoints as Envoy configuration (v3 JSON). Pure: values in, documents out, no I/O.

A request's way, with everything that has a name in the documents::

    client ── edge listener (TCP) ─┬─ route <endpoint>/predict ─┬─ cluster <tag of stable>
                                   │                            └─ cluster <tag of the canary>
                                   ├─ route <endpoint>          ─── cluster <tag of stable>
                                   └─ mirror ── cluster shadow-hop/<tag> ── shadow listener (pipe)
                                                                            └─ cluster shadow/<tag>

A mirror has no timeout of its own and its overflow leaves no line in a log. So copies go through a second
listener, the shadow listener, which gives each its timeout, a small circuit breaker and a line in the shadow ledger.
That a shadow has a cluster of its own (``shadow/<tag>``) keeps clusters constant: a promotion changes routes
only, never a cluster that has requests in flight.

Headers. What a client sends as ``x-pair-id``, ``x-rollout-*`` or ``x-envoy-*`` is removed before anything else
happens; the edge then stamps ``x-pair-id`` with Envoy's own unique id, and a prediction with ``x-rollout-role``,
``x-rollout-release``, ``x-rollout-endpoint`` and ``x-rollout-record`` (what is to be recorded of it).
``x-request-id`` is the caller's, or made up when there is none.
A client that sends ``x-sticky-key`` (a user's or a session's id) is answered by the same release, stable
or canary, for as long as the shares stay; when the canary grows, keys only move towards it.

Who may ask. A request for another host than those named is answered with 421: a web page whose name was made to
point to this machine (DNS rebinding) gets no further. With a token, a request without it is answered with 401. Both
are part of the routes, so that they come into force, and are confirmed, as any change of them. What proves who a
client is (token, ``authorization``, ``cookie``) is removed before a release sees the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_deploy.domain.endpoint import Endpoint

from . import envoy_parts as parts

Json = dict[str, Any]

Sockets = Mapping[tuple[str, str], Sequence[str]]
"""(endpoint's name, release's tag) -> the unix sockets of its workers."""

EDGE = "edge"
SHADOW = "shadow"
STICKY_HEADER = "x-sticky-key"
TOKEN_HEADER = "x-nbdeploy-token"  # noqa: S105 - a header's name

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")

_DISCOVERY = {
    "cluster": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "route": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}

# The first hop must never drop a copy unseen; the second keeps a hanging shadow from eating the machine: with
# a breaker of 100000 there, Envoy grew to 247 MiB.
_HOP_BREAKER = 4096
_SHADOW_BREAKER = 64
_BREAKER = 1024


@dataclass(frozen=True)
class GatewaySettings:
    """What the documents depend on besides the endpoints.

    Attributes
    ----------
    xds
        The folder of the watched documents: ``<xds>/cds/cds.json``, ``<xds>/edge/edge.json``,
        ``<xds>/shadow/shadow.json``. A folder each, since Envoy reads a document again whenever
        something is renamed into its folder.
    hosts
        Names by which clients may call the gateway, beside those of this machine itself; ``*.`` may stand before one.
    token
        What every request must carry in ``x-nbdeploy-token``, or as a bearer token; empty: nothing.
    """

    port: int
    admin_socket: str
    shadow_socket: str
    xds: str
    edge_log: str
    shadow_log: str
    predict_timeout: float = 60.0
    shadow_timeout: float = 30.0
    hosts: tuple[str, ...] = ()
    token: str = field(default="", repr=False)


def cluster_name(endpoint: str, tag: str) -> str:
    """The cluster of a release: its tag, or ``<endpoint>/<tag>`` for a snapshot deployed under another name."""
    return tag if tag.partition(":")[0] == endpoint else f"{endpoint}/{tag}"


def hop_name(endpoint: str, tag: str) -> str:
    """The first hop of the copies for a shadow."""
    return f"shadow-hop/{cluster_name(endpoint, tag)}"


def shadow_name(endpoint: str, tag: str) -> str:
    """The cluster of a release in its role as a shadow."""
    return f"shadow/{cluster_name(endpoint, tag)}"


def stat_name(cluster: str) -> str:
    """How Envoy writes a cluster's name in the names of its statistics."""
    return cluster.replace(":", "_")


def document_path(settings: GatewaySettings, kind: str) -> str:
    """Where the watched document ``cds``, ``edge`` or ``shadow`` lies."""
    return f"{settings.xds}/{kind}/{kind}.json"


def bootstrap(settings: GatewaySettings) -> Json:
    """The static part: admin, both listeners, and where the watched documents lie."""
    return {
        "node": {"id": "nbdeploy", "cluster": "nbdeploy"},
        "admin": {"address": parts.pipe(settings.admin_socket)},
        "dynamic_resources": {"cds_config": parts.watched(document_path(settings, "cds"))},
        "static_resources": {
            "listeners": [
                parts.edge_listener(
                    settings.port,
                    {"rds": _rds(settings, EDGE)},
                    settings.edge_log,
                    # A prediction may take predict_timeout without a byte going either way.
                    idle=max(300.0, settings.predict_timeout + 10.0),
                ),
                parts.shadow_listener(settings.shadow_socket, {"rds": _rds(settings, SHADOW)}, settings.shadow_log),
            ]
        },
    }


def clusters(endpoints: Iterable[Endpoint], sockets: Sockets, settings: GatewaySettings, version: str) -> Json:
    """The CDS document."""
    found: dict[str, Json] = {}
    for endpoint in _running(endpoints):
        for tag in endpoint.traffic.tags():
            paths = sockets[endpoint.name, tag]
            if tag in endpoint.traffic.shadows:
                hop, shadow = hop_name(endpoint.name, tag), shadow_name(endpoint.name, tag)
                found[hop] = parts.cluster(hop, [settings.shadow_socket], _HOP_BREAKER)
                found[shadow] = parts.cluster(shadow, paths, _SHADOW_BREAKER)
            else:
                name = cluster_name(endpoint.name, tag)
                found[name] = parts.cluster(name, paths, _BREAKER)
    return _discovery("cluster", [found[name] for name in sorted(found)], version)


def edge_routes(endpoints: Iterable[Endpoint], settings: GatewaySettings, version: str) -> Json:
    """The RDS document of the edge listener."""
    routes = [route for endpoint in _running(endpoints) for route in _edge_routes(endpoint, settings)]
    hosts = list(dict.fromkeys([*LOCAL_HOSTS, *settings.hosts]))
    known = {
        "name": EDGE,
        "domains": hosts,
        "routes": [*_guard(settings.token), *routes, parts.refusal("unknown", 404, "unknown endpoint")],
        "request_headers_to_remove": [TOKEN_HEADER, "authorization", "cookie"],
    }
    words = f"this gateway answers to {', '.join(hosts)}; the setting NBDEPLOY_HOSTS names more"
    foreign = {"name": "foreign host", "domains": ["*"], "routes": [parts.refusal("foreign host", 421, words)]}
    return _table(EDGE, [known, foreign], version)


def _guard(token: str) -> list[Json]:
    """The route of those who do not carry the token; it stands before all others."""
    if not token:
        return []
    words = f"send the endpoint's token in the header '{TOKEN_HEADER}', or as 'authorization: Bearer …'"
    refusal = parts.refusal("no token", 401, words)
    missing = [parts.header_is_not(TOKEN_HEADER, token), parts.header_is_not("authorization", f"Bearer {token}")]
    refusal["match"]["headers"] = missing
    refusal["response_headers_to_add"] = [parts.overwrite("www-authenticate", 'Bearer realm="nbdeploy"')]
    return [refusal]


def shadow_routes(endpoints: Iterable[Endpoint], settings: GatewaySettings, version: str) -> Json:
    """The RDS document of the shadow listener: by endpoint and release, as the mirror stamped them."""
    routes = [
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
                "timeout": parts.seconds(settings.shadow_timeout),
                "retry_policy": parts.retry_policy(patient=False),
            },
        }
        for endpoint in _running(endpoints)
        for tag in endpoint.traffic.shadows
    ]
    return _table(SHADOW, [{"name": SHADOW, "domains": ["*"], "routes": routes}], version)


def static(endpoints: Sequence[Endpoint], sockets: Sockets, settings: GatewaySettings) -> Json:
    """Everything in one static document, for ``envoy --mode validate``, which does not load the watched ones."""
    document = bootstrap(settings)
    del document["dynamic_resources"]
    document["static_resources"]["clusters"] = _inlined(clusters(endpoints, sockets, settings, "static"))
    edge, shadow = document["static_resources"]["listeners"]
    for listener, routes in (
        (edge, edge_routes(endpoints, settings, "static")),
        (shadow, shadow_routes(endpoints, settings, "static")),
    ):
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        del manager["rds"]
        manager["route_config"] = _inlined(routes)[0]
    return document


def _running(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    return sorted((e for e in endpoints if e.running), key=lambda endpoint: endpoint.name)


def _edge_routes(endpoint: Endpoint, settings: GatewaySettings) -> list[Json]:
    name, stable = endpoint.name, cluster_name(endpoint.name, endpoint.traffic.stable)
    rest = {
        "cluster": stable,
        "prefix_rewrite": "/",
        "timeout": parts.seconds(settings.predict_timeout),
        "retry_policy": parts.retry_policy(patient=False),  # who asks for health wants to hear of it now
    }
    return [
        {"name": f"{name}/predict", "match": {"path": f"/{name}/predict"}, "route": _prediction(endpoint, settings)},
        {"name": name, "match": {"prefix": f"/{name}/"}, "route": rest},
        {"name": f"{name} bare", "match": {"path": f"/{name}"}, "route": rest},
    ]


def _prediction(endpoint: Endpoint, settings: GatewaySettings) -> Json:
    traffic = endpoint.traffic
    # Of ten thousand; the canary last, so that a growing canary takes keys from stable and never gives one back.
    canary = min(10_000, max(1, round(traffic.canary_percent * 100))) if traffic.canary else 0
    weighted = [_weighted(endpoint, traffic.stable, "stable", 10_000 - canary)] if canary < 10_000 else []
    if traffic.canary:
        weighted.append(_weighted(endpoint, traffic.canary, "canary", canary))
    route: Json = {
        "weighted_clusters": {"clusters": weighted, "use_hash_policy": True},
        "hash_policy": [{"header": {"header_name": STICKY_HEADER}}],
        "prefix_rewrite": "/predict",
        "timeout": parts.seconds(settings.predict_timeout),
        "retry_policy": parts.retry_policy(patient=True),
    }
    mirrors = [_mirror(endpoint, tag, percent) for tag, percent in traffic.shadows.items() if percent > 0]
    if mirrors:
        route["request_mirror_policies"] = mirrors
    return route


def _weighted(endpoint: Endpoint, tag: str, role: str, weight: int) -> Json:
    return {
        "name": cluster_name(endpoint.name, tag),
        "weight": weight,
        "request_headers_to_add": [
            parts.overwrite("x-rollout-role", role),
            parts.overwrite("x-rollout-release", tag),
            parts.overwrite("x-rollout-endpoint", endpoint.name),
            parts.overwrite("x-rollout-record", endpoint.record),
        ],
    }


def _mirror(endpoint: Endpoint, tag: str, percent: float) -> Json:
    return {
        "cluster": hop_name(endpoint.name, tag),
        "runtime_fraction": {
            "default_value": {"numerator": max(1, round(percent * 10_000)), "denominator": "MILLION"},
        },
        "disable_shadow_host_suffix_append": True,
        # The copy is taken after the primary's headers were set: without these it would carry stable's.
        "request_headers_mutations": [
            {"append": parts.overwrite("x-rollout-role", "shadow")},
            {"append": parts.overwrite("x-rollout-release", tag)},
            {"append": parts.overwrite("x-rollout-record", endpoint.record)},
        ],
    }


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
    """A discovery document's resources as they stand inside another message, where the type is known."""
    return [{key: value for key, value in r.items() if key != "@type"} for r in document["resources"]]
