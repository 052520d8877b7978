"""The requests that the two releases of a comparison refused, by reason. In DuckDB.

Works on the tables of ``load_pairs``.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from jupyter_deploy.domain.evidence.answer_differences import ComparedRefusal, RefusalCounts
from jupyter_deploy.records.refusals import REASON, REFUSED

MOST_REASONS = 10

_REFUSING = f"""
SELECT side, pair_id, status, {REASON} AS reason FROM selected WHERE {REFUSED} AND moment >= $since
"""

_BY_REASON = """
WITH refusing AS ({refusing}),
    frequent AS (
        SELECT side, status, reason, count(*) AS requests FROM refusing GROUP BY side, status, reason
        QUALIFY row_number() OVER (PARTITION BY side ORDER BY count(*) DESC, status, reason) <= {most}
    ),
    others AS ({others})
SELECT side, status, reason, any_value(requests), other, count(*) FILTER (other IS NOT NULL)
FROM frequent JOIN refusing USING (side, status, reason) LEFT JOIN others USING (side, pair_id)
GROUP BY side, status, reason, other
ORDER BY any_value(requests) DESC, side DESC, status, reason, count(*) DESC, other
"""
_OF_PAIRS = """
SELECT 'stable' AS side, pair_id, c_status AS other FROM pairs
UNION ALL SELECT 'candidate', pair_id, s_status FROM pairs
"""
_NONE = "SELECT NULL::VARCHAR AS side, NULL::VARCHAR AS pair_id, NULL::BIGINT AS other WHERE false"


def refusals(
    connection: duckdb.DuckDBPyConnection, since: datetime, *, paired: bool
) -> tuple[RefusalCounts, list[ComparedRefusal]]:
    """Return the refused requests of each release, and the ``MOST_REASONS`` most frequent reasons of each."""
    counts = dict(
        connection.execute(f"SELECT side, count(*) FROM ({_REFUSING}) GROUP BY side", {"since": since}).fetchall()
    )
    if not counts:
        return RefusalCounts(), []
    query = _BY_REASON.format(refusing=_REFUSING, most=MOST_REASONS, others=_OF_PAIRS if paired else _NONE)
    found: dict[tuple[str, int, str], ComparedRefusal] = {}
    for side, status, reason, requests, other, times in connection.execute(query, {"since": since}).fetchall():
        row = found.setdefault(
            (side, status, reason),
            ComparedRefusal(release=side, status=status, reason=reason, requests=requests),
        )
        if other is not None:
            row.other[str(other)] = times
    return RefusalCounts(**counts), list(found.values())
