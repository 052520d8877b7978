"""Agreement row by row, flips, and the distribution of each release's answers. All in DuckDB.

Works on the tables of ``load_pairs``: ``pairs`` (a request that both recorded: request, s_* and c_* of stable and
candidate) and ``answered`` (side, request, status, latency_ms, outputs).
"""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import duckdb

from jupyter_deploy.domain.evidence.agreement import OPPOSITE, Rule
from jupyter_deploy.domain.evidence.answer_differences import AnswerCount
from jupyter_deploy.domain.evidence.answer_fields import FieldTracker, changes
from jupyter_deploy.domain.evidence.inference import Estimate, Flip, Interval
from jupyter_deploy.domain.evidence.sequential import LEVEL, quantile_bounds
from jupyter_deploy.domain.evidence.verdict import MOST_ANSWERS
from jupyter_deploy.records.records import AT, COLUMNS, fetch_rows, lines_of

Variant = Literal["stable", "candidate"]
VARIANTS: tuple[Variant, Variant] = ("stable", "candidate")

MOST_FLIPS = 50
RELATIVE_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
DIFFERENCE_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
ANSWER_QUANTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}

_NUMBERS = "('UBIGINT', 'BIGINT', 'DOUBLE')"
_NESTED = "('ARRAY', 'OBJECT')"

# The scalar rules of domain.evidence.agreement.Rule in SQL; a contract test compares the two. DuckDB normalizes JSON,
# so equal text is an equal value. Only lists and objects with different texts go through Python. x is stable's answer,
# y the candidate's; SQL's NULL is a missing answer, JSON's null is an answer.
_COMPARED = f"""
SELECT request, "row",
    CASE
        WHEN x IS NULL OR y IS NULL THEN false
        WHEN x::VARCHAR = y::VARCHAR THEN true
        WHEN fractional THEN coalesce(isfinite(gap) AND gap <= $atol + $rtol * abs(TRY_CAST(x AS DOUBLE)), false)
        WHEN x_kind IN {_NUMBERS} AND y_kind IN {_NUMBERS}
            THEN 'DOUBLE' IN (x_kind, y_kind) AND TRY_CAST(x AS DOUBLE) = TRY_CAST(y AS DOUBLE)
        WHEN nested IS NOT NULL THEN nested.agree
        ELSE false
    END AS agree,
    CASE WHEN agree THEN NULL ELSE x END AS x,
    CASE WHEN agree THEN NULL ELSE y END AS y,
    coalesce(gap, nested.gap) AS gap,
    signed,
    CASE WHEN agree THEN 0 WHEN nested IS NOT NULL THEN nested.differing ELSE -1 END AS differing,
    CASE WHEN gap IS NULL THEN nested.relative WHEN gap <= $atol THEN 0.0 WHEN NOT isfinite(gap) THEN {OPPOSITE}
        ELSE gap / greatest(abs(TRY_CAST(x AS DOUBLE)), abs(TRY_CAST(y AS DOUBLE))) END AS relative
FROM (
    SELECT *,
        CASE WHEN fractional THEN abs(TRY_CAST(y AS DOUBLE) - TRY_CAST(x AS DOUBLE))
            WHEN $floating AND x_kind IN {_NESTED} AND x::VARCHAR = y::VARCHAR THEN 0.0 END AS gap,
        CASE WHEN fractional THEN TRY_CAST(y AS DOUBLE) - TRY_CAST(x AS DOUBLE) END AS signed,
        CASE WHEN x_kind IN {_NESTED} AND y_kind = x_kind AND x::VARCHAR <> y::VARCHAR
            THEN compare_nested(x::VARCHAR, y::VARCHAR) END AS nested
    FROM (
        SELECT *, json_type(x) AS x_kind, json_type(y) AS y_kind,
            NOT $exact AND x_kind IN {_NUMBERS} AND y_kind IN {_NUMBERS}
                AND ($floating OR 'DOUBLE' IN (x_kind, y_kind)) AS fractional
        FROM (
            SELECT request,
                unnest(range(greatest(json_array_length(s_outputs), json_array_length(c_outputs))::BIGINT)) AS "row",
                unnest(json_extract(s_outputs, '$[*]')) AS x,
                unnest(json_extract(c_outputs, '$[*]')) AS y
            FROM pairs
            WHERE request BETWEEN $first AND $last AND s_status = 200 AND c_status = 200
                AND json_type(s_outputs) = 'ARRAY' AND json_type(c_outputs) = 'ARRAY'
        )
    )
)
"""

