"""The figures of a comparison by segments of the requests, with clusters as the unit. In DuckDB.

Works on the tables of ``load_pairs``, ``clusters``, ``row_agreement`` and ``segment_rows``, and on ``judged`` of
``truth_figures``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Literal

import duckdb

from jupyter_deploy.domain.evidence.inference import Estimate, Interval
from jupyter_deploy.domain.evidence.propensity import StepwiseDifference, error_step
from jupyter_deploy.domain.evidence.segment_figures import SegmentFigure, SegmentsFigure
from jupyter_deploy.domain.evidence.segments import (
    MOST_SEGMENTS,
    SegmentColumn,
    declared_number,
    e_value_of,
    in_words,
    mean_evidence,
    named,
    parse_segments,
)
from jupyter_deploy.domain.evidence.sequential import Mean, paired_difference
from jupyter_deploy.domain.evidence.verdict import AGREEMENT
from jupyter_deploy.records.records import in_utc

from . import clusters, segment_rows, shared_figures
from .load_pairs import ComparisonSpec
from .segment_rows import Segment

_AGREEMENT = """
SELECT segment AS part, avg(share) AS value FROM (
    SELECT segment, request, avg(agree::INTEGER) AS share FROM compared JOIN segment_rows USING (request, "row")
    GROUP BY segment, request
) JOIN units USING (request) GROUP BY segment, unit
"""
_ERRORS = """
SELECT segment AS part, avg(((c_status >= 500)::INTEGER - (s_status >= 500)::INTEGER)::DOUBLE) AS value
FROM pairs JOIN segment_requests USING (request) JOIN units USING (request, unit) GROUP BY segment, unit
"""
_ACCURACY = """
SELECT segment AS part, avg(difference) AS value FROM (
    SELECT segment, unit, request,
        avg("right") FILTER (side = 'candidate') - avg("right") FILTER (side = 'stable') AS difference
    FROM judged JOIN segment_rows USING (request, "row") GROUP BY segment, unit, request
) WHERE difference IS NOT NULL GROUP BY segment, unit
"""

# Failures of one release alone; see clusters.EVENTS.
_ALONE = """(
    SELECT segment, side, s_at AS moment, request, 0.5 AS share,
        CASE side WHEN 'candidate' THEN c_status >= 500 AND s_status < 500
            ELSE s_status >= 500 AND c_status < 500 END AS failed
    FROM pairs JOIN segment_requests USING (request), (VALUES ('stable'), ('candidate')) AS sides(side)
)"""

_SHARED_OUTCOMES = """(
    SELECT segment, side, moment, request, share, status >= 500 AS failed
    FROM answered JOIN segment_requests USING (request)
)"""

# Of a canary the parts are a segment at a routing share: the value of domain.evidence.propensity.error_step.
_WEIGHTED = "avg(CASE side WHEN 'candidate' THEN wrong ELSE -wrong * share / (1 - share) END)"
_SHARED_ERRORS = f"""
SELECT concat(segment, ' ', share) AS part, {_WEIGHTED} AS value FROM (
    SELECT segment, side, unit, share, (status >= 500)::DOUBLE AS wrong
    FROM answered JOIN units USING (request, unit, share) JOIN segment_requests USING (request)
) GROUP BY segment, share, unit
"""
_SHARED_ACCURACY = f"""
SELECT concat(segment, ' ', share) AS part, {_WEIGHTED} AS value FROM (
    SELECT segment, side, unit, request, 1 - avg("right") AS wrong
    FROM judged JOIN segment_rows USING (request, "row") GROUP BY ALL
) JOIN units USING (request, unit) WHERE wrong IS NOT NULL GROUP BY segment, share, unit
"""

_Difference = Mean | StepwiseDifference


def segments(
    connection: duckdb.DuckDBPyConnection, home: Path, spec: ComparisonSpec, *, paired: bool, truth: bool, flips: bool
) -> SegmentsFigure | None:
    """Return the figures by segment; None if none are declared, or all by redacted columns.

    Parameters
    ----------
    truth
        The table ``judged`` exists.
    flips
        Disagreement is evidence: it is not for a stochastic model, nor for floats without a tolerance.
    """
    declared, declared_at = _declared(spec)
    if not declared:
        return None
    since = max(spec.start, in_utc(declared_at)) if declared_at else spec.start
    found = segment_rows.load(connection, home, spec, declared, since, paired=paired)
    if paired:
        figures = _paired(connection, found, spec.level, truth=truth, flips=flips)
    else:
        figures = _shared(connection, found, spec.level, truth=truth)
    ours = [(worse, differ) for _, worse, differ in figures]
    of = declared_number(declared)
    names: dict[Literal["worse", "differs"], set[int]] = {"worse": set(), "differs": set()}
    if declared_at:
        names = {"worse": named([worse for worse, _ in ours]), "differs": named([differ for _, differ in ours])}
    return SegmentsFigure(
        declared=[one.text for one in declared],
        declared_at=declared_at,
        segments=[
            figure.model_copy(
                update={
                    "worse": worse,
                    "differ": differ,
                    "named": [name for name, places in names.items() if place in places],
                }
            )
            for place, (figure, worse, differ) in enumerate(figures)
        ],
        worse=mean_evidence([worse for worse, _ in ours], of),
        differ=mean_evidence([differ for _, differ in ours], of),
        least_agreement=_least(connection, spec.level) if paired else None,
        note=in_words(len(found), declared=declared_at is not None, level=spec.level),
    )


def _declared(spec: ComparisonSpec) -> tuple[tuple[SegmentColumn, ...], datetime | None]:
    """Return the declarations that hold, without redacted columns, and their time."""
    kept = spec.endpoint.comparison
    redacted = {column for tag in (spec.stable, spec.candidate) for column in spec.endpoint.release(tag).redact}
    declared = parse_segments(spec.segments or kept.segments)
    chosen = tuple(one for one in declared if one.column not in redacted)
    return chosen, None if spec.segments else kept.segments_at


def _paired(
    connection: duckdb.DuckDBPyConnection, found: list[Segment], level: float, *, truth: bool, flips: bool
) -> list[tuple[SegmentFigure, float, float]]:
    agreement = clusters.means_of(connection, _AGREEMENT)
    errors = clusters.means_of(connection, _ERRORS, low=-1.0)
    accuracy = clusters.means_of(connection, _ACCURACY, low=-1.0) if truth else {}
    events = _error_events(connection)
    none = Mean({}, low=-1.0)
    rows = []
    for one in found:
        agree = agreement.get(one.number, Mean({}))
        right = accuracy.get(one.number, none)
        figure = _figure(one, errors.get(one.number, none), right, agree, level)
        grounds = [e_value_of(events.get(one.number, none).log_evidence_above(0.0))]
        grounds += [e_value_of(right.log_evidence_below(0.0))] if right.n else []
        differ = e_value_of(agree.log_evidence_below(AGREEMENT)) if flips and agree.n else 0.0
        rows.append((figure, mean_evidence(grounds), differ))
    return rows


def _shared(
    connection: duckdb.DuckDBPyConnection, found: list[Segment], level: float, *, truth: bool
) -> list[tuple[SegmentFigure, float, float]]:
    errors = _stepwise(connection, _SHARED_ERRORS)
    wrong = _stepwise(connection, _SHARED_ACCURACY) if truth else {}
    events = shared_figures.count_events(connection, _SHARED_OUTCOMES)
    none = StepwiseDifference(())
    rows = []
    for one in found:
        inaccuracy = wrong.get(one.number, none)
        figure = _figure(one, errors.get(one.number, none), _Negative(inaccuracy), Mean({}), level)
        grounds = [shared_figures.of_events(events.get(one.number, {})), *([inaccuracy] if inaccuracy.n else [])]
        rows.append((figure, mean_evidence([e_value_of(each.log_evidence_above(0.0)) for each in grounds]), 0.0))
    return rows


class _Negative:
    """A difference with the sign reversed: of accuracies from that of errors."""

    def __init__(self, of: StepwiseDifference) -> None:
        self._of = of

    def estimate(self, level: float) -> Estimate | None:
        estimate = self._of.estimate(level)
        if estimate is None:
            return None
        interval = Interval(low=-estimate.interval.high, high=-estimate.interval.low, level=estimate.interval.level)
        return Estimate(value=-estimate.value, interval=interval, n=estimate.n)


def _figure(
    one: Segment, errors: _Difference, accuracy: _Difference | _Negative, agreement: Mean, level: float
) -> SegmentFigure:
    return SegmentFigure(
        column=one.column,
        value=one.value,
        rows=one.rows,
        clusters=one.clusters,
        agreement=agreement.estimate(level),
        error_difference=errors.estimate(level),
        accuracy_difference=accuracy.estimate(level),
    )


def _error_events(connection: duckdb.DuckDBPyConnection) -> dict[int, Mean]:
    """Return, by segment, the events of errors of one release alone: the candidate's less stable's."""
    rows = connection.execute(f"""
        SELECT segment, count(*) FILTER (side = 'candidate'), count(*) FILTER (side = 'stable')
        FROM ({clusters.EVENTS.format(outcomes=_ALONE)}) GROUP BY segment
    """).fetchall()
    return {segment: paired_difference(candidate, stable, 0) for segment, candidate, stable in rows}


def _stepwise(connection: duckdb.DuckDBPyConnection, query: str) -> dict[int, StepwiseDifference]:
    down, up = clusters.directions(connection.execute(clusters.counted(query)).fetchall())
    shares: dict[int, list[tuple[float, str]]] = {}
    for part in down:
        segment, _, share = part.partition(" ")
        shares.setdefault(int(segment), []).append((float(share), part))
    return {
        segment: StepwiseDifference(tuple(error_step(share, down[part], up[part]) for share, part in sorted(parts)))
        for segment, parts in shares.items()
    }


def _least(connection: duckdb.DuckDBPyConnection, level: float) -> Estimate | None:
    """Return the smallest agreement of a segment; its interval holds whichever segment that is.

    Each segment's interval has a fiftieth of the allowed error, so all hold together (Bonferroni), with those of
    segments that come later.
    """
    together = 1 - (1 - level) / MOST_SEGMENTS
    means: Mapping[int, Mean] = clusters.means_of(connection, _AGREEMENT)
    estimates = [estimate for mean in means.values() if (estimate := mean.estimate(together))]
    if not estimates:
        return None
    least = min(estimates, key=lambda estimate: estimate.value)
    low = min((estimate.interval.low for estimate in estimates), default=-inf)
    high = min(estimate.interval.high for estimate in estimates)
    return Estimate(value=least.value, interval=Interval(low=low, high=high, level=level), n=least.n)
