"""The counts of each step of a ramp, from the records since it began. All in DuckDB."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb

from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.ramp.evidence import LEAST_ANSWERS, Events, StepCounts
from jupyter_deploy.domain.ramp.state import RampState
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import share_in_force
from jupyter_deploy.records import ledger, records
from jupyter_deploy.records.records import in_utc
from jupyter_deploy.records.segments import LEDGER, data_folder, reading

from . import clusters, load_pairs, shared_figures
from .load_pairs import ComparisonSpec

# The 95th percentile of both releases' latencies, since it does not depend on the assignment of the requests: of
# equally fast releases, each slow answer is the candidate's with the chance of its share.
_SLOW = "latency_ms > quantile_cont(latency_ms, 0.95) OVER (PARTITION BY share)"
_FAILED = {
    "errors": ("answered", "status >= 500"),
    "refusals": ("answered", "status IN (400, 413, 415, 422)"),
    "slow answers": ("(FROM answered WHERE status = 200)", _SLOW),
}
"""By guardrail: the requests, and the condition of its events."""

# Chance assigns a sticky key once, so only the first failure of a key counts.
_OUTCOMES = """
(SELECT 0 AS segment, side, moment, request, share, failed FROM (
    SELECT *, cluster IS NOT NULL AND failed
        AND row_number() OVER (PARTITION BY share, cluster, failed ORDER BY moment, request) > 1 AS repeated
    FROM (SELECT *, {failed} AS failed FROM {requests})
) WHERE NOT repeated)
"""

# The ledger has no shares: that of the latest record before the request, else of the first step.
_UNANSWERED = f"""
INSERT INTO answered
SELECT failed.side, -row_number() OVER (ORDER BY failed.moment, failed.pair_id), failed.moment, failed.status,
    NULL, NULL, coalesce(known.share, $share),
    {clusters.UNIT.format(cluster="NULL", inputs_digest="NULL", moment="failed.moment")},
    NULL, NULL, failed.pair_id
FROM (
    SELECT CASE role WHEN 'stable' THEN 'stable' ELSE 'candidate' END AS side, moment, status, pair_id FROM unanswered
    WHERE moment >= $since AND pair_id NOT IN (SELECT pair_id FROM answered WHERE pair_id IS NOT NULL)
        AND (role = 'stable' AND release = $stable OR role = 'canary' AND release = $candidate)
) AS failed ASOF LEFT JOIN (SELECT moment, share FROM answered) AS known ON failed.moment >= known.moment
"""

_STEP = "(FROM answered WHERE share = $share AND moment >= $since)"
_REQUESTS = f"""
SELECT count(DISTINCT unit) FILTER (side = 'candidate'),
    count(DISTINCT coalesce('k' || cluster, 'r' || request)) FILTER (side = 'candidate'),
    count(DISTINCT coalesce('k' || cluster, 'r' || request)) FILTER (side = 'stable')
FROM {_STEP}
"""
_ERRORS = f"""
SELECT 0 AS part, avg(CASE side WHEN 'candidate' THEN bad ELSE -bad * share / (1 - share) END) AS value
FROM (
    SELECT unit, side, share, (status >= 500)::DOUBLE AS bad FROM {_STEP}
    QUALIFY row_number() OVER (PARTITION BY unit ORDER BY moment, request) <= {clusters.MOST_REQUESTS}
)
GROUP BY unit
"""
_ERROR_MINUTES = f"""
SELECT share, count(DISTINCT {clusters.by_minute("moment")}) FILTER (side = 'candidate'),
    count(DISTINCT {clusters.by_minute("moment")}) FILTER (side = 'stable')
FROM answered WHERE status >= 500 GROUP BY share
"""
_SLOWER = f"""
SELECT share, quantile_cont(latency_ms, 0.95) FILTER (side = 'candidate')
    / nullif(quantile_cont(latency_ms, 0.95) FILTER (side = 'stable'), 0)
FROM answered WHERE status = 200 AND latency_ms IS NOT NULL GROUP BY share
HAVING least(count(*) FILTER (side = 'candidate'), count(*) FILTER (side = 'stable')) >= {LEAST_ANSWERS}
"""


def count_steps(home: Path, endpoint: Endpoint, until: datetime | None = None) -> tuple[StepCounts, ...]:
    """Return the counts of each step of the endpoint's ramp that has begun, the current one last.

    Requests after ``until`` do not count (None: all do). Requests, clusters and outcomes are counted for the current
    step alone, since it began.

    Raises
    ------
    StoreError
        The records cannot be read.
    """
    ramp = endpoint.ramp
    if ramp is None or ramp.step < 0:
        return ()
    spec = ComparisonSpec(endpoint, endpoint.traffic.stable, ramp.candidate, ramp.began, 0, Rule("object"), until=until)
    with (
        reading(folder := data_folder(home, endpoint.name)),
        reading(home / LEDGER),
        records.database(folder, home / LEDGER) as connection,
    ):
        load_pairs.load_records(connection, home, spec)
        load_pairs.select_records(connection, spec, "canary")
        load_pairs.load_unpaired(connection, spec)
        ledger.load_unanswered(connection, home, endpoint.name, load_pairs.before(spec))
        first = share_in_force(ramp.plan.steps[0])
        tags = {"stable": spec.stable, "candidate": spec.candidate}
        connection.execute(_UNANSWERED, {"since": spec.start, "share": first, **tags})
        return _steps(connection, ramp)


def _steps(connection: duckdb.DuckDBPyConnection, ramp: RampState) -> tuple[StepCounts, ...]:
    events = {
        name: shared_figures.count_events(connection, _OUTCOMES.format(requests=requests, failed=failed)).get(0, {})
        for name, (requests, failed) in _FAILED.items()
    }
    minutes = {share: Events(*counts) for share, *counts in connection.execute(_ERROR_MINUTES).fetchall()}
    slower: dict[float, float | None] = dict(connection.execute(_SLOWER).fetchall())
    steps = []
    for percent in ramp.plan.steps[: ramp.step + 1]:
        share = share_in_force(percent)
        steps.append(
            StepCounts(
                percent=percent,
                events={name: of_shares.get(share, {}) for name, of_shares in events.items()},
                error_minutes=minutes.get(share, Events()),
                slower=slower.get(share) or 1.0,
            )
        )
    return (*steps[:-1], _current(connection, steps[-1], ramp.since))


def _current(connection: duckdb.DuckDBPyConnection, step: StepCounts, since: datetime) -> StepCounts:
    parameters = {"share": share_in_force(step.percent), "since": in_utc(since)}
    of, candidate, stable = connection.execute(_REQUESTS, parameters).fetchall()[0]
    rows = connection.execute(clusters.counted(_ERRORS), parameters).fetchall()
    _, up = clusters.directions(rows)
    return StepCounts(
        percent=step.percent,
        requests=Events(candidate, stable),
        clusters=of,
        outcomes=up.get(0, {}),
        events=step.events,
        error_minutes=step.error_minutes,
        slower=step.slower,
    )
