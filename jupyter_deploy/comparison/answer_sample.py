"""A sample of the rows that both releases answered, the same one at every look. In DuckDB."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import duckdb

MOST_ROWS = 1000
MOST_BYTES = 32 * 1024 * 1024

NUMBER = "abs(signed) < 1e300"
"""SQL for rows of ``compared`` whose two numbers have a difference, and one whose sums are finite."""

# One row of each of the requests with the smallest hashes; texts of answers stay in `pairs` until they are chosen.
_CHOSEN = f"""
CREATE TEMP TABLE sampled AS
SELECT request, place % least(s_rows, c_rows) AS "row", place FROM (
    SELECT *, sum(bytes) OVER (ORDER BY place, request) - bytes AS before FROM (
        SELECT request, place, strlen(s_outputs) + strlen(c_outputs) AS bytes,
            json_array_length(s_outputs) AS s_rows, json_array_length(c_outputs) AS c_rows
        FROM pairs JOIN (
            SELECT request, hash(pair_id) AS place FROM pairs WHERE s_status = 200 AND c_status = 200
            ORDER BY place LIMIT {MOST_ROWS}
        ) USING (request)
    )
)
WHERE before < {MOST_BYTES} AND least(s_rows, c_rows) > 0
"""
_SAMPLE = f"""
SELECT x, y, agree, coalesce({NUMBER}, false) FROM (
    SELECT request, "row", place, json_extract(s_outputs, '$[' || "row" || ']') AS x,
        json_extract(c_outputs, '$[' || "row" || ']') AS y
    FROM pairs JOIN sampled USING (request)
) AS answers JOIN (
    SELECT request, "row", agree, signed FROM compared SEMI JOIN sampled USING (request, "row")
) USING (request, "row")
ORDER BY place, request
"""


class SampledRow(NamedTuple):
    """Both answers to a row, whether they agree, and whether they are numbers that are compared as such."""

    stable: Any
    candidate: Any
    agree: bool
    number: bool


def sample(connection: duckdb.DuckDBPyConnection) -> list[SampledRow]:
    """Return at most ``MOST_ROWS`` rows, of ``MOST_BYTES`` of answers, by a hash of ``pair_id``."""
    connection.execute(_CHOSEN)
    rows = connection.execute(_SAMPLE).fetchall()
    return [SampledRow(json.loads(stable), json.loads(candidate), *rest) for stable, candidate, *rest in rows]
