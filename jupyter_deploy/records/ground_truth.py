"""Ground truth joined to the predictions, and files of recorded rows for validation notebooks.

A caller knows the request's id, which may repeat; the join key of the records is the gateway's own ``pair_id``. So an
id is looked up among the answers that clients received, from stable and the canary. If exactly one request has the id,
the actual value belongs to that request's pair, and so to the shadows' answers too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.evidence.ground_truth import LATE, Actual, Feedback, RecordedRows
from jupyter_deploy.domain.evidence.segments import MOST_SEGMENTS, parse_segments
from jupyter_deploy.domain.monitoring.confidence import Confidence, ConfidenceCount, KnownCount
from jupyter_deploy.domain.monitoring.performance import Performance, Period
from jupyter_deploy.system.temp import scratch_folder

from . import segments
from .confidence import ACTUAL, ANSWER, NAMED, confidences, known_confidences, load_macros
from .feedback_files import read
from .records import COLUMNS, FEEDBACK_COLUMNS, FEEDBACK_VALID, VALID, database, fetch_rows, in_utc, lines_of, quoted
from .records import segments as files_of
from .segment_values import segment_value
from .segments import data_folder, feedback_folder, reading, segments_in
from .shipping import BucketOfHome

# If the proxy retries a request, the last answer is the one that the client received.
_KEY = "coalesce(pair_id, filename || request_id || ts::VARCHAR)"

_POSTED = """
CREATE TEMP TABLE posted AS
SELECT request_id, row, actual, ts AS posted_at,
    row_number() OVER (PARTITION BY request_id, row ORDER BY ts DESC, item DESC, filename DESC) AS age
FROM {lines} WHERE {valid}
"""

_ANSWERS = """
CREATE TEMP TABLE responses AS
SELECT {key} AS key, request_id, ts AS answered_at, release, role, rows
FROM {lines} WHERE {valid} AND status = 200 AND role IN ('stable', 'canary', 'shadow')
    AND request_id IN (SELECT request_id FROM posted)
QUALIFY row_number() OVER (PARTITION BY key, release ORDER BY ts DESC) = 1
"""

_TRUTH = """
CREATE TEMP TABLE truth AS
SELECT key, row, actual, posted_at > answered_at + to_seconds($late) AS late,
    CASE WHEN requests > 1 THEN 'ambiguous' WHEN row < rows THEN 'joined' ELSE 'unknown' END AS outcome
FROM posted LEFT JOIN (
    SELECT request_id, count(*) AS requests, any_value(key) AS key, any_value(answered_at) AS answered_at,
        any_value(rows) AS rows
    FROM (SELECT * FROM responses WHERE role <> 'shadow'
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY answered_at DESC) = 1)
    GROUP BY request_id
) USING (request_id)
WHERE age = 1
"""

_COUNTS = """
SELECT (SELECT count(*) FROM posted), (SELECT count(*) FROM posted WHERE age > 1),
    count(*) FILTER (outcome = 'joined'), count(*) FILTER (outcome = 'joined' AND late),
    count(*) FILTER (outcome = 'ambiguous'), count(*) FILTER (outcome = 'unknown'),
    count(*) FILTER (outcome = 'joined' AND actual IS NOT NULL)
FROM truth
"""

_BY_RELEASE = """
SELECT release, count(*) FROM truth JOIN responses USING (key)
WHERE outcome = 'joined' AND actual IS NOT NULL GROUP BY release ORDER BY release
"""

_LIVE = """
CREATE TEMP TABLE live AS
SELECT {key} AS key, ts AS answered_at, filename, rows, inputs IS NULL OR outputs IS NULL AS bare
FROM {lines} WHERE {valid} AND status = 200 AND role IN ('stable', 'canary') AND ts >= $since AND rows > 0
    AND ($until IS NULL OR ts < $until::TIMESTAMP)
