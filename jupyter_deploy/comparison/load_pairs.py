"""The records of both releases as DuckDB tables (pairs of a shadow, requests of a canary), latencies, errors, notes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from pathlib import Path

import duckdb

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.inference import Estimate, Interval, LatencyShare, VariantSummary
from jupyter_deploy.domain.evidence.sequential import LEVEL, Mean, median_ranks
from jupyter_deploy.domain.evidence.verdict import SlowAnswers
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Role
from jupyter_deploy.records.records import AT, COLUMNS, VALID, fetch_rows, in_utc, lines_of, quoted, segments
from jupyter_deploy.records.segments import LEDGER, data_folder, rejected_lines, removed

from . import clusters, row_agreement
from .row_agreement import Variant

MOST_ERRORS = 10
LEAST_MINUTES = 20
STEPS = 25
"""Steps to ten times a latency: 10 ** (1 / 25) is 1.096."""

LATENCIES = "SELECT latency_ms AS ms FROM answered WHERE status = 200 AND side = '{}'"

# If the proxy retries a request, the last answer is the one that the client received.
_LAST = """
QUALIFY row_number() OVER (
    PARTITION BY side, coalesce(pair_id, filename || request_id || moment::VARCHAR) ORDER BY moment DESC) = 1
"""

_UNIT_OF_PAIR = clusters.UNIT.format(
    cluster="coalesce(s.cluster, c.cluster)",
    inputs_digest="coalesce(s.inputs_digest, c.inputs_digest)",
    moment="s.moment",
)
_PAIRS = f"""
CREATE TEMP TABLE pairs AS
SELECT row_number() OVER () AS request, pair_id, s.request_id, s.moment AS s_at, s.filename AS s_filename,
    s.status AS s_status, c.status AS c_status, s.latency_ms AS s_latency, c.latency_ms AS c_latency,
    s.outputs AS s_outputs, c.outputs AS c_outputs, {_UNIT_OF_PAIR} AS unit,
    coalesce(s.cluster, c.cluster) AS cluster, coalesce(s.inputs_digest, c.inputs_digest) AS inputs_digest
FROM selected AS s JOIN selected AS c USING (pair_id)
WHERE s.side = 'stable' AND c.side = 'candidate' AND s.moment >= $since AND c.moment >= $since
"""

_ANSWERED_IN_PAIRS = """
CREATE TEMP VIEW answered AS
SELECT 'stable' AS side, request, s_at AS moment, s_status AS status, s_latency AS latency_ms, s_outputs AS outputs
FROM pairs
UNION ALL SELECT 'candidate', request, s_at, c_status, c_latency, c_outputs FROM pairs
"""

_UNIT_OF_REQUEST = clusters.UNIT.format(cluster="cluster", inputs_digest="inputs_digest", moment="moment")
_ANSWERED = f"""
CREATE TEMP TABLE answered AS
SELECT side, row_number() OVER () AS request, moment, status, latency_ms, outputs, share, {_UNIT_OF_REQUEST} AS unit,
    cluster, inputs_digest, pair_id
