"""What clusters, and what is counted of them, are called in Envoy's documents. Pure."""

from __future__ import annotations

EDGE = "edge"
SHADOW = "shadow"


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


def beside_stats(endpoint: str, cluster: str) -> list[str]:
    """What Envoy calls its statistics of what a release is asked beside predictions: feedback, metadata, health."""
    return [f"vhost.{host}.route.{stat_name(cluster)}" for host in (EDGE, own_host(endpoint))]


def own_host(endpoint: str) -> str:
    """The name of the virtual host of one endpoint."""
    return f"{EDGE}-{endpoint}"
