"""The largest probabilities of recorded answers, by span and bin, in DuckDB."""

from __future__ import annotations

import duckdb

from jupyter_deploy.domain.monitoring.confidence import BINS

from .records import fetch_rows

MOST_REQUESTS = 50_000
"""Requests that are read of a range; of more of them a sample."""

MOST_ROWS = 100
"""Rows that are read of a request, the first ones."""

_TOLERANCE = 0.01
"""Probabilities of a row sum to 1 within this."""

# An answer is a list of numbers, by class from 0 on, or an object of numbers by label; one-hot integers are none.
_MACROS = f"""
CREATE TEMP MACRO numbers_of(value) AS CASE json_type(value) WHEN 'ARRAY' THEN TRY_CAST(value AS DOUBLE[])
    WHEN 'OBJECT' THEN map_values(TRY_CAST(value AS MAP(VARCHAR, DOUBLE))) END;
CREATE TEMP MACRO probabilities_of(value) AS CASE WHEN len(numbers_of(value)) > 1 AND contains(value::VARCHAR, '.')
    AND len(list_filter(numbers_of(value), lambda p: p >= 0)) = len(numbers_of(value))
    AND abs(list_sum(numbers_of(value)) - 1) <= {_TOLERANCE} THEN numbers_of(value) END;
CREATE TEMP MACRO place_of_largest(p) AS list_position(p, list_max(p));
CREATE TEMP MACRO chosen_class(value) AS CASE
    WHEN probabilities_of(value) IS NULL THEN NULL
    WHEN json_type(value) = 'ARRAY' THEN (place_of_largest(probabilities_of(value)) - 1)::VARCHAR
    ELSE map_keys(TRY_CAST(value AS MAP(VARCHAR, DOUBLE)))[place_of_largest(probabilities_of(value))] END;
CREATE TEMP MACRO names_a_class(value, actual) AS CASE json_type(value)
    WHEN 'ARRAY' THEN coalesce(json_type(actual) = 'UBIGINT' AND TRY_CAST(actual AS BIGINT) < json_array_length(value),
        false)
    ELSE json_type(actual) NOT IN ('ARRAY', 'OBJECT') END;
"""

_CLASSIFIED = "probabilities_of(answer) IS NOT NULL AND json_type(actual) NOT IN ('ARRAY', 'OBJECT')"

ANSWER = f"CASE WHEN {_CLASSIFIED} THEN to_json(chosen_class(answer)) ELSE answer END"
"""SQL for an answer that is compared with its actual value: of probabilities the most probable class, as a text."""

ACTUAL = f"CASE WHEN {_CLASSIFIED} THEN to_json(actual ->> '$') ELSE actual END"
"""SQL for the actual value in the same form."""

NAMED = f"bool_and(NOT ({_CLASSIFIED}) OR names_a_class(answer, actual)) OVER (PARTITION BY release)"
"""SQL for whether each actual value names a class of its answer: else positions of a list may be another order."""

_CONFIDENCES = f"""
WITH answers AS MATERIALIZED (
    SELECT * FROM (
        SELECT (epoch_us(ts) - epoch_us($since::TIMESTAMP)) // $width AS place, release,
            json_extract(outputs, '$[*]')[1:{MOST_ROWS}] AS first_rows
        FROM {{lines}}
        WHERE {{valid}} AND status = 200 AND role IN ('stable', 'canary', 'shadow') AND ts >= $since AND ts < $until
            AND json_type(outputs, '$[0]') IN ('ARRAY', 'OBJECT')
    ) USING SAMPLE reservoir({{most}} ROWS) REPEATABLE (1)
),
largest AS (
    SELECT place, release, list_max(probabilities_of(value)) AS confidence
    FROM (SELECT place, release, unnest(first_rows) AS value FROM answers)
)
SELECT place, release, CASE WHEN confidence >= 0 THEN least(floor(confidence * {BINS}), {BINS - 1})::INTEGER END AS bin,
    count(*), avg(confidence), (SELECT count(*) FROM answers)
FROM largest GROUP BY place, release, bin ORDER BY release, place, bin
"""

# A release whose ground truth does not name the classes of its lists by their position has no known answers.
_KNOWN = f"""
WITH judged AS (
    SELECT release, list_max(probabilities_of(value)) AS confidence, chosen_class(value) = (actual ->> '$') AS right,
        bool_and(names_a_class(value, actual)) OVER (PARTITION BY release) AS named
    FROM (
        SELECT release, actual, json_extract(outputs, '$[' || "row" || ']') AS value FROM (
            SELECT {{key}} AS key, release, outputs, ts FROM {{lines}}
            WHERE {{valid}} AND status = 200 AND role IN ('stable', 'canary', 'shadow') AND ts < $since
                AND request_id IN (SELECT request_id FROM posted)
                AND json_type(outputs, '$[0]') IN ('ARRAY', 'OBJECT')
            QUALIFY row_number() OVER (PARTITION BY key, release ORDER BY ts DESC) = 1
        ) JOIN truth USING (key) WHERE outcome = 'joined' AND actual IS NOT NULL
    )
)
SELECT release, count(*), avg(confidence), count(*) FILTER ("right")
FROM judged WHERE named AND confidence IS NOT NULL
GROUP BY release, least(floor(confidence * {BINS}), {BINS - 1}) ORDER BY ALL
"""


def load_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros about probabilities: ``chosen_class`` is the most probable one as a text."""
    connection.execute(_MACROS)


def confidences(
    connection: duckdb.DuckDBPyConnection, of_records: dict[str, str], values: dict[str, object]
) -> tuple[list[tuple[int, str, int | None, int, float | None]], bool]:
    """Return the rows of each span, release and bin, with their mean confidence, and whether they are a sample.

    Bin None: no probabilities.

    ``values``: ``since``, ``until`` (UTC) and ``width`` (microseconds of a span).
    """
    found = fetch_rows(connection, _CONFIDENCES.format(**of_records, most=MOST_REQUESTS), values)
    return [row[:-1] for row in found], any(row[-1] >= MOST_REQUESTS for row in found)


def known_confidences(
    connection: duckdb.DuckDBPyConnection, of_records: dict[str, str], values: dict[str, object]
) -> list[tuple[str, int, float, int]]:
    """Return earlier rows with ground truth by release and bin: number, mean confidence, and how many were right.

    ``values``: ``since`` (UTC), before which the rows were answered: those of the range itself measure the error of
    the estimate. The tables ``posted`` and ``truth`` exist.
    """
    return fetch_rows(connection, _KNOWN.format(**of_records), values)
