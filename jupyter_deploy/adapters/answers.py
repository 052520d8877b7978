"""The rows of a comparison: which agree, which flipped, and what each side answered. All in DuckDB.

Works on the tables of ``comparison``: ``pairs`` (a request that both recorded: request, s_* and c_* of stable and
candidate) and ``answered`` (side, request, status, latency_ms, outputs).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import duckdb

from jupyter_deploy.domain.agreement import Rule
from jupyter_deploy.domain.inference import Estimate, Flip
from jupyter_deploy.domain.statistics import LEVEL, Clusters, clustered_proportion, difference
from jupyter_deploy.domain.verdict import MARGIN

from .records import AT, COLUMNS, fetched, lines_of

Side = Literal["stable", "candidate"]
SIDES: tuple[Side, Side] = ("stable", "candidate")

MOST_FLIPS = 50
MOST_ANSWERS = 20
DIFFERENCE_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
ANSWER_QUANTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}

_NUMBERS = "('UBIGINT', 'BIGINT', 'DOUBLE')"
_NESTED = "('ARRAY', 'OBJECT')"

# The scalar rules are those of domain.agreement.Rule, said in SQL; a contract test holds the two together. JSON
# comes out of DuckDB in one spelling, so equal text is an equal value. Only lists and objects that are spelled
# differently go through Python. x is stable's answer, y the candidate's; SQL's NULL is no answer, JSON's null is one.
_COMPARED = f"""
CREATE TEMP TABLE compared AS
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
    coalesce(gap, nested.gap) AS gap
FROM (
    SELECT *,
        CASE WHEN fractional THEN abs(TRY_CAST(y AS DOUBLE) - TRY_CAST(x AS DOUBLE))
            WHEN $floating AND x_kind IN {_NESTED} AND x::VARCHAR = y::VARCHAR THEN 0.0 END AS gap,
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
            WHERE s_status = 200 AND c_status = 200
                AND json_type(s_outputs) = 'ARRAY' AND json_type(c_outputs) = 'ARRAY'
        )
    )
)
"""  # noqa: S608 - constants

_SAID = f"""
CREATE TEMP TABLE said AS
SELECT side, request, CASE WHEN number THEN TRY_CAST(value AS DOUBLE) END AS number,
    CASE WHEN number OR kind IN {_NESTED} THEN NULL
        WHEN kind = 'VARCHAR' THEN value->>'$' ELSE value::VARCHAR END AS label
FROM (
    SELECT *, json_type(value) AS kind,
        kind IN {_NUMBERS} AND NOT $exact AND ($floating OR kind = 'DOUBLE') AS number
    FROM (
        SELECT side, request, unnest(json_extract(outputs, '$[*]')) AS value
        FROM answered WHERE status = 200 AND json_type(outputs) = 'ARRAY'
    )
)
"""  # noqa: S608 - constants


def compare_rows(connection: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    """The table ``compared``: a line for each row that both sides answered with 200.

    Where one side gave fewer answers than the other, the missing ones do not agree.
    """

    def compare_nested(stable: str, candidate: str) -> dict[str, Any]:
        agree, gap = rule.compare(json.loads(stable), json.loads(candidate))
        return {"agree": agree, "gap": gap}

    result = connection.struct_type({"agree": "BOOLEAN", "gap": "DOUBLE"})
    connection.create_function("compare_nested", compare_nested, ["VARCHAR", "VARCHAR"], result)
    connection.execute(
        _COMPARED, {"atol": rule.atol, "rtol": rule.rtol, "exact": rule.exact, "floating": rule.floating}
    )


def agreement(connection: duckdb.DuckDBPyConnection) -> Clusters:
    """How many rows agree, with what the interval needs to know of their requests."""
    sums = connection.execute(
        """
        WITH requests AS (SELECT count(*) AS m, count(*) FILTER (agree) AS a FROM compared GROUP BY request)
        SELECT count(*), sum(m), sum(a), sum(m * m), sum((a - share * m) ** 2), sum((a - share * m) ** 4)
        FROM requests, (SELECT sum(a) / sum(m) AS share FROM requests)
        """
    ).fetchone()
    return _clusters(sums)


def numeric_difference(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Quantiles of ``|candidate - stable|`` over rows of floating-point numbers (of a nested answer the largest)."""
    return _quantiles(connection, "SELECT {} FROM compared WHERE isfinite(gap)", "gap", DIFFERENCE_QUANTILES)


def flips(connection: duckdb.DuckDBPyConnection) -> list[Flip]:
    """The latest rows on which the two disagree, newest request first, with what was asked."""
    found = connection.execute(
        """
        SELECT pair_id, request_id, "row", s_at::TIMESTAMP, x, y, s_filename
        FROM compared JOIN pairs USING (request) WHERE NOT agree
        ORDER BY s_at DESC, pair_id, "row" LIMIT ?
        """,
        [MOST_FLIPS],
    ).fetchall()
    # Inputs are most of a record's bytes. They are read for these few requests only, from the segments that hold them.
    inputs = _inputs(connection, sorted({flip[0] for flip in found}), sorted({flip[6] for flip in found}))
    return [
        Flip(
            pair_id=pair_id,
            request_id=request_id,
            row=row,
            ts=at.replace(tzinfo=UTC),
            input=_row_of(inputs.get(pair_id), row),
            stable=_decoded(x),
            candidate=_decoded(y),
        )
        for pair_id, request_id, row, at, x, y, _ in found
    ]


