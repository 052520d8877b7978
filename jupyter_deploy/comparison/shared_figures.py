"""Figures of a canary by inverse propensity, with clusters of requests as the unit. All in DuckDB.

See ``domain.evidence.propensity``. A cluster counts with its requests at the last share that it met: a user with a
sticky key is assigned to a release once for each share, not once for each request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from jupyter_deploy.domain.evidence.inference import Estimate
from jupyter_deploy.domain.evidence.propensity import Step, StepwiseDifference, centred_step, error_step, event_step
from jupyter_deploy.domain.evidence.verdict import MOST_ANSWERS

from . import clusters, load_pairs

_UNITS = f"""
CREATE TEMP TABLE units AS
SELECT request, unit, share, moment FROM (
    SELECT *, arg_max(share, moment) OVER (PARTITION BY unit) AS latest FROM answered
)
WHERE share = latest
QUALIFY row_number() OVER (PARTITION BY unit ORDER BY moment, request) <= {clusters.MOST_REQUESTS}
"""

# The value of domain.evidence.propensity.error_step.
_WEIGHTED = "CASE side WHEN 'candidate' THEN {y} ELSE -{y} * share / (1 - share) END"
_ERRORS = f"""
SELECT share AS part, avg({_WEIGHTED.format(y="(status >= 500)::DOUBLE")}) AS value
FROM answered {{units}} GROUP BY share, {{unit}}
"""
_RATIOS = """
SELECT share AS part, avg((side = 'candidate')::DOUBLE) AS value
FROM answered JOIN units USING (request, unit, share) GROUP BY share, unit
"""
_OUTCOMES = "(SELECT 0 AS segment, side, moment, request, share, status >= 500 AS failed FROM answered)"


def events_of(outcomes: str) -> str:
    """Return SQL of the events (segment, part, value) in a table of outcomes (see ``clusters.EVENTS``).

    ``part`` is the routing share, ``value`` the candidate's part of the failures. Events of both releases that overlap
    are one event: an outage of what both depend on.
    """
    return f"""
        SELECT segment, part, coalesce(value, 0)::DOUBLE AS value FROM (
            SELECT segment, max(share) AS part, sum(failures) FILTER (side = 'candidate') / sum(failures) AS value
            FROM (
                SELECT *, sum(begins::INTEGER) OVER (PARTITION BY segment ORDER BY start, stop, side
                    ROWS UNBOUNDED PRECEDING) AS event
                FROM (
                    SELECT *, start > coalesce(max(stop) OVER (PARTITION BY segment ORDER BY start, stop, side
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), TIMESTAMP '1970-01-01') AS begins
                    FROM ({clusters.EVENTS.format(outcomes=outcomes)})
                )
            )
            GROUP BY segment, event
        )
    """


LATENCY_BY_MINUTE = f"""
SELECT {clusters.by_minute("moment")} AS minute,
    median(latency_ms) FILTER (side = 'candidate') - median(latency_ms) FILTER (side = 'stable') AS ms
FROM answered WHERE status = 200 GROUP BY minute HAVING ms IS NOT NULL
"""

CENTRES = 32
"""Guesses of an answer's share are rounded to this part, which keeps the distinct values few. Any guess is valid."""

# A block of units has the same guess: the pooled share in all blocks before. Blocks grow by the square root of 2.
_ANSWER_SHARES = f"""
WITH rows_of AS (SELECT side, request, count(*) AS m FROM answers GROUP BY ALL),
    counting AS (SELECT * FROM rows_of JOIN units USING (request)),
    placed AS (
        SELECT unit, any_value(share) AS share, count(*) AS n,
            count(*) FILTER (side = 'candidate') AS na,
            floor(2 * log2(row_number() OVER (ORDER BY min(moment), unit))) AS block
        FROM counting GROUP BY unit
    ),
    top AS (
        SELECT label, count(*) AS times FROM answers WHERE label IS NOT NULL
        GROUP BY label ORDER BY times DESC, label LIMIT {MOST_ANSWERS}
    ),
    parts AS (
        SELECT label, unit, sum(part) FILTER (side = 'candidate') AS a, sum(part) FILTER (side = 'stable') AS s
        FROM (
            SELECT label, counting.side AS side, unit, request, count(*) / any_value(m) AS part
            FROM answers SEMI JOIN top USING (label) JOIN counting USING (side, request) GROUP BY ALL
        )
        GROUP BY label, unit
    ),
    blocks AS (SELECT block, sum(n) AS n FROM placed GROUP BY block),
    sums AS (
        SELECT label, block, coalesce(sum(coalesce(a, 0) + coalesce(s, 0)), 0) AS total
        FROM (SELECT label, block FROM top, blocks)
            LEFT JOIN (SELECT * FROM parts JOIN placed USING (unit)) USING (label, block)
        GROUP BY label, block
    ),
    guesses AS (
        SELECT label, block,
            round({CENTRES} * coalesce(sum(total) OVER before / sum(n) OVER before, 0)) / {CENTRES} AS c
        FROM sums JOIN blocks USING (block)
        WINDOW before AS (PARTITION BY label ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    grouped AS (
        SELECT label, share, block, n, na, a, s, count(*) AS times
        FROM (
            SELECT top.label, share, block, n, na, coalesce(a, 0) AS a, coalesce(s, 0) AS s
            FROM top CROSS JOIN placed LEFT JOIN parts ON parts.label = top.label AND parts.unit = placed.unit
        )
        GROUP BY ALL
    )
SELECT label, share, least(share, 1 - share) * ((a - c * na) / share - (s - c * (n - na)) / (1 - share)) / n AS value,
    sum(times)::BIGINT AS times
FROM grouped JOIN guesses USING (label, block) GROUP BY ALL
"""


