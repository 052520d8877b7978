"""A filter of records as SQL, and the requests whose answers differ."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
from duckdb.sqltypes import DOUBLE, DuckDBPyType

from jupyter_deploy.domain.evidence.answer_distance import distance
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.domain.evidence.segments import parse_segments

from .records import AT, COLUMNS, VALID, fetch_rows, in_utc, lines_of, quoted, segments
from .segment_values import segment_value

MOST_ORDERED = 50_000
"""Requests whose answers are read by Python to order them, the newest ones: some seconds."""

# Only a request that a shadow has too has answers of two releases: the outputs of others are not hashed.
_DIFFERING = f"""
CREATE TEMP TABLE differing AS
WITH shadowed AS MATERIALIZED (
    SELECT DISTINCT pair_id FROM {{lines}}
    WHERE {VALID} AND status = 200 AND role = 'shadow' AND pair_id IS NOT NULL AND {{range}}
)
SELECT pair_id, max({AT}) AS latest FROM {{lines}}
WHERE {VALID} AND status = 200 AND pair_id IN (SELECT pair_id FROM shadowed) AND outputs IS NOT NULL AND {{range}}
GROUP BY pair_id HAVING min(md5(outputs::VARCHAR)) <> max(md5(outputs::VARCHAR))
"""

_DISTANCES = f"""
CREATE TEMP TABLE distances AS
SELECT pair_id, largest_distance(list(outputs::VARCHAR ORDER BY role = 'shadow', {AT})) AS difference
FROM {{lines}}
WHERE {VALID} AND status = 200 AND outputs IS NOT NULL AND {{range}}
    AND pair_id IN (SELECT pair_id FROM differing ORDER BY latest DESC, pair_id LIMIT $most)
GROUP BY pair_id
"""


def load_differing(connection: duckdb.DuckDBPyConnection, home: Path, endpoint: str, wanted: RecordFilter) -> None:
    """Create the table ``differing`` of the requests whose answers differ, if the filter needs it."""
    if wanted.differs:
        lines = lines_of(segments(home, endpoint), COLUMNS)
        fetch_rows(connection, _DIFFERING.format(lines=lines, range=_range(wanted)))


def load_distances(connection: duckdb.DuckDBPyConnection, home: Path, endpoint: str, wanted: RecordFilter) -> int:
    """Create ``distances`` (pair_id, difference) of the newest requests in ``differing``; count the others."""
    connection.create_function("largest_distance", _largest, [DuckDBPyType("VARCHAR[]")], DOUBLE)
    lines = lines_of(segments(home, endpoint), COLUMNS)
    fetch_rows(connection, _DISTANCES.format(lines=lines, range=_range(wanted)), {"most": MOST_ORDERED})
    left_out = "DELETE FROM differing WHERE pair_id NOT IN (SELECT pair_id FROM distances) RETURNING pair_id"
    return len(connection.execute(left_out).fetchall())


def _largest(answers: list[str]) -> float:
    """Return the largest distance of the client's answer, the first one, from the shadows' answers."""
    first, *others = map(json.loads, answers)
    return max((distance(first, other) for other in others), default=0.0)


def condition(wanted: RecordFilter) -> str:
    """Return the filter as SQL without parameters, which a view cannot have; ``differs`` needs ``differing``.

    Raises
    ------
    InvalidInput
        A text of ``where`` is no column with bins.
    """
    parts = [_range(wanted)]
    if wanted.role is not None:
        parts.append(f"role = {quoted(wanted.role)}")
    if wanted.status is not None:
        parts.append(f"status = {int(wanted.status)}")
    if wanted.release is not None:
        parts.append(f"release = {quoted(wanted.release)}")
    if wanted.request_ids:
        parts.append(f"request_id IN ({', '.join(map(quoted, wanted.request_ids))})")
    if wanted.text:
        parts.append(_contains(wanted.text))
    if wanted.ranges is not None:
        moments = [
            f"(release = {quoted(one.release)} AND {AT} >= TIMESTAMP {quoted(str(in_utc(one.since)))} "
            f"AND {AT} < TIMESTAMP {quoted(str(in_utc(one.until)))})"
            for one in wanted.ranges
        ]
        parts.append(" OR ".join(moments) or "false")
    for column in parse_segments(wanted.where):
        rows = "CASE WHEN json_type(inputs) = 'ARRAY' THEN json_extract(inputs, '$[*]') ELSE [] END"
        parts.append(f"len(list_filter({rows}, lambda input: ({segment_value(column)}) IS NOT NULL)) > 0")
    if wanted.differs:
        parts.append("pair_id IN (SELECT pair_id FROM differing)")
    return " AND ".join(f"({part})" for part in parts)


def _contains(text: str) -> str:
    # As it is displayed, or as it is written in JSON: "a\nb" matches by its line break and by \n.
    spelled = json.dumps(text, ensure_ascii=False)[1:-1]
    needles = {quoted(text) for text in (text, spelled)}
    matches = [
        f"contains(lower({column}::VARCHAR), lower({needle}))"
        for column in ("inputs", "outputs", "error")
        for needle in sorted(needles)
    ]
    return f"coalesce({', false) OR coalesce('.join(matches)}, false)"


def _range(wanted: RecordFilter) -> str:
    parts = ["true"]
    if wanted.since is not None:
        parts.append(f"{AT} >= TIMESTAMP {quoted(str(in_utc(wanted.since)))}")
    if wanted.until is not None:
        parts.append(f"{AT} < TIMESTAMP {quoted(str(in_utc(wanted.until)))}")
    return " AND ".join(parts)
