"""Requests, errors, latencies and refusals of releases over time, aggregated in DuckDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from jupyter_deploy.domain.evidence.record_pages import TimeBucket, TimeSeries

from .records import AT, fetch_rows, in_utc
from .refusals import REFUSED, recent, refusals

_SPANS = f"""
SELECT (epoch_us({AT}) - epoch_us($since::TIMESTAMP)) // $width AS place, release, role,
    round(sum(1 / sample))::BIGINT,
    round(coalesce(sum(1 / sample) FILTER (status >= 500), 0))::BIGINT,
    round(coalesce(sum(1 / sample) FILTER ({REFUSED}), 0))::BIGINT,
    quantile_cont(latency_ms, [0.5, 0.95, 0.99]) FILTER (status = 200)
FROM recent GROUP BY ALL ORDER BY ALL
"""


def read(home: Path, endpoint: str, *, since: datetime, until: datetime, every: timedelta) -> TimeSeries:
    """Return the time buckets of this length from ``since`` on; a release without answers has none.

    Start-up checks are not counted: no client sent them. If a sample is recorded, each record counts for
    ``1 / sample`` requests. The records are read once for both.

    Raises
    ------
    StoreError
        A segment cannot be read.
    """
    with recent(home, endpoint, since=since, until=until) as connection:
        width = every // timedelta(microseconds=1)
        rows = fetch_rows(connection, _SPANS, {"width": width, "since": in_utc(since)})
        refused = refusals(connection) if any(row[5] for row in rows) else []
    buckets = [
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
    return TimeSeries(buckets, refused)