QUALIFY row_number() OVER (PARTITION BY key ORDER BY ts DESC) = 1
"""

_CHOSEN = """
CREATE TEMP TABLE chosen AS
SELECT key, answered_at, filename, rows FROM live WHERE NOT bare
QUALIFY sum(rows) OVER (ORDER BY answered_at DESC, key DESC ROWS UNBOUNDED PRECEDING) - rows < $limit
"""

_ROWS = """
CREATE TEMP TABLE requests AS
SELECT key, request_id, answered_at, release, inputs, outputs, redacted
FROM (SELECT *, {key} AS key, ts AS answered_at FROM {lines} WHERE {valid})
JOIN chosen USING (key, answered_at, filename) WHERE role IN ('stable', 'canary')
QUALIFY row_number() OVER (PARTITION BY key) = 1
"""

_WITH_ACTUALS = """
SELECT request_id, replace(answered_at::VARCHAR, ' ', 'T') || 'Z', release, inputs, outputs, actuals, redacted
FROM requests LEFT JOIN (
    SELECT key, list({'row': row, 'actual': actual}) AS actuals FROM truth WHERE outcome = 'joined' GROUP BY key
) USING (key)
ORDER BY answered_at, key
"""

NUMBERS = "('UBIGINT', 'BIGINT', 'DOUBLE')"
"""SQL for JSON's types of numbers."""

LOSS = "abs(TRY_CAST(value AS DOUBLE) - TRY_CAST(actual AS DOUBLE))"
"""SQL for the absolute error of an answer ``value``, a number."""

RIGHT = f"""coalesce(value::VARCHAR = actual::VARCHAR
    OR json_type(value) IN {NUMBERS} AND json_type(actual) IN {NUMBERS}
        AND TRY_CAST(value AS DOUBLE) = TRY_CAST(actual AS DOUBLE), false)::INTEGER"""
"""SQL for whether an answer ``value`` is the actual one."""

_GRID = 1_000
"""Shares of a cluster are rounded to thousandths, down and up."""

# Answers are numbers if one of the range has a fraction; an answer of another form than its actual value is left out.
# Of probabilities the most probable class counts.
# A row counts in its span and in the whole range (place -1), among all rows ('') and in each of its segments.
_PERIODS = f"""
WITH answers AS (
    SELECT {{key}} AS key, release, ts, outputs, {{inputs}} AS inputs, coalesce('k' || cluster, {{key}}) AS unit
    FROM {{lines}} WHERE {{valid}} AND status = 200 AND role IN ('stable', 'canary', 'shadow') AND ts >= $since
        AND ts < $until AND request_id IN (SELECT request_id FROM posted)
    QUALIFY row_number() OVER (PARTITION BY key, release ORDER BY ts DESC) = 1
),
judged AS (
    SELECT (epoch_us(ts) - epoch_us($since::TIMESTAMP)) // $width AS place, release, unit, input, value, actual,
        json_type(value) IN {NUMBERS} AND json_type(actual) IN {NUMBERS}
            AND bool_or('DOUBLE' IN (json_type(value), json_type(actual))) OVER () AS number
    FROM (SELECT ts, release, unit, input, {ANSWER} AS value, {ACTUAL} AS actual
        FROM (SELECT *, json_extract(outputs, '$[' || "row" || ']') AS answer,
                json_extract(inputs, '$[' || "row" || ']') AS input
            FROM answers JOIN truth USING (key)
            WHERE outcome = 'joined' AND actual IS NOT NULL AND json_type(outputs) = 'ARRAY')
        QUALIFY {NAMED})
    WHERE json_type(value) NOT IN ('OBJECT', 'ARRAY') OR json_type(value) = json_type(actual)
),
divided AS (
    SELECT * EXCLUDE (place), unnest([place, -1]) AS place
    FROM (SELECT *, unnest([{{segments}}]) AS segment FROM judged)
),
named AS (
    SELECT segment, count(*) OVER () AS segments FROM divided WHERE segment IS NOT NULL
    GROUP BY segment ORDER BY count(*) DESC, segment LIMIT {MOST_SEGMENTS + 1}
),
units AS (
    SELECT segment, segments, release, place, unit, count(*) AS "rows", avg({RIGHT}) FILTER (NOT number) AS share,
        sum({LOSS}) FILTER (number) AS loss, count(*) FILTER (number) AS numbers
    FROM divided JOIN named USING (segment) GROUP BY ALL
)
SELECT place, release, segment, sum("rows")::BIGINT, count(*), histogram(floor(share * {_GRID}) / {_GRID}),
    histogram(ceil(share * {_GRID}) / {_GRID}), sum(loss) / nullif(sum(numbers), 0), max(segments) - 1
FROM units GROUP BY place, release, segment ORDER BY segment, release, place
"""

