"""How far both sides of a comparison agree, and how that came to be known: from the rows that were compared."""

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
"""How many values of shares all looks together weigh: an interval of shares of many values takes milliseconds."""

# Each request's share of rows that agree; beyond MOST_SHARES different ones they are rounded both ways.
_COUNTS = f"""
WITH shares AS (SELECT request, avg(agree::INTEGER) AS share FROM compared GROUP BY request),
    kinds AS (SELECT count(DISTINCT share) > {MOST_SHARES} AS many FROM shares),
    placed AS (
        SELECT share, s_at, count(*) OVER () AS n, row_number() OVER (ORDER BY s_at, pair_id) - 1 AS place
        FROM shares JOIN pairs USING (request)
    )
SELECT place * least(n, {MOST_LOOKS}) // n AS look,
    CASE WHEN many THEN floor(share * {MOST_SHARES}) / {MOST_SHARES} ELSE share END,
    CASE WHEN many THEN ceil(share * {MOST_SHARES}) / {MOST_SHARES} ELSE share END,
    count(*), max(s_at)::TIMESTAMP
FROM placed, kinds GROUP BY ALL ORDER BY look
"""  # noqa: S608 - constants


def estimate_agreement(connection: duckdb.DuckDBPyConnection) -> tuple[Mean, Estimate | None, list[Look]]:
    """The share of rows that agree, averaged over the requests: its stream, its estimate, and looks on the way to it.

    A look is what would have been said after so many requests, in the order in which they were asked.
    """
    rows = connection.execute(_COUNTS).fetchall()
    kinds = len({row[1] for row in rows}) or 1
    # As many looks as there is work for, evenly, the last one among them.
    every = -(-MOST_LOOKS // max(5, min(MOST_LOOKS, _WORK // kinds)))
    down: Counter[float] = Counter()
    up: Counter[float] = Counter()
    looks: list[Look] = []
    last = rows[-1][0] if rows else 0
    for number, counts in groupby(rows, itemgetter(0)):
        latest = []
        for _, low, high, count, moment in counts:
            down[low] += count
            up[high] += count
            latest.append(moment)
        if (last - number) % every == 0 and (estimate := Mean(down, rounded_up=up).estimate()):
            looks.append(Look(requests=estimate.n, ts=max(latest).replace(tzinfo=UTC), estimate=estimate))
    return Mean(down, rounded_up=up), looks[-1].estimate if looks else None, looks
