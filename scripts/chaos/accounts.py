"""Every request that clients sent, against the records and the gateway's ledger.

What clients saw is a file with a line for each request, tabs between: its id, when it was to leave, when it left, when
it was answered (all in seconds since 1970), status (0: no answer), release, and what was said if it failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.records import ledger
from jupyter_deploy.records.records import COLUMNS, LEDGER_COLUMNS, database, fetch_rows, lines_of, segments
from jupyter_deploy.records.segments import data_folder, reading

_ASKED = {
    "request_id": "VARCHAR", "scheduled": "DOUBLE", "begun": "DOUBLE", "ended": "DOUBLE", "status": "INTEGER",
    "release": "VARCHAR", "error": "VARCHAR",
}  # fmt: skip
_RECORDS = {name: COLUMNS[name] for name in ("ts", "request_id", "pair_id", "release", "role", "status")}
_COPIES = {name: LEDGER_COLUMNS[name] for name in ("ts", "pair_id", "release", "status", "flags")}

_VIEWS = """
    CREATE VIEW seen AS FROM records WHERE role IN ('stable', 'canary');
    CREATE VIEW shadows AS FROM records WHERE role = 'shadow' AND pair_id IS NOT NULL;
"""


@dataclass
class Asked:
    """One request as its client saw it; ``status`` 0: no answer."""

    request_id: str
    begun: float
    ended: float = 0.0
    status: int = 0
    release: str = ""
    error: str = ""


@dataclass
class Outage:
    """A time in which requests may fail, and why. Begun before ``until`` and not ended before ``since``: explained.

    ``saying``: only those whose failure says this.
    """

    kind: str
    since: float
    until: float
    saying: str = ""
    explained: int = 0


def unexplained(failed: Sequence[Asked], outages: Sequence[Outage]) -> list[str]:
    """Those that no outage explains; the others are counted at the first one that does."""
    found = []
    for one in failed:
        for outage in outages:
            if one.begun <= outage.until and one.ended >= outage.since and outage.saying in one.error:
                outage.explained += 1
                break
        else:
            found.append(str(one))
    return found


def write(asked: Sequence[Asked], path: Path) -> None:
    """What clients saw, as a file."""
    with path.open("w", encoding="utf-8") as file:
        for one in asked:
            error = " ".join(one.error.replace('"', "'").split())
            times = f"{one.begun:.6f}\t{one.begun:.6f}\t{one.ended:.6f}"
            file.write(f"{one.request_id}\t{times}\t{one.status}\t{one.release}\t{error}\n")


class Books:
    """What clients saw (``asked``), what was recorded (``records``) and which copies were made (``copies``)."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def lost(self) -> list[str]:
        """Answers of a release without its record."""
        return self._told("""
            SELECT 'request ' || request_id || ' of ' || release FROM asked ANTI JOIN seen USING (request_id, release)
            WHERE release <> ''
        """)

    def doubled(self) -> list[str]:
        """Requests and copies with more than one record."""
        return self._told("""
            SELECT 'request ' || request_id || ' has ' || count(*) || ' records' FROM seen SEMI JOIN asked
            USING (request_id) GROUP BY request_id HAVING count(*) > 1
            UNION ALL
            SELECT 'copy ' || pair_id || ' has ' || count(*) || ' records of ' || release FROM shadows
            GROUP BY pair_id, release HAVING count(*) > 1
        """)

    def failed(self) -> list[Asked]:
        """Requests that were not answered with 200."""
        return [
            Asked(*row)
            for row in self._rows("""
                SELECT request_id, begun, ended, status, release, error FROM asked WHERE status <> 200 ORDER BY begun
            """)
        ]

    def reasons(self) -> list[tuple[str, int]]:
        """The errors of failed requests, with their counts."""
        rows = self._rows("""
            SELECT status, regexp_replace(error, request_id, '…', 'g')[:160] AS said, count(*) AS times
            FROM asked WHERE status <> 200 GROUP BY ALL ORDER BY times DESC LIMIT 12
        """)
        return [(f"{status} {said}".strip(), times) for status, said, times in rows]

    def copies(self) -> dict[str, int]:
        """How many copies were made, by why there is no record of them; under ``recorded`` those that have one."""
        found: dict[str, int] = {}
        for status, flags, recorded, count in self._rows("""
            SELECT c.status, c.flags, s.pair_id IS NOT NULL, count(*) FROM copies c
            LEFT JOIN shadows s USING (pair_id, release) GROUP BY ALL
        """):
            words = "recorded" if recorded else ledger.failure_reason(status, flags)
            found[words] = found.get(words, 0) + count
        return found

    def copies_lost(self) -> list[str]:
        """Copies that were answered and not recorded, or are not in the ledger once."""
        answered = self._rows(
            "SELECT pair_id, status, flags FROM copies ANTI JOIN shadows USING (pair_id, release) ORDER BY pair_id"
        )
        without = [pair for pair, *why in answered if ledger.failure_reason(*why) == ledger.NO_RECORD]
        return [f"copy {pair} was {ledger.NO_RECORD}" for pair in without] + self._told("""
            SELECT 'copy ' || pair_id || ' has ' || count(*) || ' lines in the ledger' FROM copies
            GROUP BY pair_id, release HAVING count(*) > 1
            UNION ALL
            SELECT 'copy ' || pair_id || ' is in the records and not in the ledger' FROM shadows
            ANTI JOIN copies USING (pair_id, release)
        """)

    def not_copied(self, spans: Sequence[tuple[float, float]]) -> list[str]:
        """Requests that began and were answered in a span in which a shadow got all, and of which it got none."""
        self._connection.execute("CREATE OR REPLACE TABLE spans (since DOUBLE, until DOUBLE)")
        for span in spans:
            self._connection.execute("INSERT INTO spans VALUES (?, ?)", span)
        return self._told("""
            SELECT 'request ' || request_id || ' has no copy' FROM asked
            JOIN spans ON begun > since AND ended < until JOIN seen USING (request_id) ANTI JOIN copies USING (pair_id)
            WHERE asked.status = 200
        """)

    def latencies(self, *shares: float) -> list[float]:
        """Milliseconds from when a request was to leave, of those that were answered."""
        ((found,),) = self._rows(
            "SELECT quantile_cont((ended - scheduled) * 1000, ?) FROM asked WHERE status = 200", [list(shares)]
        )
        return found or [float("nan")] * len(shares)

    def answered(self) -> tuple[int, int]:
        """How many requests were sent, and how many answered with 200."""
        ((sent, answered),) = self._rows("SELECT count(*), count(*) FILTER (status = 200) FROM asked")
        return sent, answered

    def recorded_one(self) -> str:
        """The id of a request that was answered."""
        ((one,),) = self._rows("SELECT min(request_id) FROM asked SEMI JOIN seen USING (request_id, release)")
        return str(one)

    def _told(self, query: str) -> list[str]:
        return sorted(text for (text,) in self._rows(query))

    def _rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        return fetch_rows(self._connection, query, values)


@contextmanager
def opened(home: Path, endpoint: str, asked: Path) -> Iterator[Books]:
    """The books of one endpoint, as they are now."""
    folder = data_folder(home, endpoint)
    with reading(folder), database(folder) as connection:
        read = "CREATE TABLE asked AS FROM read_csv(?, delim='\t', header=false, nullstr='\\N', quote='', columns=?)"
        connection.execute(read, [str(asked), _ASKED])
        records, ledgers = segments(home, endpoint), ledger.files(home, "shadow")
        fetch_rows(connection, f"CREATE TABLE records AS FROM {lines_of(records, _RECORDS)}")
        fetch_rows(connection, f"CREATE TABLE copies AS FROM {lines_of(ledgers, _COPIES)} WHERE pair_id IS NOT NULL")
        connection.execute(_VIEWS)
        yield Books(connection)