_ANSWERS = f"""
SELECT side, request, CASE WHEN number THEN TRY_CAST(value AS DOUBLE) END AS number,
    CASE WHEN number OR kind IN {_NESTED} THEN NULL
        WHEN kind = 'VARCHAR' THEN value->>'$' ELSE value::VARCHAR END AS label
FROM (
    SELECT *, json_type(value) AS kind,
        kind IN {_NUMBERS} AND NOT $exact AND ($floating OR kind = 'DOUBLE') AS number
    FROM (
        SELECT side, request, unnest(json_extract(outputs, '$[*]')) AS value
        FROM answered
        WHERE request BETWEEN $first AND $last AND status = 200 AND json_type(outputs) = 'ARRAY'
    )
)
"""


BATCH_BYTES = 64 * 1024 * 1024
"""Bytes of answers that are split at a time: a small part of ``MEMORY_LIMIT``."""

# DuckDB splits the answers of up to 2,048 requests at a time, in memory that it cannot spill.
_BATCHES = """
SELECT min(request), max(request)
FROM (
    SELECT request, sum(bytes) OVER (ORDER BY request) // $size AS batch
    FROM ({sizes})
)
GROUP BY batch ORDER BY batch
"""
# 64 bytes for each row, and the text of its answer.
_SIZES_OF_PAIRS = """
SELECT request,
    coalesce(strlen(s_outputs) + 64 * json_array_length(s_outputs), 0)
    + coalesce(strlen(c_outputs) + 64 * json_array_length(c_outputs), 0) AS bytes
FROM pairs WHERE s_status = 200 AND c_status = 200
"""
_SIZES_OF_ANSWERS = """
SELECT request, sum(coalesce(strlen(outputs) + 64 * json_array_length(outputs), 0)) AS bytes
FROM answered WHERE status = 200 GROUP BY request
"""


def fill(connection: duckdb.DuckDBPyConnection, table: str, query: str, sizes: str, values: dict[str, Any]) -> None:
    """Create a table by a query of ``$first`` to ``$last``, for so many requests at a time as fit into memory."""
    batches = connection.execute(_BATCHES.format(sizes=sizes), {"size": BATCH_BYTES}).fetchall() or [(0, -1)]
    for number, (first, last) in enumerate(batches):
        into = f"INSERT INTO {table}" if number else f"CREATE TEMP TABLE {table} AS"
        connection.execute(f"{into} {query}", {**values, "first": first, "last": last})


def compare_rows(connection: duckdb.DuckDBPyConnection, rule: Rule) -> FieldTracker:
    """Create the table ``compared``: a line for each row that both releases answered with 200.

    If one release gave fewer answers than the other, the missing ones do not agree. ``signed`` is the candidate's
    number minus stable's. ``differing`` has the bits of the fields that differ, all bits if the two answers have no
    common form. The returned tracker knows the fields.
    """
    tracker = FieldTracker(rule)

    def compare_nested(stable: str, candidate: str) -> dict[str, Any]:
        match, differing = tracker.compare(json.loads(stable), json.loads(candidate))
        return {**match._asdict(), "differing": differing}

    result = connection.struct_type({"agree": "BOOLEAN", "gap": "DOUBLE", "relative": "DOUBLE", "differing": "BIGINT"})
    connection.create_function("compare_nested", compare_nested, ["VARCHAR", "VARCHAR"], result)
    values = {"atol": rule.atol, "rtol": rule.rtol, "exact": rule.exact, "floating": rule.floating}
    fill(connection, "compared", _COMPARED, _SIZES_OF_PAIRS, values)
    return tracker