FROM selected WHERE moment >= $since
"""


@dataclass(frozen=True)
class ComparisonSpec:
    """The releases to compare, and how.

    ``stable`` and ``candidate`` are tags. ``segments`` are declared for this look; none: the endpoint's hold.
    ``level``: of the figures' intervals. ``until``: the moment after which requests do not count; None: all do.
    """

    endpoint: Endpoint
    stable: str
    candidate: str
    since: datetime | None
    overflowed: int
    rule: Rule
    segments: tuple[str, ...] = ()
    level: float = LEVEL
    until: datetime | None = None

    @property
    def start(self) -> datetime:
        return in_utc(self.since)

    @property
    def overflowed_recorded(self) -> int:
        """Return the estimated number of dropped copies that would have been recorded."""
        return round(self.overflowed * self.endpoint.record_sample)

    @property
    def role(self) -> Role:
        return self.endpoint.traffic.role_of(self.candidate)

    @property
    def stochastic(self) -> bool:
        return any(self.endpoint.release(tag).stochastic for tag in (self.stable, self.candidate))


def load_records(connection: duckdb.DuckDBPyConnection, home: Path, spec: ComparisonSpec) -> int:
    """Create the view ``lines`` of both releases' records; return the number of unreadable lines.

    JSON lines are read once, into memory. Parquet stays on disk: each query reads only its columns, and skips files and
    row groups without matches.
    """
    versions = [spec.endpoint.release(tag).version for tag in (spec.stable, spec.candidate)]
    columns = {name: kind for name, kind in COLUMNS.items() if name not in ("inputs", "rows", "endpoint")}
    files = segments(home, spec.endpoint.name, versions)
    raw = [file for file in files if file.suffix != ".parquet"]
    if files:  # so that a path takes one or two bytes a row
        names = ", ".join(quoted(str(file)) for file in files)
        connection.execute(f"CREATE TYPE segment AS ENUM ({names})")
    kind = "segment" if files else "VARCHAR"
    fields = f"* REPLACE (filename::{kind} AS filename)"
    columns_read = {**columns, "endpoint": "VARCHAR"}
    fetch_rows(connection, f"CREATE TEMP TABLE fresh AS SELECT {fields} FROM {lines_of(raw, columns_read)}")
    skipped = _number(connection, f"SELECT count(*) FILTER (NOT {VALID}) FROM fresh")
    compacted = lines_of([file for file in files if file not in raw], columns)
    in_time = before(spec)
    connection.execute(
        f"CREATE TEMP VIEW lines AS SELECT * EXCLUDE (endpoint) FROM fresh WHERE {VALID} AND {in_time} "
        f"UNION ALL BY NAME SELECT {fields} FROM {compacted} WHERE {in_time}"
    )
    folder = data_folder(home, spec.endpoint.name)
    return skipped + sum(rejected_lines(folder / version) for version in set(versions))


def before(spec: ComparisonSpec) -> str:
    """Return the condition that a line counts: it is not later than the comparison's end."""
    return "true" if spec.until is None else f"{AT} <= {quoted(in_utc(spec.until).isoformat())}::TIMESTAMP"


def select_records(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec, role: str) -> None:
    """Create the view ``selected``: the last record of each request and release, the candidate's in ``role``."""
    paired = role == "shadow"
    # A canary is compared with stable of the same time, on the requests that chance gave to one of them.
    shared = f"canary = {quoted(spec.candidate)} AND share > 0 AND share < 1"
    query = f"""
        SELECT CASE WHEN role = 'stable' THEN 'stable' ELSE 'candidate' END AS side, {AT} AS moment, pair_id,
            request_id, status, latency_ms, outputs, error, sample, canary, share, cluster, inputs_digest, filename
        FROM lines
        WHERE ((role = 'stable' AND release = {quoted(spec.stable)})
            OR (role = {quoted(role)} AND release = {quoted(spec.candidate)}))
            AND {"pair_id IS NOT NULL" if paired else shared}
    """
    connection.execute(f"CREATE TEMP VIEW every AS {query}")
    # Retries are rare, and sorting for the last record is expensive: check first whether there are any.
    known, distinct = connection.execute(
        "SELECT count(*), count(DISTINCT hash(side, pair_id)) FROM every WHERE pair_id IS NOT NULL"
    ).fetchone()
    if distinct == known:
        connection.execute("CREATE TEMP VIEW selected AS SELECT * FROM every")
    else:
        connection.execute(f"CREATE TEMP TABLE selected AS SELECT * FROM every {_LAST}")


def slow_answers(connection: duckdb.DuckDBPyConnection) -> SlowAnswers:
    """Return how often the candidate takes longer than stable's 95th percentile, with one-minute blocks as the unit."""
    stable, candidate = (
        connection.execute(f"SELECT quantile_cont(ms, 0.95) FROM ({LATENCIES.format(variant)})").fetchone()[0]
        for variant in row_agreement.VARIANTS
    )
    if stable is None or candidate is None:
        return SlowAnswers()
    values = (
        f"SELECT avg((latency_ms > {stable!r})::DOUBLE) AS value FROM answered "
        f"WHERE side = 'candidate' AND status = 200 GROUP BY {clusters.by_minute('moment')}"
    )
    return SlowAnswers(clusters.mean_of(connection, values), candidate / stable if stable else 1.0)


def dependent_minutes(connection: duckdb.DuckDBPyConnection, latencies_by_minute: str) -> list[str]:
    """Return a warning if latencies of consecutive minutes depend on each other: then ``by_minute`` is too narrow.

    The query has the columns ``minute`` and ``ms``.
    """
    minutes, correlation = connection.execute(
        "SELECT count(*), corr(ms, before) FROM (SELECT ms, lag(ms) OVER (ORDER BY minute) AS before "
        f"FROM ({latencies_by_minute}) WHERE ms IS NOT NULL)"
    ).fetchone()
    if correlation is None or minutes < LEAST_MINUTES or not correlation > 2 / sqrt(minutes):
        return []
    return [
        f"latencies of consecutive minutes depend on each other (correlation {correlation:.2f}): their intervals are "
        "too narrow, also the one with one-minute blocks"
    ]


