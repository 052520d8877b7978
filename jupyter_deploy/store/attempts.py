"""Attempts at gates, one document a gate in the table ``meta`` of the store."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

_PREFIX = "attempts:"


class Attempts(NamedTuple):
    """The numbers of a gate's attempts, by the digest of their evidence.

    Attributes
    ----------
    open
        The attempts since the last pass.
    passed
        The last attempt that passed.
    """

    open: dict[str, int]
    passed: dict[str, int]


def attempts(db: sqlite3.Connection, key: str) -> Attempts:
    """Read the attempts at a gate; none yet are no error."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_PREFIX + key,)).fetchone()
    return Attempts(*json.loads(row[0])) if row else Attempts({}, {})


def put_attempts(db: sqlite3.Connection, key: str, known: Attempts) -> None:
    """Replace the attempts at a gate."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_PREFIX + key, json.dumps(known)))
