"""A candidate against stable, from the records and the proxy's ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from jupyter_deploy.domain.agreement import Rule
from jupyter_deploy.domain.endpoint import Endpoint
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.inference import Comparison, Record
from jupyter_deploy.domain.statistics import clustered_proportion, difference, paired_difference, proportion
from jupyter_deploy.domain.verdict import Paired, Unpaired, of_pairs, of_sides

from . import answers, ledger, records, sides
from .answers import SIDES
from .sides import Question

# Refusals that speak of the input; 429 and the like speak of the load.
_REFUSED = (400, 413, 415, 422)


class RecordLog:
    """Reads ``<home>/records`` and ``<home>/ledger``; writes nothing.

    Parameters
    ----------
    home
        The folder that ``NBDEPLOY_HOME`` names.
    rtol, atol
        How closely the floating-point answers of two models must agree (labels and integers: exactly):
        ``|candidate - stable| <= atol + rtol * |stable|``. Wider than for a replay: these are different models.
    poll_seconds
        How often ``follow`` looks for new records.
    """

    def __init__(self, home: Path, *, rtol: float = 1e-6, atol: float = 1e-9, poll_seconds: float = 0.2) -> None:
        self._home = home
        self._rtol, self._atol = rtol, atol
        self._poll_seconds = poll_seconds

    def records(
        self,
        endpoint: str,
        *,
        since: datetime | None = None,
        role: str | None = None,
        status: int | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """Records by time, oldest first; with ``limit`` the last so many.

        Raises InvalidInput (a negative limit, an impossible name), StoreError.
        """
        return records.read(self._home, endpoint, since=since, role=role, status=status, limit=limit)

    def follow(self, endpoint: str, *, role: str | None = None, status: int | None = None) -> Iterator[Record]:
        """Records written after this call, for ever.

        Raises InvalidInput (an impossible name), StoreError.
        """
        # The place to go on from is taken now, not when the first record is asked for: nothing is missed between.
        tail = records.Tail(self._home, endpoint)
        return records.follow(tail, role=role, status=status, every=self._poll_seconds)

    def compare(
        self, endpoint: Endpoint, candidate: str, *, since: datetime | None, overflowed: int, dtype: str
    ) -> Comparison:
        """The candidate against the release that is stable now; ``dtype`` is NumPy's name of the answers' type.

        Raises InvalidInput (the candidate is stable), UnknownRelease, StoreError.
        """
        rule = Rule(dtype, rtol=self._rtol, atol=self._atol)
        return compare(self._home, endpoint, candidate, since=since, overflowed=overflowed, rule=rule)


def compare(
    home: Path, endpoint: Endpoint, candidate: str, *, since: datetime | None, overflowed: int, rule: Rule
) -> Comparison:
    """Compare a candidate with the release that is stable now.

    A shadow is compared on the same requests; a canary answers other requests than stable and is compared
    unpaired. A release without traffic is compared by what it was last: as a shadow if it has records as one, else
    as a canary. No records are no error: the comparison is empty and inconclusive.

    Parameters
    ----------
    since
        Only requests of which both records are not older. The proxy's overflow counter knows no time: with
        ``since``, coverage may be understated, and the reason says so.
    overflowed
        Copies that the proxy dropped before the shadow hop (paired only).

    Raises
    ------
    InvalidInput
        The candidate is stable.
    UnknownRelease
        The endpoint has no such release.
    StoreError
        The records cannot be read.
    """
    tag, stable = endpoint.release(candidate).tag, endpoint.traffic.stable
    if tag == stable:
        others = endpoint.candidates()
        raise InvalidInput(
            f"{tag} is {endpoint.name}'s stable release: it cannot be compared with itself",
            f"name a candidate, such as {others[0]}" if others else "deploy a candidate first",
        )
    asked = Question(endpoint, stable, tag, since, overflowed, rule)
    with records.database() as connection:
        skipped = sides.load(connection, home, asked)
        role = sides.recorded_role(connection, asked)
        sides.ask(connection, asked, role)
        if role == "shadow":
            return _paired(connection, home, asked, skipped)
        return _unpaired(connection, asked, skipped)


def _paired(connection: duckdb.DuckDBPyConnection, home: Path, asked: Question, skipped: int) -> Comparison:
    sides.pair(connection, asked)
    ledger.load(connection, home, asked.candidate, asked.stable)
    mirrored, failures = ledger.mirrored(connection, asked.start, asked.overflowed)
    answers.compare_rows(connection, asked.rule)
    clusters = answers.agreement(connection)
    both, stable, candidate, neither, refused = connection.execute(
        f"""
        SELECT count(*) FILTER (s AND c), count(*) FILTER (s AND NOT c),
            count(*) FILTER (c AND NOT s), count(*) FILTER (NOT s AND NOT c),
            count(*) FILTER (s_status = 200 AND c_status IN {_REFUSED})
        FROM (SELECT *, s_status >= 500 AS s, c_status >= 500 AS c FROM pairs)
        """  # noqa: S608
    ).fetchone()
    pairs = both + stable + candidate + neither
    figures = Paired(
        pairs=pairs,
        rows=clusters.rows,
        mirrored=mirrored,
        agreement=clustered_proportion(clusters),
        coverage=proportion(pairs, mirrored),
        errors=paired_difference(both, candidate, stable, neither),
        refused=proportion(refused, pairs),
        flips=clusters.rows - clusters.successes,
        failures=failures,
        stochastic=asked.stochastic,
        unwindowed_overflow=asked.since is not None and asked.overflowed > 0,
    )
    verdict, reason = of_pairs(figures)
    return _comparison(
        connection,
        asked,
        paired=True,
        pairs=pairs,
        rows=clusters.rows,
        mirrored=mirrored,
        overflowed=asked.overflowed,
        coverage=figures.coverage,
        agreement=figures.agreement,
        flips=answers.flips(connection),
        flip_count=figures.flips,
        numeric_difference=answers.numeric_difference(connection),
        shadow_failures=failures,
        error_difference=figures.errors,
        latency_difference_ms=sides.median_of(
            connection, "SELECT c_latency - s_latency AS ms FROM pairs WHERE s_status = 200 AND c_status = 200"
        ),
        verdict=verdict,
        reason=reason,
        skipped_lines=skipped,
    )


def _unpaired(connection: duckdb.DuckDBPyConnection, asked: Question, skipped: int) -> Comparison:
    sides.leave_apart(connection, asked)
    stable, candidate = (sides.error_rate(connection, side) for side in SIDES)
    errors = difference(candidate, stable) if candidate and stable else None
    slow, slower = (sides.median_of(connection, sides.LATENCIES.format(side)) for side in SIDES)
    result = _comparison(
        connection,
        asked,
        paired=False,
        pairs=0,
        rows=0,
        mirrored=0,
        coverage=None,
        agreement=None,
        error_difference=errors,
        latency_difference_ms=difference(slower, slow) if slower and slow else None,
        verdict="inconclusive",
        reason="",
        skipped_lines=skipped,
    )
    shares, shifted = answers.shares(connection)
    verdict, reason = of_sides(
        Unpaired(
            stable=result.sides["stable"].requests,
            candidate=result.sides["candidate"].requests,
            errors=errors,
            shifted=shifted,
            stochastic=asked.stochastic,
        )
    )
    return result.model_copy(update={"answer_shares": shares, "verdict": verdict, "reason": reason})


def _comparison(connection: duckdb.DuckDBPyConnection, asked: Question, **figures: Any) -> Comparison:
    """With what is told of both kinds of comparison: each side on its own, and the candidate's exceptions."""
    answers.list_answers(connection, asked.rule)
    labels = answers.labels(connection)
    return Comparison(
        endpoint=asked.endpoint.name,
        stable=asked.stable,
        candidate=asked.candidate,
        role=asked.role,
        since=asked.since,
        errors=sides.errors_of(connection, asked.start),
        sides={side: sides.side_of(connection, asked, side, labels[side]) for side in SIDES},
        stochastic=asked.stochastic,
        **figures,
    )
