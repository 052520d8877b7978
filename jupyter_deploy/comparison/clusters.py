"""Clusters of dependent requests: the unit of a comparison's figures. All in DuckDB.

A cluster has the requests of one ``x-sticky-key``; without a key those of equal inputs; without recorded inputs those
of one minute. Its value is the mean over its first ``MOST_REQUESTS`` requests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import duckdb

from jupyter_deploy.domain.evidence.sequential import Mean

MOST_REQUESTS = 100
MOST_VALUES = 256
"""More distinct values are rounded down and up: the time of an interval grows with their number."""

GRID = 1024
EVENT_SECONDS = 60

_MINUTE = "date_trunc('minute', {moment})::VARCHAR"
UNIT = "hash(coalesce('k' || {cluster}, 'i' || {inputs_digest}, 'm' || " + _MINUTE + "))"
"""A cluster's number, from the columns of a record."""

_KINDS = """
SELECT count(DISTINCT unit), count(DISTINCT unit) FILTER (cluster IS NOT NULL),
    count(DISTINCT unit) FILTER (cluster IS NULL AND inputs_digest IS NOT NULL), count(DISTINCT inputs_digest), count(*)
FROM {table}
"""


@dataclass(frozen=True)
class Clusters:
    """Counts of clusters: all, those of a sticky key, those of equal inputs; distinct inputs; requests."""

    count: int
    of_keys: int
    of_inputs: int
    distinct_inputs: int
    requests: int

    @property
    def notes(self) -> list[str]:
        """Return a message if many requests are one cluster."""
        if self.requests < 2 * self.count or self.requests < MOST_REQUESTS:
            return []
        kinds = {"of one x-sticky-key": self.of_keys, "of equal inputs": self.of_inputs}
        kinds["of one minute, since they have neither"] = self.count - self.of_keys - self.of_inputs
        named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
        return [
            f"{self.requests:,} requests are {self.count:,} cluster{'s' * (self.count != 1)} ({named}): "
            f"a cluster counts once, by the mean of its first {MOST_REQUESTS} requests"
        ]


def count(connection: duckdb.DuckDBPyConnection, table: str) -> Clusters:
    """Count the clusters of ``pairs`` or ``answered``."""
    return Clusters(*connection.execute(_KINDS.format(table=table)).fetchone())


def load_paired_units(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table ``units`` (request, unit, s_at) of the pairs that count."""
    connection.execute(
        f"CREATE TEMP TABLE units AS SELECT request, unit, s_at FROM pairs "
        f"QUALIFY row_number() OVER (PARTITION BY unit ORDER BY s_at, pair_id) <= {MOST_REQUESTS}"
    )


def mean_of(connection: duckdb.DuckDBPyConnection, values: str, low: float = 0.0) -> Mean:
    """Return the stream of a query's column ``value``, one row a unit; many distinct values are rounded both ways."""
    query = f"SELECT 0 AS part, value FROM ({values}) WHERE value IS NOT NULL"
    return means_of(connection, query, low).get(0, Mean(Counter(), low=low, rounded_up=Counter()))


def means_of(connection: duckdb.DuckDBPyConnection, values: str, low: float = 0.0) -> dict[Any, Mean]:
    """Return the stream of each part of a query (part, value), one row a unit and part."""
    down, up = directions(connection.execute(counted(values)).fetchall())
    return {part: Mean(down[part], low=low, rounded_up=up[part]) for part in down}


def counted(values: str) -> str:
    """Return SQL that counts the values of a query (part, value) by part: rounded down, rounded up, and how many."""
    return f"""
        WITH drawn AS ({values}),
            kinds AS (SELECT part, count(DISTINCT value) > {MOST_VALUES} AS many FROM drawn GROUP BY part)
        SELECT part, CASE WHEN many THEN floor(value * {GRID}) / {GRID} ELSE value END AS down,
            CASE WHEN many THEN ceil(value * {GRID}) / {GRID} ELSE value END AS up, count(*)
        FROM drawn JOIN kinds USING (part) GROUP BY ALL
    """


def directions(rows: list[tuple[Any, ...]]) -> tuple[dict[Any, Counter[float]], dict[Any, Counter[float]]]:
    """Return the counts of rows of ``counted`` by part: of the values rounded down, and rounded up."""
    down: dict[Any, Counter[float]] = {}
    up: dict[Any, Counter[float]] = {}
    for part, low, high, times in rows:
        down.setdefault(part, Counter())[low] += times
        up.setdefault(part, Counter())[high] += times
    return down, up


# Failures of a run have the same number of successes before them: their place less their place among the failures. A
# piece is at most EVENT_SECONDS long.
EVENTS = f"""
SELECT segment, side, min(moment) AS start, max(moment) AS stop, count(*) AS failures, max(share) AS share
FROM (
    SELECT *, floor(epoch(moment - min(moment) OVER (PARTITION BY segment, side, run)) / {EVENT_SECONDS}) AS piece
    FROM (
        SELECT *, place - row_number() OVER (PARTITION BY segment, side ORDER BY moment, request) AS run
        FROM (
            SELECT segment, side, moment, request, share, failed,
                row_number() OVER (PARTITION BY segment, side ORDER BY moment, request) AS place
            FROM {{outcomes}}
        )
        WHERE failed
    )
)
GROUP BY segment, side, run, piece
"""
"""SQL of the events of errors: consecutive failures of a release within a minute, from the table of outcomes (segment,
side, moment, request, share, failed). Each segment has events of its own; 0: all requests."""


def by_minute(moment: str) -> str:
    """Return SQL for the minute of a moment."""
    return _MINUTE.format(moment=moment)
