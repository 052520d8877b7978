"""What Envoy's admin interface says: statistics, the documents in force, the clusters that are ready."""

from __future__ import annotations

import re
from collections.abc import Iterable

import httpx

from .envoy import Json


def document_stats(admin: httpx.Client, prefixes: Iterable[str]) -> dict[str, str]:
    """Which versions of the watched documents are in force, and how often one was rejected."""
    any_of = "|".join(map(re.escape, prefixes))
    return stats(admin, rf"^({any_of})\.(version_text|update_rejected)$")


def stats(admin: httpx.Client, pattern: str) -> dict[str, str]:
    """Envoy's statistics; empty while Envoy is away."""
    try:
        lines = admin.get("/stats", params={"filter": pattern}).text.splitlines()
    except httpx.TransportError:
        return {}
    return {name: value.strip('"') for name, _, value in (line.partition(": ") for line in lines)}


def median(histogram: str) -> float | None:
    """Milliseconds, from ``P0(interval,total) … P50(nan,2.05) …``: the total is since Envoy started."""
    found = re.search(r"P50\([^,]+,([0-9.]+)\)", histogram)
    return float(found[1]) if found else None


def clusters_known(admin: httpx.Client, document: Json) -> bool:
    """A cluster is there only when Envoy has warmed it up; its version is in force before."""
    try:
        known = {line.partition("::")[0] for line in admin.get("/clusters").text.splitlines()}
    except httpx.TransportError:
        return False
    return all(resource["name"] in known for resource in document["resources"])
