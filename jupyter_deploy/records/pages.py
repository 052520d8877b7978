"""Records: of a range, in pages, and one record with all answers to its request."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import InvalidInput, UnknownRecord
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.evidence.record_pages import (
    Pair,
    RecordFilter,
    RecordKey,
    RecordOrder,
    RecordPage,
    RecordSummary,
)

from .record_filter import condition, load_differing, load_distances
from .records import AT, COLUMNS, FIELDS, VALID, as_records, database, fetch_rows, lines_of, segments
from .segments import data_folder, reading, rejected_lines, release_folders

BEGINNING = 400
"""Characters of inputs and outputs in a list: longer values, maybe of megabytes, do not leave DuckDB."""

_KEY = "(moment, request_id, pair_id, release, role)"
_KEY_PARAMETERS = "(TRY_CAST($ts AS TIMESTAMP_NS), $request_id, $pair_id, $release, $role)"
_NEWEST = "moment DESC, request_id DESC, pair_id DESC, release DESC, role DESC"
_ORDERS = {
    "newest": {"order": _NEWEST, "difference": "NULL"},
    "difference": {"order": f"difference DESC, {_NEWEST}", "difference": "difference"},
}
_KEYS = f"{AT} AS moment, request_id, coalesce(pair_id, '') AS pair_id, release, role"
_SUMMARY_COLUMNS = f"{_KEYS}, status, latency_ms, rows, error, filename"
_BEGINNINGS = f"""left(inputs::VARCHAR, {BEGINNING}) AS input, left(outputs::VARCHAR, {BEGINNING}) AS output,
    inputs IS NULL AND outputs IS NULL AS bare"""

# JSON lines are read once. Of Parquet each query reads its own columns, and only the page reads its inputs, from the
# row groups of its moments.
_PAGE = """
CREATE TEMP TABLE page AS
SELECT * FROM (
    SELECT *, true AS fresh FROM fresh WHERE valid
    UNION ALL BY NAME SELECT *, false AS fresh FROM compacted
) {differences} {earlier} ORDER BY {order} LIMIT $most
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
    left(concat_ws(': ', error->>'$.type', nullif(error->>'$.message', '')), {BEGINNING}), {{difference}}
FROM page ORDER BY {{order}}
"""


def page(
    home: Path,
    endpoint: str,
    record_filter: RecordFilter,
    *,
    before: str | None,
    limit: int,
    order: RecordOrder = "newest",
) -> RecordPage:
    """Return the records after the key ``before`` in an order (None: the first ones).

    Raises
    ------
    InvalidInput
        ``before`` is not a record's key, or ``limit`` is not positive.
    UnknownRecord
        The record ``before`` has no place in the order any more.
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
        if order == "difference":
            record_filter = record_filter.model_copy(update={"differs": True})
        load_differing(connection, home, endpoint, record_filter)
        unordered = load_distances(connection, home, endpoint, record_filter) if order == "difference" else 0
        total, torn = _load(connection, files, record_filter)
        _load_page(connection, key, limit, order)
        others = connection.execute("SELECT DISTINCT filename FROM page WHERE NOT fresh").fetchall()
        if others:
            lines = lines_of([Path(name) for (name,) in others], COLUMNS)
            connection.execute(_INPUTS.format(lines=lines))
        rows = connection.execute(_ROWS.format(**_ORDERS[order])).fetchall()
        summaries = [_summary(row) for row in rows]
        folders = [one for one in release_folders(home, endpoint) if versions is None or one.name in versions]
        rejected = sum(rejected_lines(one) for one in folders)
    on_page = summaries[:limit]
    return RecordPage(
        heads=tuple(on_page),
        total=total,
        next=on_page[-1].key if len(summaries) > limit else None,
        unreadable=torn + rejected,
        unordered=unordered,
    )


def read(home: Path, endpoint: str, record_filter: RecordFilter, *, limit: int | None) -> list[Record]:
    """Return matching records by time, oldest first; with ``limit`` only the last ones.

    Raises
    ------
    InvalidInput
        ``limit`` is negative, or a column of the filter has no bins.
    StoreError
        A segment cannot be read.
    """
    if limit is not None and limit < 0:
        raise InvalidInput(f"{limit} is not a number of records", "give a limit of 0 or more")
    folder = data_folder(home, checked_name(endpoint))
    with reading(folder), database(folder) as connection:
        load_differing(connection, home, endpoint, record_filter)
        query = (
            f"SELECT {FIELDS} FROM {lines_of(segments(home, endpoint), COLUMNS)} "
            f"WHERE {VALID} AND {condition(record_filter)} ORDER BY {AT} DESC, request_id DESC "
            f"{f'LIMIT {limit}' if limit is not None else ''}"
        )
        rows = fetch_rows(connection, query)
    return as_records(reversed(rows))


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


def _load_page(connection: duckdb.DuckDBPyConnection, key: RecordKey | None, limit: int, order: RecordOrder) -> None:
    """Create the table ``page``: one record more than the limit, if there are so many."""
    placed, parameters = "", {}
    if key is not None:
        parameters = key._asdict()
        placed = f"WHERE {_KEY} < {_KEY_PARAMETERS}"
    if key is not None and order == "difference":
        find = "SELECT difference FROM distances WHERE pair_id = $pair_id"
        found = connection.execute(find, {"pair_id": key.pair_id}).fetchone()
        if found is None:
            raise UnknownRecord("the list has lost its place: the last record of the page was removed", "reload it")
        parameters["difference"] = found[0]
        placed = f"WHERE difference < $difference OR (difference = $difference AND {_KEY} < {_KEY_PARAMETERS})"
    differences = "JOIN distances USING (pair_id)" if order == "difference" else ""
    query = _PAGE.format(earlier=placed, differences=differences, order=_ORDERS[order]["order"])
    connection.execute(query, parameters | {"most": limit + 1})


def _load(connection: duckdb.DuckDBPyConnection, files: list[Path], record_filter: RecordFilter) -> tuple[int, int]:
    """Create ``fresh`` and ``compacted`` of the filtered records; count these and the unreadable lines."""
    wanted = condition(record_filter)
    raw = [file for file in files if file.suffix != ".parquet"]
    fetch_rows(
        connection,
        f"CREATE TEMP TABLE fresh AS SELECT {_SUMMARY_COLUMNS}, {_BEGINNINGS}, {VALID} AS valid "
        f"FROM {lines_of(raw, COLUMNS)} WHERE NOT {VALID} OR ({wanted})",
    )
    # A search in inputs reads every byte: do so once.
    kind = "TABLE" if record_filter.text or record_filter.where else "VIEW"
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


def _summary(row: tuple[Any, ...]) -> RecordSummary:
    moment, request_id, pair_id, release, role, status, latency_ms, rows, inputs, outputs, bare, error, size = row
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
        difference=size,
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