def rows_and_flips(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Count the compared rows and the flips."""
    return connection.execute("SELECT count(*), count(*) FILTER (NOT agree) FROM compared").fetchone() or (0, 0)


def relative_difference(connection: duckdb.DuckDBPyConnection) -> dict[str, Estimate]:
    """Estimate quantiles of the relative differences, with equal weight per cluster; empty without numbers.

    A row without numbers counts as 0 if the two agree, and as the largest difference if not.
    """
    numbers, requests = connection.execute(
        "SELECT count(relative), count(DISTINCT unit) FROM compared JOIN units USING (request)"
    ).fetchone()
    if not numbers:
        return {}
    bounds = {name: quantile_bounds(requests, share) for name, share in RELATIVE_QUANTILES.items()}
    columns = []
    for name, share in RELATIVE_QUANTILES.items():
        low, high = bounds[name]
        # Sums of 1 / rows are rounded; the smallest value whose weight reaches a share must not depend on that.
        columns.append(f"min(size) FILTER (weight >= {share * requests * (1 - 1e-12)})")
        columns.append("0.0" if low is None else f"min(size) FILTER (weight > {low})")
        columns.append(f"{OPPOSITE}" if high is None else f"min(size) FILTER (weight >= {high})")
    row = connection.execute(
        f"""
        WITH sizes AS (
            SELECT coalesce(relative, CASE WHEN agree THEN 0.0 ELSE {OPPOSITE} END) AS size,
                1 / count(*) OVER (PARTITION BY unit) AS weight
            FROM compared JOIN units USING (request)
        )
        SELECT max(size), {", ".join(columns)}
        FROM (SELECT size, sum(weight) OVER (ORDER BY size) AS weight FROM sizes)
        """
    ).fetchone()
    quantiles = {
        name: Estimate(
            value=row[1 + 3 * position],
            interval=Interval(low=row[2 + 3 * position], high=_or_worst(row[3 + 3 * position]), level=LEVEL),
            n=requests,
        )
        for position, name in enumerate(RELATIVE_QUANTILES)
    }
    largest = Estimate(value=row[0], interval=Interval(low=row[0], high=OPPOSITE, level=LEVEL), n=requests)
    return quantiles | {"max": largest}


def float_flips(connection: duckdb.DuckDBPyConnection, relative: dict[str, Estimate]) -> dict[str, float]:
    """Return the values of ``relative`` if rows differ in floating-point numbers; else nothing."""
    flips = _number(connection.execute("SELECT count(*) FROM compared WHERE NOT agree AND relative > 0"))
    return {name: estimate.value for name, estimate in relative.items()} if flips else {}


def numeric_difference(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Return quantiles of ``|candidate - stable|`` over rows with floats (the largest of a nested answer)."""
    return _quantiles(connection, "SELECT {} FROM compared WHERE isfinite(gap)", "gap", DIFFERENCE_QUANTILES)


def flips(connection: duckdb.DuckDBPyConnection, rule: Rule) -> list[Flip]:
    """Return the latest flips, newest request first, with their inputs and the fields that differ."""
    rows = connection.execute(
        """
        SELECT pair_id, request_id, "row", s_at::TIMESTAMP, x, y, s_filename
        FROM compared JOIN pairs USING (request) WHERE NOT agree
        ORDER BY s_at DESC, pair_id, "row" LIMIT ?
        """,
        [MOST_FLIPS],
    ).fetchall()
    # Inputs are most of a record's bytes: they are read for these few requests only, from their segments.
    inputs = _inputs(connection, sorted({flip[0] for flip in rows}), sorted({flip[6] for flip in rows}))
    found = []
    for pair_id, request_id, row, at, x, y, _ in rows:
        stable, candidate = _decoded(x), _decoded(y)
        found.append(
            Flip(
                pair_id=pair_id,
                request_id=request_id,
                row=row,
                ts=at.replace(tzinfo=UTC),
                input=_row_of(inputs.get(pair_id), row),
                stable=stable,
                candidate=candidate,
                changes=changes(rule, stable, candidate),
            )
        )
    return found


def list_answers(connection: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    """Create the table ``answers``: each answer of each release as a label or, if it is a float, as a number."""
    fill(connection, "answers", _ANSWERS, _SIZES_OF_ANSWERS, {"exact": rule.exact, "floating": rule.floating})


def rows_of(connection: duckdb.DuckDBPyConnection, variant: Variant) -> int:
    return _number(connection.execute("SELECT count(*) FROM answers WHERE side = ?", [variant]))


def labels(connection: duckdb.DuckDBPyConnection) -> dict[Variant, dict[str, int]]:
    """Count the most frequent labels of both releases, for each release, the most frequent first."""
    rows = connection.execute(
        """
        SELECT label, count(*) FILTER (side = 'stable'), count(*) FILTER (side = 'candidate')
        FROM answers WHERE label IS NOT NULL GROUP BY label ORDER BY count(*) DESC, label LIMIT ?
        """,
        [MOST_ANSWERS],
    ).fetchall()
    return {
        "stable": {label: stable for label, stable, _ in rows},
        "candidate": {label: candidate for label, _, candidate in rows},
    }


def answer_counts(connection: duckdb.DuckDBPyConnection, counts: dict[Variant, dict[str, int]]) -> list[AnswerCount]:
    """Return the labels of ``labels`` with both frequencies, and all others as one."""
    totals = dict(connection.execute("SELECT side, count(label) FROM answers GROUP BY side").fetchall())
    stable, candidate = (counts[variant] for variant in VARIANTS)
    found = [AnswerCount(answer=label, stable=n, candidate=candidate[label]) for label, n in stable.items()]
    rest = {variant: totals.get(variant, 0) - sum(counts[variant].values()) for variant in VARIANTS}
    return [*found, AnswerCount(answer="", **rest)] if any(rest.values()) else found


def quantiles(connection: duckdb.DuckDBPyConnection, variant: Variant) -> dict[str, float]:
    """Return quantiles of a release's floating-point answers; empty without any."""
    return _quantiles(
        connection, "SELECT {} FROM answers WHERE isfinite(number) AND side = ?", "number", ANSWER_QUANTILES, [variant]
    )


def _inputs(connection: duckdb.DuckDBPyConnection, pair_ids: list[str], files: list[str]) -> dict[str, Any]:
    if not pair_ids:
        return {}
    lines = lines_of([Path(file) for file in files], {name: COLUMNS[name] for name in ("ts", "pair_id", "inputs")})
    rows = fetch_rows(
        connection,
        f"SELECT pair_id, arg_max(inputs, {AT}) FROM {lines} WHERE list_contains(?, pair_id) GROUP BY pair_id",
        [pair_ids],
    )
    return {pair_id: _decoded(inputs) for pair_id, inputs in rows}


def _or_worst(size: float | None) -> float:
    """Return the largest difference if rounding left a bound without a value."""
    return OPPOSITE if size is None else float(size)


def _row_of(inputs: Any, row: int) -> Any:
    if isinstance(inputs, list):
        return inputs[row] if row < len(inputs) else None
    return inputs


def _quantiles(
    connection: duckdb.DuckDBPyConnection, query: str, column: str, shares_by_name: dict[str, float], values: Any = None
) -> dict[str, float]:
    expression = f"quantile_cont({column}, {list(shares_by_name.values())})"
    row = connection.execute(query.format(expression), values or []).fetchone()
    return dict(zip(shares_by_name, row[0], strict=True)) if row and row[0] else {}


def _number(result: duckdb.DuckDBPyConnection) -> int:
    return int(result.fetchone()[0])


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)
