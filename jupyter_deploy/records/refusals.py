"""The requests that releases refused, by reason, and the answers of shadows to these, aggregated in DuckDB."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.evidence.record_pages import Refusal

from .records import AT, COLUMNS, VALID, database, fetch_rows, in_utc, lines_of, segments
from .segments import data_folder, reading

MOST = 20
"""The number of reasons that are returned."""

REFUSED = "status BETWEEN 400 AND 498"
"""SQL for a request that was refused; 499 is a client that went away."""

# The reason is the message without the number of the row, the value (but null), and the advice.
_MESSAGE = r"""regexp_replace(regexp_replace(coalesce(error->>'message', ''),
    '^(the instances do not fit the model: )?instances\.\d+[.:] ?', ''), ' \(a missing value.*$', '')"""
REASON = f"CASE WHEN {_MESSAGE} LIKE '%, not null' THEN {_MESSAGE} ELSE regexp_replace({_MESSAGE}, ', not .*$', '') END"
"""SQL for the reason of a refused record."""

_REFUSALS = """
WITH lines AS (
    SELECT *, {reason} AS reason FROM {lines} WHERE {valid} AND {at} >= $since AND role <> 'probe'
), answered AS (
    SELECT DISTINCT pair_id FROM lines WHERE role = 'shadow' AND status = 200
)
SELECT release, role, status, reason, round(sum(1 / coalesce(sample, 1)))::BIGINT AS requests,
    count(*) FILTER (role <> 'shadow' AND pair_id IN (SELECT pair_id FROM answered))
FROM lines WHERE {refused}
GROUP BY ALL ORDER BY requests DESC, release, role, status, reason LIMIT $most
"""


def read(home: Path, endpoint: str, *, since: datetime) -> list[Refusal]:
    """Return the refused requests since a moment by release, status and reason, the most frequent first.

    Raises
    ------
    StoreError
        A segment cannot be read.
    """
    folder = data_folder(home, checked_name(endpoint))
    columns = {name: kind for name, kind in COLUMNS.items() if name not in ("inputs", "outputs")}
    with reading(folder), database(folder) as connection:
        lines = lines_of(segments(home, endpoint), columns)
        query = _REFUSALS.format(lines=lines, at=AT, valid=VALID, reason=REASON, refused=REFUSED)
        rows = fetch_rows(connection, query, {"since": in_utc(since), "most": MOST})
    fields = ("release", "role", "status", "reason", "requests", "shadows")
    return [Refusal.model_validate(dict(zip(fields, row, strict=True))) for row in rows]
