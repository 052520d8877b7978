"""Agreement of the two releases of a comparison, and its course over the requests."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from itertools import groupby
from operator import itemgetter

import duckdb

from jupyter_deploy.domain.evidence.inference import Estimate, Look
from jupyter_deploy.domain.evidence.sequential import Mean

MOST_SHARES = 256
MOST_LOOKS = 100

_WORK = 800
"""Distinct share values over all looks: an interval of many distinct values takes milliseconds."""

# Each cluster's mean of its requests' shares of rows that agree, in the order of their first requests. More than
# MOST_SHARES distinct means are rounded down and up.
_COUNTS = f"""
WITH requests AS (SELECT request, avg(agree::INTEGER) AS share FROM compared GROUP BY request),
    shares AS (
        SELECT unit, avg(share) AS share, min(s_at) AS s_at, count(*) AS requests
        FROM requests JOIN units USING (request) GROUP BY unit
    ),
    kinds AS (SELECT count(DISTINCT share) > {MOST_SHARES} AS many FROM shares),
    placed AS (
        SELECT share, s_at, requests, count(*) OVER () AS n, row_number() OVER (ORDER BY s_at, unit) - 1 AS place
        FROM shares
    )
SELECT place * least(n, {MOST_LOOKS}) // n AS look,
    CASE WHEN many THEN floor(share * {MOST_SHARES}) / {MOST_SHARES} ELSE share END,
    CASE WHEN many THEN ceil(share * {MOST_SHARES}) / {MOST_SHARES} ELSE share END,
    count(*), max(s_at)::TIMESTAMP, sum(requests)::BIGINT
FROM placed, kinds GROUP BY ALL ORDER BY look
"""


def estimate_agreement(connection: duckdb.DuckDBPyConnection) -> tuple[Mean, Estimate | None, list[Look]]:
    """Return the share of agreeing rows, averaged over the clusters: its stream, its estimate and the earlier looks.

    A look is the estimate after the first clusters, in the order of their first requests.
    """
    rows = connection.execute(_COUNTS).fetchall()
    kinds = len({row[1] for row in rows}) or 1
    # Evenly spaced looks, bounded by _WORK, and the last one.
    every = -(-MOST_LOOKS // max(5, min(MOST_LOOKS, _WORK // kinds)))
    down: Counter[float] = Counter()
    up: Counter[float] = Counter()
    looks: list[Look] = []
    last = rows[-1][0] if rows else 0
    requests = 0
    for number, counts in groupby(rows, itemgetter(0)):
        latest = []
        for _, low, high, count, moment, of_clusters in counts:
            down[low] += count
            up[high] += count
            requests += of_clusters
            latest.append(moment)
        if (last - number) % every == 0 and (estimate := Mean(down, rounded_up=up).estimate()):
            looks.append(Look(requests=requests, ts=max(latest).replace(tzinfo=UTC), estimate=estimate))
    return Mean(down, rounded_up=up), looks[-1].estimate if looks else None, looks
