"""The requests that releases refused, by reason, and the answers of shadows to these, aggregated in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.evidence.record_pages import Refusal

from .records import AT, COLUMNS, VALID, database, fetch_rows, in_utc, lines_of, segments
from .segments import data_folder, reading, written_since

MOST = 20
"""The number of reasons that are returned."""

REFUSED = "status BETWEEN 400 AND 498"
"""SQL for a request that was refused; 499 is a client that went away."""

_FOREVER = datetime(2262, 1, 1, tzinfo=UTC)  # the end of nanoseconds in 64 bits

# The reason is the message without the number of the row, the value (but null), and the advice.
_MESSAGE = r"""regexp_replace(regexp_replace(coalesce(error->>'message', ''),
    '^(the instances do not fit the model: )?instances\.\d+[.:] ?', ''), ' \(a missing value.*$', '')"""
REASON = f"CASE WHEN {_MESSAGE} LIKE '%, not null' THEN {_MESSAGE} ELSE regexp_replace({_MESSAGE}, ', not .*$', '') END"
"""SQL for the reason of a refused record."""

_RECENT = f"""
CREATE TEMP TABLE recent AS
SELECT {AT}, pair_id, release, role, status, latency_ms, coalesce(sample, 1) AS sample,
    CASE WHEN {REFUSED} THEN {REASON} END AS reason
FROM {{lines}} WHERE {VALID} AND {AT} >= $since AND {AT} < $until AND role <> 'probe'
"""

_REFUSALS = f"""
WITH answered AS (SELECT DISTINCT pair_id FROM recent WHERE role = 'shadow' AND status = 200)
SELECT release, role, status, reason, round(sum(1 / sample))::BIGINT AS requests,
    count(*) FILTER (role <> 'shadow' AND pair_id IN (SELECT pair_id FROM answered))
FROM recent WHERE {REFUSED}
GROUP BY ALL ORDER BY requests DESC, release, role, status, reason LIMIT $most
"""


@contextmanager
def recent(home: Path, endpoint: str, *, since: datetime, until: datetime) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database with a table ``recent`` of the records from ``since`` to ``until``, without start-up checks.

    Raises
    ------
    StoreError
        A segment cannot be read.
    """
    folder = data_folder(home, checked_name(endpoint))
    columns = {name: kind for name, kind in COLUMNS.items() if name not in ("inputs", "outputs")}
    with reading(folder), database(folder) as connection:
        lines = lines_of(written_since(segments(home, endpoint), since), columns)
        fetch_rows(connection, _RECENT.format(lines=lines), {"since": in_utc(since), "until": in_utc(until)})
        yield connection


def read(home: Path, endpoint: str, *, since: datetime) -> list[Refusal]:
    """Return the refused requests since a moment by release, status and reason, the most frequent first.

    Raises
    ------
    StoreError
        A segment cannot be read.
    """
    with recent(home, endpoint, since=since, until=_FOREVER) as connection:
        return refusals(connection)


def refusals(connection: duckdb.DuckDBPyConnection) -> list[Refusal]:
    """Return the refused requests of the table ``recent``, the most frequent first."""
    rows = fetch_rows(connection, _REFUSALS, {"most": MOST})
    fields = ("release", "role", "status", "reason", "requests", "shadows")
    return [Refusal.model_validate(dict(zip(fields, row, strict=True))) for row in rows]
