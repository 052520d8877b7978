"""Envoy's counters of releases, read from its statistics. Pure, as ``documents`` is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.status import Counts

from . import names

Statistics = Mapping[str, str]
"""A statistic's name -> its value as Envoy writes it."""

FILTER = (
    rf"^(cluster|vhost\.{names.EDGE}(-[a-z0-9_-]+)?\.route)\..*\.upstream_rq_"
    r"(completed|4xx|5xx|time|active_overflow|pending_overflow)(: |$)"
)
"""The names of the statistics that this module reads, for Envoy's admin interface."""


def counts(endpoint: Endpoint, stats: Statistics, since: datetime | None) -> dict[str, Counts]:
    """The counters of predictions, for each release that has traffic, in its present role.

    ``since``: the start of Envoy.
    """
    found = {}
    for tag in endpoint.traffic.tags():
        shadow = endpoint.traffic.role_of(tag) == "shadow"
        cluster = (names.shadow_name if shadow else names.cluster_name)(endpoint.name, tag)
        prefix = f"cluster.{names.stat_name(cluster)}.upstream_rq"
        excluded = [f"{name}.upstream_rq" for name in names.non_prediction_stats(endpoint.name, cluster)]

        def predictions(counter: str, prefix: str = prefix, excluded: list[str] = excluded) -> int:
            others = sum(int(stats.get(f"{one}_{counter}", "0")) for one in excluded)
            return max(0, int(stats.get(f"{prefix}_{counter}", "0")) - others)

        if f"{prefix}_completed" in stats:
            found[tag] = Counts(
                requests=predictions("completed"),
                errors=predictions("5xx"),
                refused=predictions("4xx"),
                p50_ms=median(stats.get(f"{prefix}_time", "")),
                since=since,
            )
    return found


def overflowed(endpoint: Endpoint, stats: Statistics) -> dict[str, int]:
    """By shadow, the mirrored requests that Envoy dropped at the first hop; no ledger has these.

    Counted since Envoy started, or since the release became a shadow. A copy is dropped if too many run
    (``active``) or wait (``pending``). ``upstream_cx_overflow`` is not added: a copy without a free connection
    waits for one.
    """
    dropped = dict.fromkeys(endpoint.traffic.shadows, 0)
    for tag in dropped:
        prefix = f"cluster.{names.stat_name(names.hop_name(endpoint.name, tag))}.upstream_rq"
        dropped[tag] = sum(int(stats.get(f"{prefix}_{why}_overflow", "0")) for why in ("active", "pending"))
    return dropped


def median(histogram: str) -> float | None:
    """Milliseconds, from ``P0(interval,total) … P50(nan,2.05) …``: the total is since Envoy started."""
    match = re.search(r"P50\([^,]+,([0-9.]+)\)", histogram)
    return float(match[1]) if match else None
