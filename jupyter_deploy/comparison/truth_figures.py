"""Which release is right, by the ground truth that has arrived: at every look, with clusters as the unit.

Works on the tables of ``load_pairs`` and ``clusters``, and on ``truth`` of ``records.ground_truth``.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import duckdb

from jupyter_deploy.domain.evidence.inference import Estimate, Interval
from jupyter_deploy.domain.evidence.labelled import LabelledShare
from jupyter_deploy.domain.evidence.propensity import error_step
from jupyter_deploy.domain.evidence.verdict import MOST_ANSWERS
from jupyter_deploy.records import ground_truth, segments

from . import clusters, load_pairs, shared_figures
from .load_pairs import ComparisonSpec

# A row of an answered request with its actual value: `right` of a label, `loss` of a number.
_ROWS = """
SELECT side, request, unit, "row",
    CASE WHEN number THEN {loss} END AS loss,
    CASE WHEN NOT number THEN {right} END AS right
FROM (
    SELECT *,
        json_type(value) IN {numbers} AND json_type(actual) IN {numbers} AND NOT $exact
            AND ($floating OR 'DOUBLE' IN (json_type(value), json_type(actual))) AS number
    FROM (
        SELECT side, request, unit, "row", actual, json_extract(outputs, '$[' || "row" || ']') AS value
        FROM ({answers}) JOIN truth ON pair_id = key AND outcome = 'joined' AND actual IS NOT NULL
        WHERE json_type(outputs) = 'ARRAY'
    )
)
"""
_OF_PAIRS = """
SELECT side, request, unit, pair_id, CASE side WHEN 'stable' THEN s_outputs ELSE c_outputs END AS outputs
FROM pairs JOIN units USING (request, unit), (VALUES ('stable'), ('candidate')) AS sides(side)
WHERE s_status = 200 AND c_status = 200
"""
_OF_CANARY = """
SELECT side, request, unit, pair_id, outputs FROM answered JOIN units USING (request, unit, share) WHERE status = 200
"""

_PAIRED = """
SELECT avg(difference) AS value FROM (
    SELECT unit, request, avg({value}) FILTER (side = 'candidate') - avg({value}) FILTER (side = 'stable') AS difference
    FROM judged GROUP BY unit, request
) WHERE difference IS NOT NULL GROUP BY unit
"""
_SHARED = """
SELECT share AS part, avg(CASE side WHEN 'candidate' THEN wrong ELSE -wrong * share / (1 - share) END) AS value
FROM (SELECT side, unit, request, 1 - avg("right") AS wrong FROM judged GROUP BY ALL) JOIN units USING (request, unit)
WHERE wrong IS NOT NULL GROUP BY share, unit
"""

# The latest request is 0 seconds old.
_SHARES = f"""
WITH requests AS (
    SELECT {{release}} AS release, coalesce({{first}}->>'$', 'no answer') AS predicted,
        epoch(max({{moment}}) OVER () - {{moment}}) / 3600 AS hours,
        pair_id IN (SELECT key FROM truth WHERE outcome = 'joined' AND actual IS NOT NULL) AS labelled
    FROM {{table}}
),
named AS (
    SELECT 1 AS place, 'release' AS kind, release AS name, labelled FROM requests
    UNION ALL SELECT 2, 'predicted', predicted, labelled FROM requests
    UNION ALL SELECT 3 + (hours > 1)::INTEGER + (hours > 24)::INTEGER + (hours > 168)::INTEGER, 'age',
        CASE WHEN hours <= 1 THEN 'up to an hour' WHEN hours <= 24 THEN 'up to a day'
            WHEN hours <= 168 THEN 'up to a week' ELSE 'older' END, labelled
    FROM requests
)
SELECT kind, name, count(*) FILTER (labelled), count(*) FROM named GROUP BY place, kind, name
QUALIFY row_number() OVER (PARTITION BY place ORDER BY count(*) DESC, name) <= {MOST_ANSWERS}
ORDER BY place, count(*) DESC, name
"""


@dataclass(frozen=True)
class TruthFigures:
    """The candidate's accuracy less stable's, its absolute error less stable's, and the labelled requests.

    ``loaded``: the table ``judged`` (side, request, unit, row, loss, right) exists.
    """

    accuracy: Estimate | None = None
    absolute_error: Estimate | None = None
    labelled: tuple[LabelledShare, ...] = ()
    loaded: bool = False


def figures(
    connection: duckdb.DuckDBPyConnection, home: Path, spec: ComparisonSpec, tags: dict[str, str], *, paired: bool
) -> TruthFigures:
    """Return the figures by ground truth; empty without feedback. ``tags``: the two releases, by side."""
    endpoint, rule = spec.endpoint.name, spec.rule
    folder = segments.feedback_folder(home, endpoint)
    if not segments.segments_in(folder):
        return TruthFigures()
    with segments.reading(folder) if folder.is_dir() else nullcontext():
        ground_truth.load_truth(connection, home, endpoint)
    words = {"numbers": ground_truth.NUMBERS, "loss": ground_truth.LOSS, "right": ground_truth.RIGHT}
    query = _ROWS.format(**words, answers=_OF_PAIRS if paired else _OF_CANARY)
    connection.execute(f"CREATE TEMP TABLE judged AS {query}", {"exact": rule.exact, "floating": rule.floating})
    labelled = _labelled(connection, tags, paired=paired)
    if not paired:
        worse = shared_figures.stepwise(connection, _SHARED, error_step).estimate(spec.level)
        return TruthFigures(_negative(worse), None, labelled, loaded=True)
    accuracy = clusters.mean_of(connection, _PAIRED.format(value='"right"'), low=-1.0).estimate(spec.level)
    loss = load_pairs.median(connection, f"SELECT value AS ms FROM ({_PAIRED.format(value='loss')})", spec.level)
    return TruthFigures(accuracy, loss, labelled, loaded=True)


def _labelled(
    connection: duckdb.DuckDBPyConnection, tags: dict[str, str], *, paired: bool
) -> tuple[LabelledShare, ...]:
    names = {
        "release": "'both'",
        "first": "json_extract(s_outputs, '$[0]')",
        "moment": "s_at",
        "table": "pairs WHERE s_status = 200",
    }
    if not paired:
        names = {
            "release": "side",
            "first": "json_extract(outputs, '$[0]')",
            "moment": "moment",
            "table": "answered WHERE status = 200",
        }
    rows = connection.execute(_SHARES.format(**names)).fetchall()
    return tuple(
        LabelledShare(by=by, value=tags.get(value, value) if by == "release" else value, labelled=labelled, requests=n)
        for by, value, labelled, n in rows
    )


def _negative(estimate: Estimate | None) -> Estimate | None:
    """Return the difference of accuracies from that of errors."""
    if estimate is None:
        return None
    interval = Interval(low=-estimate.interval.high, high=-estimate.interval.low, level=estimate.interval.level)
    return Estimate(value=-estimate.value, interval=interval, n=estimate.n)
