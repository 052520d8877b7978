"""Requests, errors and latencies of releases over time, aggregated in DuckDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.evidence.record_pages import TimeBucket

from .records import AT, COLUMNS, VALID, database, fetch_rows, in_utc, lines_of, segments
from .refusals import REFUSED
from .segments import data_folder, reading

_SPANS = """
SELECT (epoch_us({at}) - epoch_us($since::TIMESTAMP)) // $width AS place, release, role,
    round(sum(1 / coalesce(sample, 1)))::BIGINT,
    round(coalesce(sum(1 / coalesce(sample, 1)) FILTER (status >= 500), 0))::BIGINT,
    round(coalesce(sum(1 / coalesce(sample, 1)) FILTER ({refused}), 0))::BIGINT,
    quantile_cont(latency_ms, [0.5, 0.95, 0.99]) FILTER (status = 200)
FROM {lines}
WHERE {valid} AND {at} >= $since AND {at} < $until AND role <> 'probe'
GROUP BY ALL ORDER BY ALL
"""


def read(home: Path, endpoint: str, *, since: datetime, until: datetime, every: timedelta) -> list[TimeBucket]:
    """Return the time buckets of this length from ``since`` on; a release without answers has none.

    Start-up checks are not counted: no client sent them. If a sample is recorded, each record counts for
    ``1 / sample`` requests.

    Raises
    ------
    StoreError
        A segment cannot be read.
    """
    folder = data_folder(home, checked_name(endpoint))
    columns = {name: kind for name, kind in COLUMNS.items() if name not in ("inputs", "outputs", "error")}
    with reading(folder), database(folder) as connection:
        query = _SPANS.format(lines=lines_of(segments(home, endpoint), columns), at=AT, valid=VALID, refused=REFUSED)
        width = every // timedelta(microseconds=1)
        rows = fetch_rows(connection, query, {"width": width, "since": in_utc(since), "until": in_utc(until)})
    return [
        TimeBucket(
            start=since + number * every,
            release=release,
            role=role,
            requests=requests,
            errors=errors,
            refused=refused,
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
        )
        for number, release, role, requests, errors, refused, quantiles in rows
        for p50, p95, p99 in [quantiles or (None, None, None)]
    ]
