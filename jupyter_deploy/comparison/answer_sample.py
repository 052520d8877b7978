"""A sample of the rows that both releases answered, the same one at every look. In DuckDB."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import duckdb

MOST_ROWS = 1000
MOST_BYTES = 32 * 1024 * 1024

NUMBER = "abs(signed) < 1e300"
"""SQL for rows of ``compared`` whose two numbers have a difference, and one whose sums are finite."""

# The requests with the smallest hashes, one row of each.
_SAMPLE = f"""
WITH first AS (
    SELECT request, hash(pair_id) AS place FROM pairs WHERE s_status = 200 AND c_status = 200
    ORDER BY place LIMIT {MOST_ROWS}
),
sized AS (
    SELECT request, place, s_outputs, c_outputs, strlen(s_outputs) + strlen(c_outputs) AS bytes
    FROM pairs JOIN first USING (request)
),
chosen AS (
    SELECT *, place % nullif(least(json_array_length(s_outputs), json_array_length(c_outputs)), 0) AS "row"
    FROM (SELECT *, sum(bytes) OVER (ORDER BY place, request) - bytes AS before FROM sized)
    WHERE before < {MOST_BYTES} AND json_type(s_outputs) = 'ARRAY' AND json_type(c_outputs) = 'ARRAY'
)
SELECT json_extract(s_outputs, '$[' || chosen."row" || ']'), json_extract(c_outputs, '$[' || chosen."row" || ']'),
    agree, coalesce({NUMBER}, false)
FROM chosen JOIN compared ON compared.request = chosen.request AND compared."row" = chosen."row"
ORDER BY place, chosen.request
"""


class SampledRow(NamedTuple):
    """Both answers to a row, whether they agree, and whether they are numbers that are compared as such."""

    stable: Any
    candidate: Any
    agree: bool
    number: bool


def sample(connection: duckdb.DuckDBPyConnection) -> list[SampledRow]:
    """Return at most ``MOST_ROWS`` rows, of ``MOST_BYTES`` of answers, by a hash of ``pair_id``."""
    rows = connection.execute(_SAMPLE).fetchall()
    return [SampledRow(json.loads(stable), json.loads(candidate), *rest) for stable, candidate, *rest in rows]
