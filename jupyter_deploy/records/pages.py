"""Pages of records, newest first, and one record with all answers to its request."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import InvalidInput, UnknownRecord
from jupyter_deploy.domain.evidence.record_pages import Pair, RecordFilter, RecordKey, RecordPage, RecordSummary

from .records import AT, COLUMNS, FIELDS, VALID, as_records, database, fetch_rows, in_utc, lines_of, quoted, segments
from .segments import data_folder, reading, rejected_lines, release_folders

BEGINNING = 400
"""Characters of inputs and outputs in a list: longer values, maybe of megabytes, do not leave DuckDB."""

_KEY = "(moment, request_id, pair_id, release, role)"
_KEY_PARAMETERS = "(TRY_CAST($ts AS TIMESTAMP_NS), $request_id, $pair_id, $release, $role)"
_NEWEST = "moment DESC, request_id DESC, pair_id DESC, release DESC, role DESC"
_KEYS = f"{AT} AS moment, request_id, coalesce(pair_id, '') AS pair_id, release, role"
_SUMMARY_COLUMNS = f"{_KEYS}, status, latency_ms, rows, error, filename"
_BEGINNINGS = f"""left(inputs::VARCHAR, {BEGINNING}) AS input, left(outputs::VARCHAR, {BEGINNING}) AS output,
    inputs IS NULL AND outputs IS NULL AS bare"""

# Only a request that a shadow has too has answers of two releases: the outputs of others are not hashed.
_DIFFERING = f"""
CREATE TEMP TABLE differing AS
WITH shadowed AS MATERIALIZED (
    SELECT DISTINCT pair_id FROM {{lines}}
    WHERE {VALID} AND status = 200 AND role = 'shadow' AND pair_id IS NOT NULL AND {{range}}
)
SELECT pair_id FROM {{lines}}
WHERE {VALID} AND status = 200 AND pair_id IN (SELECT pair_id FROM shadowed) AND outputs IS NOT NULL AND {{range}}
GROUP BY pair_id HAVING min(md5(outputs::VARCHAR)) <> max(md5(outputs::VARCHAR))
"""

# JSON lines are read once. Of Parquet each query reads its own columns, and only the page reads its inputs, from the
# row groups of its moments.
_PAGE = f"""
CREATE TEMP TABLE page AS
SELECT * FROM (
    SELECT *, true AS fresh FROM fresh WHERE valid
    UNION ALL BY NAME SELECT *, false AS fresh FROM compacted
) {{earlier}} ORDER BY {_NEWEST} LIMIT $most
"""

_INPUTS = f"""
UPDATE page SET input = inputs_read.input, output = inputs_read.output, bare = inputs_read.bare
FROM (
    SELECT {_KEYS}, {_BEGINNINGS} FROM {{lines}}
    WHERE {AT} BETWEEN (SELECT min(moment) FROM page) AND (SELECT max(moment) FROM page)
        AND request_id IN (SELECT request_id FROM page)
) AS inputs_read
WHERE NOT page.fresh AND {_KEY.replace("(", "(page.").replace(", ", ", page.")}
    = {_KEY.replace("(", "(inputs_read.").replace(", ", ", inputs_read.")}
"""

_ROWS = f"""
SELECT moment::VARCHAR, request_id, pair_id, release, role, status, latency_ms, rows, input, output, bare,
    left(concat_ws(': ', error->>'$.type', nullif(error->>'$.message', '')), {BEGINNING})
