"""Figures of a shadow on the pairs, with clusters of requests as the unit. All in DuckDB."""

from __future__ import annotations

import duckdb

from jupyter_deploy.domain.evidence.inference import Estimate
from jupyter_deploy.domain.evidence.sequential import Mean, paired_difference

from . import clusters, load_pairs

# Statuses that refuse the input; 429 and the like are due to the load.
_REFUSED = (400, 413, 415, 422)

_PER_UNIT = "SELECT avg(({value})::DOUBLE) AS value FROM pairs JOIN units USING (request, unit) GROUP BY unit"
_ERROR = "(c_status >= 500)::INTEGER - (s_status >= 500)::INTEGER"
_SHARES = "SELECT request, avg(agree::INTEGER) AS share FROM compared GROUP BY request"

LATENCY_BY_MINUTE = f"""
SELECT {clusters.by_minute("s_at")} AS minute, median(c_latency - s_latency) AS ms
FROM pairs WHERE s_status = 200 AND c_status = 200 GROUP BY minute
"""

# Only failures of one release alone: an outage of both is no evidence.
_ALONE = """(
    SELECT 0 AS segment, side, s_at AS moment, request, 0.5 AS share,
        CASE side WHEN 'candidate' THEN c_status >= 500 AND s_status < 500
            ELSE s_status >= 500 AND c_status < 500 END AS failed
    FROM pairs, (VALUES ('stable'), ('candidate')) AS sides(side)
)"""


def errors(connection: duckdb.DuckDBPyConnection) -> Mean:
    """Return the stream of the candidate's error rate less stable's."""
    return clusters.mean_of(connection, _PER_UNIT.format(value=_ERROR), low=-1.0)


def refusals(connection: duckdb.DuckDBPyConnection) -> Mean:
    """Return the stream of requests that stable answers and the candidate refuses."""
    return clusters.mean_of(connection, _PER_UNIT.format(value=f"s_status = 200 AND c_status IN {_REFUSED}"))


def error_events(connection: duckdb.DuckDBPyConnection) -> Mean:
    """Return the stream of events of errors of one release alone: the candidate's less stable's."""
    events = clusters.EVENTS.format(outcomes=_ALONE)
    first, second = connection.execute(
        f"SELECT count(*) FILTER (side = 'candidate'), count(*) FILTER (side = 'stable') FROM ({events})"
    ).fetchone()
    return paired_difference(first, second, 0)


def by_minute(connection: duckdb.DuckDBPyConnection) -> dict[str, Estimate]:
    """Return the main figures with one-minute blocks as the unit, for requests that depend on the time."""
    minute = clusters.by_minute("s_at")
    agreement = f"SELECT avg(share) AS value FROM ({_SHARES}) JOIN pairs USING (request) GROUP BY {minute}"
    difference = f"SELECT avg(({_ERROR})::DOUBLE) AS value FROM pairs GROUP BY {minute}"
    figures = {
        "agreement": clusters.mean_of(connection, agreement).estimate(),
        "error_rate_difference": clusters.mean_of(connection, difference, low=-1.0).estimate(),
        "latency_p50_difference_ms": load_pairs.median(connection, LATENCY_BY_MINUTE),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}