def list_answers(connection: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    """The table ``said``: each answer of each side as a label or, if it is a floating-point number, as a number."""
    connection.execute(_SAID, {"exact": rule.exact, "floating": rule.floating})


def rows_of(connection: duckdb.DuckDBPyConnection, side: Side) -> int:
    return _number(connection.execute("SELECT count(*) FROM said WHERE side = ?", [side]))


def labels(connection: duckdb.DuckDBPyConnection) -> dict[Side, dict[str, int]]:
    """How often each side gave the most frequent labels of both, the most frequent first."""
    found = connection.execute(
        """
        SELECT label, count(*) FILTER (side = 'stable'), count(*) FILTER (side = 'candidate')
        FROM said WHERE label IS NOT NULL GROUP BY label ORDER BY count(*) DESC, label LIMIT ?
        """,
        [MOST_ANSWERS],
    ).fetchall()
    return {
        "stable": {label: stable for label, stable, _ in found},
        "candidate": {label: candidate for label, _, candidate in found},
    }


def quantiles(connection: duckdb.DuckDBPyConnection, side: Side) -> dict[str, float]:
    """Quantiles of a side's floating-point answers; empty when it has none."""
    return _quantiles(
        connection, "SELECT {} FROM said WHERE isfinite(number) AND side = ?", "number", ANSWER_QUANTILES, [side]
    )


def shares(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """For each frequent label the candidate's share of rows minus stable's (unpaired), and those that shifted.

    A label has shifted when its difference is beyond ``MARGIN`` by an interval whose level is raised for the number
    of labels looked at (Bonferroni), since the largest of twenty differences is large by chance.
    """
    found = connection.execute(
        """
        WITH sizes AS (SELECT side, request, count(*) AS m FROM said GROUP BY ALL),
            totals AS (
                SELECT side, count(*) AS requests, sum(m) AS rows, sum(m ** 2) AS squares, sum(m ** 4) AS fourths
                FROM sizes GROUP BY side
            ),
            top AS (
                SELECT label FROM said WHERE label IS NOT NULL GROUP BY label ORDER BY count(*) DESC, label LIMIT ?
            ),
            counts AS (SELECT label, side, request, count(*) AS a FROM said SEMI JOIN top USING (label) GROUP BY ALL),
            residuals AS (
                SELECT label, side, a, m, sum(a) OVER (PARTITION BY label, side) / rows AS share, a - share * m AS e
                FROM counts JOIN sizes USING (side, request) JOIN totals USING (side)
            ),
            sums AS (
                SELECT label, side, sum(a) AS a, any_value(share) AS share, sum(e ** 2) AS e2, sum(e ** 4) AS e4,
                    sum(m ** 2) AS m2, sum(m ** 4) AS m4
                FROM residuals GROUP BY ALL
            )
        -- A request without the label has the residual -share * m.
        SELECT top.label, totals.side, requests, rows, a, squares,
            e2 + share ** 2 * (squares - m2), e4 + share ** 4 * (fourths - m4)
        FROM top CROSS JOIN totals LEFT JOIN sums ON sums.label = top.label AND sums.side = totals.side
        """,
        [MOST_ANSWERS],
    ).fetchall()
    by_label: dict[str, dict[str, Clusters]] = {}
    for label, side, *sums in found:
        by_label.setdefault(label, {})[side] = _clusters(sums)
    both = {label: sides for label, sides in by_label.items() if len(sides) == len(SIDES)}
    differences, shifted = {}, {}
    for label, sides in sorted(both.items(), key=lambda item: -sum(side.successes for side in item[1].values())):
        differences[label] = _share_difference(sides, LEVEL)
        careful = _share_difference(sides, 1 - (1 - LEVEL) / len(both)).interval
        if careful.low > MARGIN or careful.high < -MARGIN:
            shifted[label] = differences[label]
    return differences, shifted


def _clusters(sums: Sequence[Any]) -> Clusters:
    requests, rows, successes, rows_squared, spread, spread_squared = (total or 0 for total in sums)
    return Clusters(
        requests=int(requests),
        rows=int(rows),
        successes=int(successes),
        rows_squared=float(rows_squared),
        spread=max(float(spread), 0.0),
        spread_squared=max(float(spread_squared), 0.0),
    )


def _share_difference(sides: dict[str, Clusters], level: float) -> Estimate:
    candidate, stable = (clustered_proportion(sides[side], level) for side in ("candidate", "stable"))
    if candidate is None or stable is None:
        raise ValueError("a side without rows has no shares")
    return difference(candidate, stable)


def _inputs(connection: duckdb.DuckDBPyConnection, pair_ids: list[str], files: list[str]) -> dict[str, Any]:
    if not pair_ids:
        return {}
    lines = lines_of([Path(file) for file in files], {name: COLUMNS[name] for name in ("ts", "pair_id", "inputs")})
    found = fetched(
        connection,
        f"SELECT pair_id, arg_max(inputs, {AT}) FROM {lines} WHERE list_contains(?, pair_id) GROUP BY pair_id",  # noqa: S608
        [pair_ids],
    )
    return {pair_id: _decoded(inputs) for pair_id, inputs in found}


def _row_of(inputs: Any, row: int) -> Any:
    if isinstance(inputs, list):
        return inputs[row] if row < len(inputs) else None
    return inputs


def _quantiles(
    connection: duckdb.DuckDBPyConnection, query: str, column: str, wanted: dict[str, float], values: Any = None
) -> dict[str, float]:
    expression = f"quantile_cont({column}, {list(wanted.values())})"
    row = connection.execute(query.format(expression), values or []).fetchone()
    return dict(zip(wanted, row[0], strict=True)) if row and row[0] else {}


def _number(result: duckdb.DuckDBPyConnection) -> int:
    return int(result.fetchone()[0])


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)