def unanswered(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the candidate's failures if it has answered no request and stable has; else 0."""
    failures, answers, of_stable = connection.execute(
        "SELECT count(*) FILTER (side = 'candidate' AND status >= 500), "
        "count(*) FILTER (side = 'candidate' AND status < 500), count(*) FILTER (side = 'stable' AND status < 500) "
        "FROM answered"
    ).fetchone()
    return int(failures) if of_stable >= failures and not answers else 0


def per_hour(connection: duckdb.DuckDBPyConnection, table: str) -> float | None:
    """Return the hourly requests of ``pairs`` or ``answered`` over their last 24 hours; None if that is no second."""
    moment = "s_at" if table == "pairs" else "moment"
    requests, seconds = connection.execute(
        f"SELECT count(*), epoch(max({moment}) - min({moment})) FROM {table} "
        f"WHERE {moment} > (SELECT max({moment}) FROM {table}) - INTERVAL 1 DAY"
    ).fetchone()
    return requests / seconds * 3600 if seconds and seconds >= 1 else None


def both_answered(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether there are records of both releases."""
    return _number(connection, "SELECT count(DISTINCT side) FROM answered") == len(row_agreement.VARIANTS)


def load_paired(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec) -> None:
    """Create ``pairs``, the requests with a record of both releases, and ``answered``, each release's part in them."""
    connection.execute(_PAIRS, {"since": spec.start})
    connection.execute(_ANSWERED_IN_PAIRS)


def load_unpaired(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec) -> None:
    """Create the table ``answered`` of releases that answered different requests."""
    connection.execute(_ANSWERED, {"since": spec.start})


def recorded_role(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec) -> str:
    """Return the role in which the candidate is compared; without traffic its last one, shadow before canary."""
    if spec.role != "idle":
        return spec.role
    return max(recorded_roles(connection, spec), default="shadow")  # 'shadow' sorts after 'canary'


def recorded_roles(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec) -> list[str]:
    """Return the roles of a candidate in which the candidate has records."""
    query = "SELECT DISTINCT role FROM lines WHERE release = ? AND role IN ('shadow', 'canary')"
    return [role for (role,) in connection.execute(query, [spec.candidate]).fetchall()]


def summarize(
    connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec, variant: Variant, labels: dict[str, int]
) -> VariantSummary:
    """Summarize one release; latencies are of its answers with status 200."""
    errors, requests = connection.execute(
        "SELECT count(*) FILTER (status >= 500), count(*) FROM answered WHERE side = ?", [variant]
    ).fetchone()
    quantiles = connection.execute(
        f"SELECT quantile_cont(ms, [0.5, 0.95]) FROM ({LATENCIES.format(variant)})"
    ).fetchone()[0]
    p50, p95 = quantiles or (None, None)
    return VariantSummary(
        release=spec.stable if variant == "stable" else spec.candidate,
        requests=requests,
        rows=row_agreement.rows_of(connection, variant),
        errors=errors,
        error_rate=error_rate(connection, variant).estimate(spec.level),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        latencies=latencies(connection, variant),
        answers=labels,
        quantiles=row_agreement.quantiles(connection, variant),
    )


def latencies(connection: duckdb.DuckDBPyConnection, variant: Variant) -> list[LatencyShare]:
    """Return the cumulative distribution of a release's latencies at steps of a tenth, where it is exact."""
    steps = connection.execute(
        f"SELECT ceil(log10(greatest(ms, 1e-3)) * {STEPS}) AS step, count(*) "
        f"FROM ({LATENCIES.format(variant)}) GROUP BY step ORDER BY step"
    ).fetchall()
    n = sum(count for _, count in steps)
    counts = itertools.accumulate(count for _, count in steps)
    return [
        LatencyShare(ms=10 ** (step / STEPS), share=count / n) for (step, _), count in zip(steps, counts, strict=True)
    ]


def notes(connection: duckdb.DuckDBPyConnection, home: Path, spec: ComparisonSpec) -> list[str]:
    """Return messages about missing, sampled and redacted data."""
    texts = []
    name = spec.endpoint.name
    answered, bare = connection.execute(
        "SELECT count(*), count(*) FILTER (outputs IS NULL) FROM answered WHERE status = 200"
    ).fetchall()[0]
    if bare:
        texts.append(
            f"{bare} of {answered} answers were recorded without inputs and outputs (record: meta): they count for "
            f"errors and latency alone; 'nbdeploy traffic {name} --record full' records them"
        )
    if spec.endpoint.record == "off":
        texts.append(f"nothing is recorded now (record: off); 'nbdeploy traffic {name} --record full' starts it again")
    texts += _sampled(connection, spec)
    texts += _redacted(spec)
    # All endpoints share the ledger: lines older than the candidate do not matter to this comparison.
    began = max(spec.start, in_utc(spec.endpoint.release(spec.candidate).created_at))
    for folder, what, start in (
        (data_folder(home, name), "records", spec.start),
        (home / LEDGER, "lines of the gateway's ledger", began),
    ):
        gone = removed(folder)
        if gone.count and gone.until and in_utc(datetime.fromisoformat(gone.until)) >= start:
            texts.append(f"{gone.count} {what} up to {gone.until[:19]}Z were purged or cleared")
    return texts


def _sampled(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec) -> list[str]:
    least, most = connection.execute(
        "SELECT coalesce(min(coalesce(sample, 1)), $now), coalesce(max(coalesce(sample, 1)), $now) FROM selected "
        "WHERE moment >= $since",
        {"now": spec.endpoint.record_sample, "since": spec.start},
    ).fetchone()
    if least == 1:
        return []
    shares = percent_in_words(least) if least == most else f"{percent_in_words(least)} to {percent_in_words(most)}"
    chosen = "chosen by a hash of pair_id, so that a request is recorded by all its releases or by none"
    varied = "" if least == most else "; times with a larger sample count more"
    overflow = "; overflow counts all requests, and is scaled by the current share" if spec.overflowed else ""
    return [f"of a sample: {shares} of the requests were recorded, {chosen}{varied}{overflow}"]


def _redacted(spec: ComparisonSpec) -> list[str]:
    stable, candidate = (set(spec.endpoint.release(tag).redact) for tag in (spec.stable, spec.candidate))
    if not stable | candidate:
        return []
    names = ", ".join(sorted(stable | candidate))
    different = stable ^ candidate
    differ = (
        f"; {', '.join(sorted(different))} of one release only: answers with it seem to differ" if different else ""
    )
    return [f"values of {names} are redacted: inputs and answers are shown and compared without them{differ}"]


def error_rate(connection: duckdb.DuckDBPyConnection, variant: Variant) -> Mean:
    """Return the stream of a release's answers with status 500 and above, with the cluster as the unit."""
    values = (
        "SELECT avg((status >= 500)::DOUBLE) AS value FROM answered JOIN units USING (request) "
        f"WHERE side = '{variant}' GROUP BY units.unit"
    )
    return clusters.mean_of(connection, values)


def count_errors(connection: duckdb.DuckDBPyConnection, since: datetime) -> dict[str, int]:
    """Count the candidate's most frequent failures, whether stable answered or not: ``Type: message``."""
    rows = connection.execute(
        """
        SELECT coalesce(
                nullif(left(concat_ws(': ', error->>'$.type', nullif(error->>'$.message', '')), 200), ''),
                'status ' || status
            ) AS what,
            count(*) AS times
        FROM selected WHERE side = 'candidate' AND moment >= ? AND status >= 500
        GROUP BY what ORDER BY times DESC, what LIMIT ?
        """,
        [since, MOST_ERRORS],
    ).fetchall()
    return dict(rows)


def median(connection: duckdb.DuckDBPyConnection, query: str, level: float = LEVEL) -> Estimate | None:
    """Return the median of the column ``ms`` with its interval (``sequential.median_ranks``), computed in DuckDB."""
    n = _number(connection, f"SELECT count(ms) FROM ({query})")
    ranks = median_ranks(n, level)
    if ranks is None:
        return None
    low, lower, upper, high = connection.execute(
        f"SELECT v[$a], v[$b], v[$c], v[$d] FROM (SELECT list_sort(list(ms)) AS v FROM ({query}))",
        {"a": ranks[0], "b": (n + 1) // 2, "c": n // 2 + 1, "d": ranks[1]},
    ).fetchone()
    return Estimate(value=(lower + upper) / 2, interval=Interval(low=low, high=high, level=level), n=n)


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
