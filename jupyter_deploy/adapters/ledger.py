"""The proxy's access logs as a ledger: which requests were mirrored, and what became of the copies.

``<home>/ledger/edge.jsonl`` has a line for every request and who answered it, ``shadow.jsonl`` one for every copy
that reached the shadow hop; rotated siblings (``edge.jsonl.1``) count too. Either may be absent or end in a torn
line: then the shadow records alone say what was mirrored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from .records import AT, lines_of

# ``status`` and ``flags`` as text: Envoy writes numbers or strings by how its format is written.
_COLUMNS = dict.fromkeys(("ts", "pair_id", "release", "status", "flags"), "VARCHAR")

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
NO_RECORD = "answered without a record"
NO_STABLE = "without a record of stable"
OVERFLOW = "overflow"


def load(connection: duckdb.DuckDBPyConnection, home: Path, candidate: str, stable: str) -> None:
    """The tables ``copies`` and ``others``.

    ``copies`` (pair_id, moment, status, flags): what reached the candidate's shadow hop. ``others`` (pair_id): requests
    that another release than stable answered, whose copies say nothing about stable.
    """
    copies = lines_of(_files(home, "shadow"), _COLUMNS)
    edge = lines_of(_files(home, "edge"), _COLUMNS)
    connection.execute(
        f"CREATE TEMP TABLE copies AS SELECT pair_id, max({AT}) AS moment, arg_max(status, {AT}) AS status, "  # noqa: S608
        f"arg_max(flags, {AT}) AS flags FROM {copies} "
        "WHERE pair_id IS NOT NULL AND release IN (?, ?) GROUP BY pair_id",
        [candidate, candidate.partition(":")[2]],
    )
    connection.execute(
        f"CREATE TEMP TABLE others AS SELECT DISTINCT pair_id FROM {edge} "  # noqa: S608
        "WHERE pair_id IS NOT NULL AND release NOT IN ('', '-', ?, ?)",
        [stable, stable.partition(":")[2]],
    )


def mirrored(connection: duckdb.DuckDBPyConnection, since: datetime, overflowed: int) -> tuple[int, dict[str, int]]:
    """How many of stable's requests were mirrored, and why some of them are in no pair, in words.

    Needs the tables ``asked`` (records of both sides) and ``pairs`` beside those of ``load``. Mirrored = ledger
    lines ∪ shadow records, without requests that another release answered, plus the proxy's overflow counter, which
    knows no time. A request belongs to the window when nothing known of it is older than ``since``.
    So mirrored = pairs + all failures.
    """
    connection.execute(
        """
        CREATE TEMP TABLE mirrored AS
        SELECT pair_id FROM (
            SELECT pair_id FROM copies WHERE moment >= $since OR moment IS NULL
            UNION SELECT pair_id FROM asked WHERE side = 'candidate' AND moment >= $since
        )
        WHERE pair_id NOT IN (SELECT pair_id FROM asked WHERE moment < $since)
            AND (pair_id NOT IN (SELECT pair_id FROM others)
                OR pair_id IN (SELECT pair_id FROM asked WHERE side = 'stable'))
        """,
        {"since": since},
    )
    total = connection.execute("SELECT count(*) FROM mirrored").fetchone()[0]
    missing = connection.execute(
        """
        SELECT pair_id IN (SELECT pair_id FROM asked WHERE side = 'candidate') AS recorded, status, flags, count(*)
        FROM mirrored LEFT JOIN copies USING (pair_id)
        WHERE pair_id NOT IN (SELECT pair_id FROM pairs)
        GROUP BY ALL
        """
    ).fetchall()
    failures = _counted(
        (NO_STABLE if recorded else in_words(status, flags), count) for recorded, status, flags, count in missing
    )
    if overflowed:
        failures = _counted([*failures.items(), (OVERFLOW, overflowed)])
    return total + overflowed, failures


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


def _files(home: Path, log: Literal["edge", "shadow"]) -> list[Path]:
    folder = home / "ledger"
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if re.fullmatch(rf"{log}\.jsonl(\.\d+)?", path.name))