_encoded = json.JSONEncoder(separators=(",", ":")).encode

_BATCH = 500
"""Requests that are in memory at a time while they are written; each may hold many rows."""


class RecordedGroundTruth:
    """The GroundTruth port: reads ``<home>/feedback`` and ``<home>/records``.

    Parameters
    ----------
    home
        The folder that ``NBDEPLOY_HOME`` names.
    """

    def __init__(self, home: Path, bucket: BucketOfHome | None = None) -> None:
        self._home = home
        self._bucket = bucket or BucketOfHome(home, None)

    def read(self, data: Any, *, texts: bool) -> list[Actual]:
        """See ``feedback_files.read``."""
        return read(data, texts=texts)

    def counts(self, endpoint: str) -> Feedback:
        """Count the stored feedback, and how much of it is joined.

        Raises InvalidInput (an impossible name), StoreError.
        """
        self._bucket.refresh(endpoint)
        folder = segments.feedback_folder(self._home, checked_name(endpoint))
        with _joined(self._home, endpoint) as connection:
            counts = connection.execute(_COUNTS).fetchone()
            lines = f"SELECT count(*) FROM {_feedback(folder)} WHERE NOT {FEEDBACK_VALID}"
            ((torn,),) = fetch_rows(connection, lines)
            releases = dict(connection.execute(_BY_RELEASE).fetchall())
        posted, repeated, joined, late, ambiguous, unknown, known = counts
        return Feedback(
            endpoint=endpoint,
            posted=posted,
            joined=joined,
            late=late,
            repeated=repeated,
            ambiguous=ambiguous,
            unknown=unknown,
            rows_with_truth=known,
            releases=releases,
            unreadable=torn + segments.rejected_lines(folder),
            removed=segments.removed(folder).count,
        )

    def performance(
        self, endpoint: str, *, since: datetime, until: datetime, every: timedelta, segments: Sequence[str] = ()
    ) -> Performance:
        """Judge the answers of each release by ground truth, in spans of time and by declared segments.

        Raises InvalidInput (an impossible name, or a declaration that is none), StoreError.
        """
        declared = parse_segments(segments)
        self._bucket.refresh(endpoint)
        if not segments_in(feedback_folder(self._home, checked_name(endpoint))):
            return Performance(since=since, until=until, segments=list(segments))
        values = {"since": in_utc(since), "until": in_utc(until), "width": every // timedelta(microseconds=1)}
        names = [f"{quoted(one.column + ': ')} || {segment_value(one)}" for one in declared]
        query = _PERIODS.format(
            **_records(self._home, endpoint),
            inputs="inputs" if declared else "NULL::JSON",
            segments=", ".join(["''", *names]),
        )
        with _joined(self._home, endpoint) as connection:
            load_macros(connection)
            found = fetch_rows(connection, query, values)
        spans: list[Period] = []
        totals: list[Period] = []
        most = 0
        for place, release, segment, rows, clusters, down, up, error, most in found:  # noqa: B007 - the same in all
            start = since + max(place, 0) * every
            one = Period(start=start, release=release, segment=segment, rows=rows, clusters=clusters, error=error)
            (spans if place >= 0 else totals).append(one.with_shares(down, up) if down else one)
        return Performance(
            since=since,
            until=until,
            spans=spans,
            totals=totals,
            segments=list(segments),
            left_out=max(0, most - MOST_SEGMENTS),
        )

    def confidence(
        self, endpoint: str, releases: Sequence[str], *, since: datetime, until: datetime, every: timedelta
    ) -> Confidence:
        """Return the largest probabilities of a range's answers, and of earlier answers with ground truth.

        Raises InvalidInput (an impossible name), StoreError.
        """
        self._bucket.refresh(checked_name(endpoint))
        begin: dict[str, object] = {"since": in_utc(since)}
        of_range = begin | {"until": in_utc(until), "width": every // timedelta(microseconds=1)}
        versions = [tag.partition(":")[2] for tag in releases]
        folder, known = data_folder(self._home, endpoint), []
        with reading(folder), database(folder) as connection:
            load_macros(connection)
            found, sampled = confidences(connection, _records(self._home, endpoint, versions), of_range)
        if found and segments_in(feedback_folder(self._home, endpoint)):
            with _joined(self._home, endpoint) as connection:
                load_macros(connection)
                of_records = _records(self._home, endpoint, versions)
                known = [KnownCount(*one) for one in known_confidences(connection, of_records, begin)]
        counts = [
            ConfidenceCount(since + place * every, release, bin_, rows, mean or 0.0)
            for place, release, bin_, rows, mean in found
        ]
        return Confidence(counts, known, sampled)

    @contextmanager
    def recorded(
        self, endpoint: str, *, since: datetime | None, until: datetime | None = None, limit: int
    ) -> Iterator[RecordedRows]:
        """Provide a private file of the last ``limit`` rows of stable and canary, with their ground truth.

        JSON lines, since a row is any JSON value: Python, pandas and R's jsonlite read them without guessing types.

        Raises InvalidInput (an impossible name), StoreError.
        """
        self._bucket.refresh(checked_name(endpoint))
        with scratch_folder("recorded") as folder:
            path = folder / "recorded.jsonl"
            with _joined(self._home, endpoint) as connection:
                records = _records(self._home, endpoint)
                fetch_rows(
                    connection, _LIVE.format(**records), {"since": in_utc(since), "until": until and in_utc(until)}
                )
                connection.execute(_CHOSEN, {"limit": limit})
                summed = "SELECT coalesce(sum(rows) FILTER (NOT bare), 0)::BIGINT, count(*) FILTER (bare) FROM live"
                of, bare = connection.execute(summed).fetchone()
                ((chosen,),) = fetch_rows(connection, "SELECT coalesce(sum(rows), 0)::BIGINT FROM chosen")
                fetch_rows(connection, _ROWS.format(**records))
                connection.execute(_WITH_ACTUALS)
                _write(connection, path, leave_out=max(0, chosen - limit))
            yield RecordedRows(path, min(chosen, limit), of, bare)


def _records(home: Path, endpoint: str, versions: Sequence[str] | None = None) -> dict[str, str]:
    """Return the placeholders of a query about an endpoint's records, of all or of some releases."""
    return {"lines": lines_of(files_of(home, endpoint, versions), COLUMNS), "valid": VALID, "key": _KEY}


def _feedback(folder: Path) -> str:
    return lines_of([segment.path for segment in segments.readable(folder)], FEEDBACK_COLUMNS)


@contextmanager
def _joined(home: Path, endpoint: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database with the tables ``posted``, ``responses`` and ``truth`` of an endpoint."""
    guard, folder = segments.data_folder(home, endpoint), segments.feedback_folder(home, endpoint)
    with segments.reading(guard), segments.reading(folder), database(guard, folder) as connection:
        load_truth(connection, home, endpoint)
        yield connection


def load_truth(connection: duckdb.DuckDBPyConnection, home: Path, endpoint: str) -> None:
    """Create the tables ``posted``, ``responses`` and ``truth``. The caller holds the locks of records and feedback.

    ``truth`` (key, row, actual, late, outcome): ``key`` is the ``pair_id`` of the request, if it has one.
    """
    folder = segments.feedback_folder(home, endpoint)
    fetch_rows(connection, _POSTED.format(lines=_feedback(folder), valid=FEEDBACK_VALID))
    fetch_rows(connection, _ANSWERS.format(**_records(home, endpoint)))
    connection.execute(_TRUTH, {"late": LATE.total_seconds()})


def _write(connection: duckdb.DuckDBPyConnection, path: Path, *, leave_out: int) -> None:
    """Write a query's rows, without the first ``leave_out``, as JSON lines that only their owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        while requests := connection.fetchmany(_BATCH):
            for line in (line for request in requests for line in _json_lines(request)):
                if leave_out:
                    leave_out -= 1
                else:
                    file.write(line + "\n")


def _json_lines(request: tuple[Any, ...]) -> Iterator[str]:
    request_id, at, release, inputs, outputs, actuals, redacted = request
    actual = {item["row"]: item["actual"] for item in actuals or ()}
    for row, (instance, predicted) in enumerate(zip(json.loads(inputs), json.loads(outputs), strict=True)):
        known = actual.get(row)
        document = {
            "request_id": request_id,
            "row": row,
            "ts": at,
            "release": release,
            "instance": instance,
            "predicted": predicted,
            "actual": None if known is None else json.loads(known),
        }
        if redacted:
            document["redacted"] = json.loads(redacted)
        yield _encoded(document)
