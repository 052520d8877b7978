"""The rows of the compared requests by declared segments, from their recorded inputs. In DuckDB.

Inputs are most of a record's bytes, so they are read only if segments are declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from jupyter_deploy.domain.evidence.segments import MOST_SEGMENTS, SegmentColumn
from jupyter_deploy.records.records import COLUMNS, fetch_rows, lines_of, segments
from jupyter_deploy.records.segment_values import segment_value

from . import row_agreement
from .load_pairs import ComparisonSpec

_INPUTS = """
CREATE TEMP TABLE segment_inputs AS
SELECT request, inputs FROM {lines} JOIN {table} USING (pair_id)
WHERE {moment} >= $since AND inputs IS NOT NULL
"""
_SIZES = """
SELECT request, sum(strlen(inputs) + 64 * json_array_length(inputs)) AS bytes FROM segment_inputs GROUP BY request
"""
_VALUES = """
SELECT request, "row", found.place AS place, found.value AS value FROM (
    SELECT request, "row", unnest([{columns}]) AS found FROM (
        SELECT request, unnest(range(json_array_length(inputs)::BIGINT)) AS "row",
            unnest(json_extract(inputs, '$[*]')) AS input
        FROM segment_inputs WHERE request BETWEEN $first AND $last AND json_type(inputs) = 'ARRAY'
    )
)
WHERE found.value IS NOT NULL
"""
# The first values that came: a later look of the same records has the same segments, whatever comes after them. The
# most frequent values change from look to look, and e-values of segments that are chosen by the data promise nothing.
_NAMES = f"""
CREATE TEMP TABLE segment_names AS
SELECT row_number() OVER (ORDER BY n DESC, place, value) AS segment, place, value, n FROM (
    SELECT place, value, count(*) AS n, min({{{{'at': {{moment}}, 'row': "row"}}}}) AS first
    FROM segment_values JOIN {{table}} USING (request) GROUP BY place, value
    ORDER BY first, place, value LIMIT {MOST_SEGMENTS}
)
"""
# A retried request has two records.
_ROWS = """
CREATE TEMP TABLE segment_rows AS
SELECT DISTINCT request, "row", segment FROM segment_values JOIN segment_names USING (place, value)
"""
_COUNTS = """
SELECT segment, place, value, n, clusters FROM segment_names JOIN (
    SELECT segment, count(DISTINCT unit) AS clusters FROM segment_requests JOIN {table} USING (request) GROUP BY segment
) USING (segment) ORDER BY segment
"""


class Segment(NamedTuple):
    """A segment with its number in ``segment_rows``."""

    number: int
    column: str
    value: str
    rows: int
    clusters: int


def load(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    spec: ComparisonSpec,
    declared: Sequence[SegmentColumn],
    since: datetime,
    *,
    paired: bool,
) -> list[Segment]:
    """Return the segments, and create ``segment_rows`` (request, row, segment), ``segment_requests`` without rows.

    The segments are the first ``MOST_SEGMENTS`` values since ``since``, those with the most rows first.
    """
    tags = (spec.stable,) if paired else (spec.stable, spec.candidate)
    files = segments(home, spec.endpoint.name, [spec.endpoint.release(tag).version for tag in tags])
    lines = lines_of(files, {name: COLUMNS[name] for name in ("ts", "pair_id", "role", "inputs")})
    table, moment = ("pairs", "s_at") if paired else ("answered", "moment")
    roles = "role = 'stable'" if paired else "role IN ('stable', 'canary')"
    query = _INPUTS.format(lines=f"(SELECT pair_id, inputs FROM {lines} WHERE {roles})", table=table, moment=moment)
    fetch_rows(connection, query, {"since": since})
    columns = ", ".join(f"{{'place': {place}, 'value': {segment_value(one)}}}" for place, one in enumerate(declared))
    row_agreement.fill(connection, "segment_values", _VALUES.format(columns=columns), _SIZES, {})
    connection.execute("DROP TABLE segment_inputs")
    connection.execute(_NAMES.format(table=table, moment=moment))
    connection.execute(_ROWS)
    connection.execute("CREATE TEMP TABLE segment_requests AS SELECT DISTINCT request, segment FROM segment_rows")
    counts = connection.execute(_COUNTS.format(table=table)).fetchall()
    return [Segment(number, declared[place].column, value, *rest) for number, place, value, *rest in counts]
