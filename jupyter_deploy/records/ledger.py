"""The proxy's access logs as a ledger: which requests were mirrored, and what became of the copies.

``<home>/ledger/edge.jsonl`` has a line for every request and who answered it, ``shadow.jsonl`` one for every copy
that reached the shadow hop; what was rotated (``edge-….v1.jsonl``, ``edge.jsonl.1``) and compacted
(``edge-….v1.parquet``) counts too. Either may be absent or end in a torn line: then the shadow records alone say what
was mirrored.
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

# Envoy's response flags, the most telling first: a line may have several.
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
PLACE_SQL = "('0x' || sha256(pair_id)[1:13])::BIGINT / pow(2, 52)"
"""``serving.recording.place_of`` in SQL: whether a request was to be recorded is known from its id."""

# The gateway's own words: ``full;sample=0.1``; a line of a request without them has none.
_SAMPLE_SQL = r"coalesce(TRY_CAST(regexp_extract(record, ';sample=([0-9.e-]+)', 1) AS DOUBLE), 1)"
_TO_BE_RECORDED = (
    f"split_part(coalesce(record, 'full'), ';', 1) <> 'off' AND ({_SAMPLE_SQL} >= 1 OR {PLACE_SQL} < {_SAMPLE_SQL})"
)

NO_RECORD = "answered without a record"
NO_STABLE = "without a record of stable"
OVERFLOW = "overflow"


def load(connection: duckdb.DuckDBPyConnection, home: Path, endpoint: str, candidate: str, stable: str) -> None:
    """The views ``copies`` and ``others``.

    ``copies`` (pair_id, moment, status, flags): what reached the candidate's shadow hop and was to be recorded.
    ``others`` (pair_id): requests that another release than stable answered, whose copies say nothing about stable.
    """
    copies = lines_of(files(home, "shadow"), _COLUMNS)
    edge = lines_of(files(home, "edge"), _COLUMNS)
    here = f"pair_id IS NOT NULL AND coalesce(endpoint, '-') IN ('', '-', {quoted(endpoint)})"
    both = ", ".join(map(quoted, (candidate, candidate.partition(":")[2])))
    connection.execute(
        f"CREATE TEMP VIEW copies AS SELECT pair_id, {AT} AS moment, status, flags FROM {copies} "  # noqa: S608
        f"WHERE {here} AND release IN ({both}) AND {_TO_BE_RECORDED}"
    )
    both = ", ".join(map(quoted, (stable, stable.partition(":")[2])))
    connection.execute(
        f"CREATE TEMP VIEW others AS SELECT pair_id FROM {edge} "  # noqa: S608
        f"WHERE {here} AND release NOT IN ('', '-', {both})"
    )


def mirrored(connection: duckdb.DuckDBPyConnection, since: datetime, overflowed: int) -> tuple[int, dict[str, int]]:
    """How many of stable's requests were mirrored, and why some of them are in no pair, in words.

    Needs ``asked`` (records of both sides) and ``pairs`` beside the views of ``load``. Mirrored = ledger
    lines ∪ shadow records, without requests that another release answered, plus the proxy's overflow counter, which
    knows no time. A request belongs to the window when nothing known of it is older than ``since``.
    So mirrored = pairs + all failures. Every pair was mirrored; only the rest, small as a rule, is looked at.
    """
    connection.execute(
        """
        CREATE TEMP TABLE unpaired AS
        SELECT pair_id, bool_or(recorded) AS recorded, arg_max(status, moment) AS status,
            arg_max(flags, moment) AS flags
        FROM (
            SELECT pair_id, moment, status, flags, false AS recorded FROM copies
            WHERE moment >= $since OR moment IS NULL
            UNION ALL SELECT pair_id, NULL, NULL, NULL, true FROM asked WHERE side = 'candidate' AND moment >= $since
        )
        WHERE pair_id NOT IN (SELECT pair_id FROM pairs)
        GROUP BY pair_id
        """,
        {"since": since},
    )
    missing = connection.execute(
        """
        SELECT recorded, status, flags, count(*) FROM unpaired
        WHERE pair_id NOT IN (SELECT pair_id FROM asked WHERE moment < $since)
            AND (pair_id NOT IN (SELECT pair_id FROM others)
                OR pair_id IN (SELECT pair_id FROM asked SEMI JOIN unpaired USING (pair_id) WHERE side = 'stable'))
        GROUP BY ALL
        """,
        {"since": since},
    ).fetchall()
    ((pairs,),) = connection.execute("SELECT count(*) FROM pairs").fetchall()
    failures = _counted(
        (NO_STABLE if recorded else in_words(status, flags), count) for recorded, status, flags, count in missing
    )
    if overflowed:
        failures = _counted([*failures.items(), (OVERFLOW, overflowed)])
    return pairs + sum(failures.values()), failures


def in_words(status: str | None, flags: str | None) -> str:
    """Why a copy that reached the shadow hop has no record, from its ledger line."""
    set_flags = set(re.split(r"[,\s]+", flags or ""))
    for flag, words in _FLAGS.items():
        if flag in set_flags:
            return words
    if status and status.isdecimal() and int(status) >= 400:
        return f"answered with {status} without a record"
    return NO_RECORD


def _counted(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for words, count in counts:
        found[words] = found.get(words, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def files(home: Path, log: Literal["edge", "shadow"]) -> list[Path]:
    """All files of one log, the one that is being written too."""
    folder = home / LEDGER
    if not folder.is_dir():
        return []
    numbered = sorted(path for path in folder.iterdir() if re.fullmatch(rf"{log}\.jsonl\.\d+", path.name))
    ours = [segment.path for segment in readable(folder) if segment.stem.partition("-")[0] == log]
    return [*numbered, *ours]
