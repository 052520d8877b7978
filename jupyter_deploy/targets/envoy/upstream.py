"""Clusters of Envoy's documents: the processes of a release, and the collector of traces. Pure, as ``documents`` is."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from .parts import BUFFER_BYTES, COLLECTOR, TYPES, Json, seconds

# The worker keeps idle connections longer (``serving/hosting/server.py``), so that always Envoy closes them: otherwise
# a request could be lost on a connection that the worker is just closing.
UPSTREAM_IDLE_SECONDS = 60

# Of Linux, for connections to other hosts: data that is not acknowledged for so long breaks the connection.
_IPPROTO_TCP, _TCP_USER_TIMEOUT = 6, 18
_UNACKNOWLEDGED_MS = 4000


@dataclass(frozen=True)
class Discovered:
    """The processes of a release on other hosts, at addresses that change.

    Attributes
    ----------
    service
        The name of the service that has them.
    document
        The path of the watched document (EDS) with their addresses.
    """

    service: str
    document: str


Upstream = str | Discovered
"""Where a release listens: a unix socket's path, or discovered addresses."""


def _discovered(upstream: Discovered) -> Json:
    """The part of a cluster whose addresses a document has. A peer whose host is gone is left within seconds."""
    return {
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {
            "service_name": upstream.service,
            "eds_config": {"path_config_source": {"path": upstream.document}, "resource_api_version": "V3"},
        },
        "lb_policy": "LEAST_REQUEST",
        # A process that leaves the document gets no further request; those in progress there go on.
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_probes": 2, "keepalive_time": 2, "keepalive_interval": 1}
        },
        "upstream_bind_config": {
            "socket_options": [{"level": _IPPROTO_TCP, "name": _TCP_USER_TIMEOUT, "int_value": _UNACKNOWLEDGED_MS}]
        },
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 2,
            "consecutive_5xx": 0,
            "consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "2s",
            "max_ejection_time": "10s",
            "max_ejection_percent": 100,
        },
    }


def cluster(name: str, upstream: Upstream, breaker: int, idle: float = UPSTREAM_IDLE_SECONDS) -> Json:
    """A cluster of one release; at most ``breaker`` requests run and as many wait.

    ``idle``: seconds after which an idle connection is closed.
    """
    return {
        "name": name,
        **(_discovered(upstream) if isinstance(upstream, Discovered) else _at_socket(name, upstream)),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": breaker,
                    "max_pending_requests": breaker,
                    "max_requests": breaker,
                    "max_retries": breaker,  # all requests may wait for the restart of a worker
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": seconds(idle)},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _at_socket(name: str, path: str) -> Json:
    hosts = [{"endpoint": {"address": {"pipe": {"path": path}}}}]
    return {
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]},
    }


def collector(url: str) -> Json:
    """The cluster of an OpenTelemetry collector at a plain ``http`` URL."""
    parts = urlsplit(url)
    address = {"socket_address": {"address": parts.hostname, "port_value": parts.port or 80}}
    hosts = [{"endpoint": {"address": address}}]
    return {
        "name": COLLECTOR,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": COLLECTOR, "endpoints": [{"lb_endpoints": hosts}]},
    }