FROM page ORDER BY {_NEWEST}
"""


def page(home: Path, endpoint: str, record_filter: RecordFilter, *, before: str | None, limit: int) -> RecordPage:
    """Return the records before the key ``before`` (None: the newest), newest first.

    Raises
    ------
    InvalidInput
        ``before`` is not a record's key, or ``limit`` is not positive.
    StoreError
        A segment cannot be read.
    """
    if limit < 1:
        raise InvalidInput(f"{limit} is not a number of records", "give a limit of 1 or more")
    key = RecordKey.parsed(before) if before else None
    folder = data_folder(home, checked_name(endpoint))
    with reading(folder), database(folder) as connection:
        versions = [record_filter.release.partition(":")[2]] if record_filter.release else None
        files = segments(home, endpoint, versions)
        if record_filter.differs:
            lines = lines_of(segments(home, endpoint), COLUMNS)
            fetch_rows(connection, _DIFFERING.format(lines=lines, range=_range(record_filter)))
        total, torn = _load(connection, files, record_filter)
        earlier, parameters = (f"WHERE {_KEY} < {_KEY_PARAMETERS}", key._asdict()) if key else ("", {})
        connection.execute(_PAGE.format(earlier=earlier), parameters | {"most": limit + 1})
        others = connection.execute("SELECT DISTINCT filename FROM page WHERE NOT fresh").fetchall()
        if others:
            lines = lines_of([Path(name) for (name,) in others], COLUMNS)
            connection.execute(_INPUTS.format(lines=lines))
        summaries = [_summary(row) for row in connection.execute(_ROWS).fetchall()]
        folders = [one for one in release_folders(home, endpoint) if versions is None or one.name in versions]
        rejected = sum(rejected_lines(one) for one in folders)
    on_page = summaries[:limit]
    return RecordPage(
        heads=tuple(on_page),
        total=total,
        next=on_page[-1].key if len(summaries) > limit else None,
        unreadable=torn + rejected,
    )


def pair(home: Path, endpoint: str, key: str) -> Pair:
    """Return a record with all records of its request: stable's or the canary's first, then the shadows'.

    Raises
    ------
    InvalidInput
        ``key`` is not a record's key.
    UnknownRecord
        The record is not stored, or no longer.
    StoreError
        A segment cannot be read.
    """
    record_key = RecordKey.parsed(key)
    folder = data_folder(home, checked_name(endpoint))
    same = f"({AT}, request_id, coalesce(pair_id, ''), release, role) = {_KEY_PARAMETERS}"
    with reading(folder), database(folder) as connection:
        lines = lines_of(segments(home, endpoint), COLUMNS)
        query = f"SELECT {FIELDS} FROM {lines} WHERE {VALID} AND (pair_id = $pair_id OR {same}) ORDER BY {AT}, release"
        rows = fetch_rows(connection, query, record_key._asdict())
    record = next((as_records([row]) for row in rows if _is_record(record_key, row)), [])
    if not record:
        raise UnknownRecord(
            f"{endpoint} has no such record of {record_key.ts[:19]} UTC (any more)",
            "it was purged or cleared: reload the list",
        )
    answers = sorted(as_records(rows), key=lambda one: (one.role == "shadow", one.ts))
    return Pair(record=record[0], answers=tuple(answers))


def _load(connection: duckdb.DuckDBPyConnection, files: list[Path], record_filter: RecordFilter) -> tuple[int, int]:
    """Create ``fresh`` and ``compacted`` of the filtered records; count these and the unreadable lines."""
    wanted = condition(record_filter)
    raw = [file for file in files if file.suffix != ".parquet"]
    fetch_rows(
        connection,
        f"CREATE TEMP TABLE fresh AS SELECT {_SUMMARY_COLUMNS}, {_BEGINNINGS}, {VALID} AS valid "
        f"FROM {lines_of(raw, COLUMNS)} WHERE NOT {VALID} OR ({wanted})",
    )
    # A search for text reads every byte: do so once.
    kind = "TABLE" if record_filter.text else "VIEW"
    compacted = lines_of([file for file in files if file not in raw], COLUMNS)
    connection.execute(
        f"CREATE TEMP {kind} compacted AS SELECT {_SUMMARY_COLUMNS}, '' AS input, '' AS output, false AS bare "
        f"FROM {compacted} WHERE {wanted}"
    )
    total, torn = connection.execute(
        "SELECT (SELECT count(*) FROM fresh WHERE valid) + (SELECT count(*) FROM compacted), "
        "(SELECT count(*) FROM fresh WHERE NOT valid)"
    ).fetchone()
    return total, torn


def condition(record_filter: RecordFilter) -> str:
    """Return the filter as SQL without parameters, which a view cannot have; ``differs`` needs ``differing``."""
    parts = [_range(record_filter)]
    if record_filter.role is not None:
        parts.append(f"role = {quoted(record_filter.role)}")
    if record_filter.status is not None:
        parts.append(f"status = {int(record_filter.status)}")
    if record_filter.release is not None:
        parts.append(f"release = {quoted(record_filter.release)}")
    if record_filter.text:
        # As it is displayed, or as it is written in JSON: "a\nb" matches by its line break and by \n.
        spelled = json.dumps(record_filter.text, ensure_ascii=False)[1:-1]
        needles = {quoted(text) for text in (record_filter.text, spelled)}
        matches = [
            f"contains(lower({column}::VARCHAR), lower({needle}))"
            for column in ("inputs", "outputs", "error")
            for needle in sorted(needles)
        ]
        parts.append(f"coalesce({', false) OR coalesce('.join(matches)}, false)")
    if record_filter.differs:
        parts.append("pair_id IN (SELECT pair_id FROM differing)")
    return " AND ".join(f"({part})" for part in parts)


def _range(record_filter: RecordFilter) -> str:
    parts = ["true"]
    if record_filter.since is not None:
        parts.append(f"{AT} >= TIMESTAMP {quoted(str(in_utc(record_filter.since)))}")
    if record_filter.until is not None:
        parts.append(f"{AT} < TIMESTAMP {quoted(str(in_utc(record_filter.until)))}")
    return " AND ".join(parts)


def _summary(row: tuple[Any, ...]) -> RecordSummary:
    moment, request_id, pair_id, release, role, status, latency_ms, rows, inputs, outputs, bare, error = row
    return RecordSummary(
        key=RecordKey(moment, request_id, pair_id, release, role).text,
        request_id=request_id,
        pair_id=pair_id,
        ts=datetime.fromisoformat(moment[:26]).replace(tzinfo=UTC),
        release=release,
        role=role,
        status=status,
        latency_ms=latency_ms,
        rows=rows or 0,
        input=_first_item(inputs or ""),
        output=_first_item(outputs or ""),
        error=error,
        bare=bare,
    )


def _first_item(text: str) -> str:
    """Return the first item of a truncated list, as far as it goes; another value unchanged."""
    if not text.startswith("["):
        return text
    try:
        _, end = json.JSONDecoder().raw_decode(text, 1)
    except ValueError:  # the item is truncated, or the list is empty
        return text[1:].removesuffix("]") if len(text) < BEGINNING else text[1:]
    return text[1:end]


def _is_record(key: RecordKey, row: tuple[Any, ...]) -> bool:
    fields = dict(zip(COLUMNS, row, strict=True))
    return key == RecordKey(
        fields["ts"].removesuffix("Z"), fields["request_id"], fields["pair_id"] or "", fields["release"], fields["role"]
    )
