"""Names of clusters and of their counters in Envoy's documents. Pure."""

from __future__ import annotations

EDGE = "edge"
SHADOW = "shadow"
METRICS = "metrics"


def cluster_name(endpoint: str, tag: str) -> str:
    """The cluster of a release: its tag, or ``<endpoint>/<tag>`` for a snapshot deployed under another name."""
    return tag if tag.partition(":")[0] == endpoint else f"{endpoint}/{tag}"


def hop_name(endpoint: str, tag: str) -> str:
    """The first hop of a shadow's mirrored requests."""
    return f"shadow-hop/{cluster_name(endpoint, tag)}"


def shadow_name(endpoint: str, tag: str) -> str:
    """The cluster of a release in its role as a shadow."""
    return f"shadow/{cluster_name(endpoint, tag)}"


def stat_name(cluster: str) -> str:
    """A cluster's name in the names of Envoy's statistics."""
    return cluster.replace(":", "_")


def non_prediction_stats(endpoint: str, cluster: str) -> list[str]:
    """Names of the statistics of a release's other requests: feedback, metadata, health."""
    return [f"vhost.{host}.route.{stat_name(cluster)}" for host in (EDGE, own_host(endpoint))]


def own_host(endpoint: str) -> str:
    """The name of the virtual host of one endpoint."""
    return f"{EDGE}-{endpoint}"
