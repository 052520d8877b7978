"""The proxy's access logs as a ledger: the mirrored requests and the outcome of each copy.

``<home>/ledger/edge.jsonl`` has a line for every request and the release that answered it, ``shadow.jsonl`` one for
every copy that reached the shadow hop; rotated (``edge-….v1.jsonl``, ``edge.jsonl.1``) and compacted files
(``edge-….v1.parquet``) count too. Either may be absent or end in a torn line: then mirrored requests are known from the
shadow records alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from .records import AT, LEDGER_COLUMNS, lines_of, quoted
from .segments import LEDGER, readable

_READ = ("ts", "pair_id", "endpoint", "release", "status", "flags", "record")
_COLUMNS = {name: LEDGER_COLUMNS[name] for name in _READ}

# Envoy's response flags, the most specific first: a line may have several.
_FLAGS = {
    "UO": "overflow",
    "UH": "no worker",
    "NC": "no worker",
    "NR": "no route",
    "UT": "timed out",
    "DT": "timed out",
    "SI": "timed out",
    "UMSDR": "timed out",
    "UF": "connection failed",
    "UC": "connection closed by the worker",
    "UR": "connection closed by the worker",
    "LR": "connection reset",
    "UPE": "answer not understood",
    "URX": "retries used up",
    "DC": "given up by the gateway",
    "DR": "given up by the gateway",
}
SAMPLE_POSITION_SQL = "('0x' || sha256(pair_id)[1:13])::BIGINT / pow(2, 52)"
"""``serving.recording.place_of`` in SQL: the id of a request determines whether it is recorded."""

# The gateway's header: ``full;sample=0.1``; a request without it has none in its line.
_SAMPLE_SQL = r"coalesce(TRY_CAST(regexp_extract(record, ';sample=([0-9.e-]+)', 1) AS DOUBLE), 1)"
_TO_BE_RECORDED = (
    "split_part(coalesce(record, 'full'), ';', 1) <> 'off' "
    f"AND ({_SAMPLE_SQL} >= 1 OR {SAMPLE_POSITION_SQL} < {_SAMPLE_SQL})"
)

NO_RECORD = "answered without a record"
NO_STABLE = "without a record of stable"
OVERFLOW = "overflow"


def load(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    endpoint: str,
    candidate: str,
    stable: str,
    *,
    condition: str = "true",
) -> None:
    """Create the views ``copies`` and ``others`` of the lines that fulfil a condition.

    ``copies`` (pair_id, moment, status, flags): copies that reached the candidate's shadow hop and were to be recorded.
    ``others`` (pair_id): requests that another release than stable answered; their copies are no evidence about stable.
    """
    copies = lines_of(files(home, "shadow"), _COLUMNS)
    edge = lines_of(files(home, "edge"), _COLUMNS)
    of_endpoint = f"pair_id IS NOT NULL AND coalesce(endpoint, '-') IN ('', '-', {quoted(endpoint)})"
    both = ", ".join(map(quoted, (candidate, candidate.partition(":")[2])))
    connection.execute(
        f"CREATE TEMP VIEW copies AS SELECT pair_id, {AT} AS moment, status, flags FROM {copies} "
        f"WHERE {of_endpoint} AND release IN ({both}) AND {_TO_BE_RECORDED} AND {condition}"
    )
    both = ", ".join(map(quoted, (stable, stable.partition(":")[2])))
    connection.execute(
        f"CREATE TEMP VIEW others AS SELECT pair_id FROM {edge} "
        f"WHERE {of_endpoint} AND release NOT IN ('', '-', {both})"
    )


def load_unanswered(connection: duckdb.DuckDBPyConnection, home: Path, endpoint: str, condition: str = "true") -> None:
    """Create the view ``unanswered`` (release, role, moment, status, pair_id): clients' requests that failed.

    ``condition``: of the lines that count.

    ``status`` is 500 or above, whether the release or the gateway answered so. Only requests that were to be recorded.
    """
    lines = lines_of(files(home, "edge"), _COLUMNS | {"role": LEDGER_COLUMNS["role"]})
    connection.execute(
        f"CREATE TEMP VIEW unanswered AS SELECT release, role, {AT} AS moment, TRY_CAST(status AS INTEGER) AS status, "
        f"pair_id FROM {lines} WHERE pair_id IS NOT NULL AND endpoint = {quoted(endpoint)} "
        f"AND TRY_CAST(status AS INTEGER) >= 500 AND {_TO_BE_RECORDED} AND {condition}"
    )


def mirrored(connection: duckdb.DuckDBPyConnection, since: datetime, overflowed: int) -> tuple[int, dict[str, int]]:
    """Count stable's mirrored requests, and those without a pair by reason.

    Needs ``selected`` (records of both releases) and ``pairs`` in addition to the views of ``load``. Mirrored = ledger
    lines ∪ shadow records, without requests that another release answered, plus the proxy's overflow counter, which
    has no time. A request belongs to the window if none of its records and ledger lines is older than ``since``.
    So mirrored = pairs + all failures. Every pair was mirrored; only the rest, usually small, is queried.
    """
    connection.execute(
        """
        CREATE TEMP TABLE unpaired AS
        SELECT pair_id, bool_or(recorded) AS recorded, arg_max(status, moment) AS status,
            arg_max(flags, moment) AS flags
        FROM (
            SELECT pair_id, moment, status, flags, false AS recorded FROM copies
            WHERE moment >= $since OR moment IS NULL
            UNION ALL SELECT pair_id, NULL, NULL, NULL, true FROM selected WHERE side = 'candidate' AND moment >= $since
        )
        WHERE pair_id NOT IN (SELECT pair_id FROM pairs)
        GROUP BY pair_id
        """,
        {"since": since},
    )
    missing = connection.execute(
        """
        SELECT recorded, status, flags, count(*) FROM unpaired
        WHERE pair_id NOT IN (SELECT pair_id FROM selected WHERE moment < $since)
            AND (pair_id NOT IN (SELECT pair_id FROM others)
                OR pair_id IN (SELECT pair_id FROM selected SEMI JOIN unpaired USING (pair_id) WHERE side = 'stable'))
        GROUP BY ALL
        """,
        {"since": since},
    ).fetchall()
    ((pairs,),) = connection.execute("SELECT count(*) FROM pairs").fetchall()
    failures = _sum_counts(
        (NO_STABLE if recorded else failure_reason(status, flags), count) for recorded, status, flags, count in missing
    )
    if overflowed:
        failures = _sum_counts([*failures.items(), (OVERFLOW, overflowed)])
    return pairs + sum(failures.values()), failures


def failure_reason(status: str | None, flags: str | None) -> str:
    """Return the reason why a copy that reached the shadow hop has no record, from its ledger line."""
    set_flags = set(re.split(r"[,\s]+", flags or ""))
    for flag, words in _FLAGS.items():
        if flag in set_flags:
            return words
    if status and status.isdecimal() and int(status) >= 400:
        return f"answered with {status} without a record"
    return NO_RECORD


def _sum_counts(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for words, count in counts:
        totals[words] = totals.get(words, 0) + count
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def files(home: Path, log: Literal["edge", "shadow"]) -> list[Path]:
    """Return all files of one log, including the one that is being written."""
    folder = home / LEDGER
    if not folder.is_dir():
        return []
    numbered = sorted(path for path in folder.iterdir() if re.fullmatch(rf"{log}\.jsonl\.\d+", path.name))
    ours = [segment.path for segment in readable(folder) if segment.stem.partition("-")[0] == log]
    return [*numbered, *ours]