def load_units(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table ``units`` (request, unit, share, moment) of the requests that count."""
    connection.execute(_UNITS)


def errors(connection: duckdb.DuckDBPyConnection) -> StepwiseDifference:
    """Return the canary's error rate less stable's."""
    query = _ERRORS.format(units="JOIN units USING (request, unit, share)", unit="unit")
    return stepwise(connection, query, error_step)


def error_events(connection: duckdb.DuckDBPyConnection) -> StepwiseDifference:
    """Return the canary's part of the events of errors less its share of the requests."""
    return of_events(count_events(connection, _OUTCOMES).get(0, {}))


EventCounts = dict[float, dict[float, int]]
"""By routing share, the candidate's part of an event -> count."""


def of_events(counts: EventCounts) -> StepwiseDifference:
    """Return the canary's part of counted events less its share of the requests."""
    return StepwiseDifference(tuple(event_step(share, counts[share]) for share in sorted(counts)))


def count_events(connection: duckdb.DuckDBPyConnection, outcomes: str) -> dict[int, EventCounts]:
    """Count the events in a table of outcomes, by segment (0: all requests)."""
    query = f"SELECT segment, part, value, count(*) FROM ({events_of(outcomes)}) GROUP BY ALL"
    counts: dict[int, EventCounts] = {}
    for segment, share, value, times in connection.execute(query).fetchall():
        counts.setdefault(segment, {}).setdefault(share, {})[value] = times
    return counts


def sample_ratio(connection: duckdb.DuckDBPyConnection) -> StepwiseDifference:
    """Return the canary's part of the recorded clusters less its share."""
    return stepwise(connection, _RATIOS, lambda share, counts, _: event_step(share, counts))


def answer_shares(connection: duckdb.DuckDBPyConnection) -> dict[str, StepwiseDifference]:
    """Return, for each frequent label, the canary's share of a request's rows less stable's."""
    by_label: dict[str, dict[float, dict[float, int]]] = {}
    for label, share, value, times in connection.execute(_ANSWER_SHARES).fetchall():
        by_label.setdefault(label, {}).setdefault(share, {})[value] = times
    order = connection.execute(
        "SELECT label FROM answers WHERE label IS NOT NULL GROUP BY label ORDER BY count(*) DESC, label LIMIT ?",
        [MOST_ANSWERS],
    ).fetchall()
    return {label: _centred(by_label[label]) for (label,) in order if label in by_label}


def _centred(by_share: dict[float, dict[float, int]]) -> StepwiseDifference:
    return StepwiseDifference(tuple(centred_step(share, *_rounded(by_share[share])) for share in sorted(by_share)))


def _rounded(counts: dict[float, int]) -> tuple[dict[float, int], dict[float, int]]:
    """Return the counts of values rounded down and up to a hundredth, if there are many distinct ones."""
    if len(counts) <= clusters.MOST_VALUES:
        return counts, counts
    down: dict[float, int] = {}
    up: dict[float, int] = {}
    for value, times in counts.items():
        low, high = value * 100 // 1 / 100, -(-value * 100 // 1) / 100
        down[max(low, -1.0)] = down.get(max(low, -1.0), 0) + times
        up[min(high, 1.0)] = up.get(min(high, 1.0), 0) + times
    return down, up


def by_minute(connection: duckdb.DuckDBPyConnection) -> dict[str, Estimate]:
    """Return the main figures with one-minute blocks as the unit, for requests that depend on the time."""
    minute = clusters.by_minute("moment")
    figures = {
        "error_rate_difference": stepwise(connection, _ERRORS.format(units="", unit=minute), error_step).estimate(),
        "latency_p50_difference_ms": load_pairs.median(connection, LATENCY_BY_MINUTE),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def stepwise(
    connection: duckdb.DuckDBPyConnection, query: str, step: Callable[[float, Any, Any], Step]
) -> StepwiseDifference:
    """Return the steps of a query (part, value), in which a part is a routing share."""
    down, up = clusters.directions(connection.execute(clusters.counted(query)).fetchall())
    return StepwiseDifference(tuple(step(share, down[share], up[share]) for share in sorted(down)))
