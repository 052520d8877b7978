"""The comparison of a candidate with stable, from their records: all figures, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.answer_shapes import shapes
from jupyter_deploy.domain.evidence.forecast import forecast_paired, forecast_unpaired
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate, Interval, Phase
from jupyter_deploy.domain.evidence.labelled import warn
from jupyter_deploy.domain.evidence.propensity import StepwiseDifference
from jupyter_deploy.domain.evidence.sequential import LEVEL, proportion
from jupyter_deploy.domain.evidence.verdict import PairedFigures, UnpairedFigures, judge_paired, judge_unpaired
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.records import ledger, records
from jupyter_deploy.records.segments import LEDGER, data_folder, reading

from . import (
    agreement,
    answer_sample,
    clusters,
    field_agreement,
    load_pairs,
    number_differences,
    paired_figures,
    refused_requests,
    row_agreement,
    segment_figures,
    shared_figures,
    truth_figures,
)
from .load_pairs import ComparisonSpec
from .row_agreement import VARIANTS

# The share of the recorded requests that a canary must have, to be compared fairly, is refuted at this level.
_RATIO_LEVEL = 0.99


def compare(
    home: Path,
    endpoint: Endpoint,
    candidate: str,
    *,
    since: datetime | None,
    overflowed: int,
    rule: Rule,
    segments: Sequence[str] = (),
    level: float = LEVEL,
    until: datetime | None = None,
) -> Comparison:
    """Compare a candidate with the current stable release.

    A shadow is compared on the same requests; a canary answers other requests than stable and is compared
    unpaired. A release without traffic is compared in its last role: as a shadow if it has records as one, else
    as a canary. Without records the comparison is empty and inconclusive.

    Parameters
    ----------
    since
        Only requests with both records at or after this time. The proxy's overflow counter has no time: with
        ``since``, coverage may be understated, and the reason notes it.
    overflowed
        Copies that the proxy dropped before the shadow hop (paired only).
    level
        The level of the intervals of the figures; not of segments, and the verdict does not depend on it.
    until
        Later requests do not count; None: all do.

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
    spec = ComparisonSpec(endpoint, stable, tag, since, overflowed, rule, tuple(segments), level, until)
    present, comparison, roles = _compared(home, spec)
    if present is None or len(roles) < len(_ROLES):
        return comparison
    other, _, _ = _compared(home, spec, next(role for role in _ROLES if role != present.role))
    if other is None:
        return comparison
    return comparison.model_copy(update={"phases": sorted((other, present), key=lambda phase: phase.first)})


_ROLES: tuple[Literal["shadow"], Literal["canary"]] = ("shadow", "canary")


def _compared(
    home: Path, spec: ComparisonSpec, chosen: Literal["shadow", "canary"] | None = None
) -> tuple[Phase | None, Comparison, list[str]]:
    """Compare the candidate in one role (None: see ``load_pairs.recorded_role``).

    Returns the role's evidence in short (None: no requests), the comparison, and all roles with records.
    """
    endpoint = spec.endpoint
    with (
        reading(folder := data_folder(home, endpoint.name)),
        reading(home / LEDGER),
        records.database(folder, home / LEDGER) as connection,
    ):
        skipped = load_pairs.load_records(connection, home, spec)
        role = chosen or load_pairs.recorded_role(connection, spec)
        load_pairs.select_records(connection, spec, role)
        paired = role == "shadow"
        comparison = _paired(connection, home, spec, skipped) if paired else _unpaired(connection, spec, skipped)
        tags = {"both": f"{spec.stable}, {spec.candidate}", "stable": spec.stable, "candidate": spec.candidate}
        truth = truth_figures.figures(connection, home, spec, tags, paired=paired)
        flips = not spec.stochastic and (spec.rule.chosen or not comparison.relative_difference)
        by_segment = segment_figures.segments(connection, home, spec, paired=paired, truth=truth.loaded, flips=flips)
        notes = [*load_pairs.notes(connection, home, spec), *comparison.notes, *warn(truth.labelled)]
        changes = {
            "notes": notes,
            "accuracy_difference": truth.accuracy,
            "absolute_error_difference": truth.absolute_error,
            "labelled": list(truth.labelled),
            "segments": by_segment,
        }
        comparison = comparison.model_copy(update=changes)
        return _phase(connection, comparison), comparison, load_pairs.recorded_roles(connection, spec)


def _phase(connection: duckdb.DuckDBPyConnection, comparison: Comparison) -> Phase | None:
    """Return the evidence of one role in short; None without requests of both releases."""
    if not load_pairs.both_answered(connection):
        return None
    first, last = connection.execute("SELECT min(moment)::TIMESTAMP, max(moment)::TIMESTAMP FROM answered").fetchone()
    return Phase(
        role="shadow" if comparison.paired else "canary",
        first=first.replace(tzinfo=UTC),
        last=last.replace(tzinfo=UTC),
        requests=comparison.sides["candidate"].requests,
        **{name: getattr(comparison, name) for name in _OF_PHASE},
    )


_OF_PHASE = (
    "paired",
    "clusters",
    "pairs",
    "rows",
    "agreement",
    "error_difference",
    "latency_difference_ms",
    "verdict",
    "reason",
    "recommendation",
)


def _paired(connection: duckdb.DuckDBPyConnection, home: Path, spec: ComparisonSpec, skipped: int) -> Comparison:
    load_pairs.load_paired(connection, spec)
    clusters.load_paired_units(connection)
    of = clusters.count(connection, "pairs")
    ledger.load(connection, home, spec.endpoint.name, spec.candidate, spec.stable, condition=load_pairs.before(spec))
    mirrored, failures = ledger.mirrored(connection, spec.start, spec.overflowed_recorded)
    tracker = row_agreement.compare_rows(connection, spec.rule)
    rows, flips = row_agreement.rows_and_flips(connection)
    relative = row_agreement.relative_difference(connection, spec.level)
    sampled = answer_sample.sample(connection)
    fields, fields_total = field_agreement.fields(connection, tracker, sampled)
    mean, estimate, course = agreement.estimate_agreement(connection)
    figures = PairedFigures(
        pairs=of.requests,
        clusters=of.count,
        rows=rows,
        flips=flips,
        mirrored=mirrored,
        agreement=mean,
        coverage=proportion(of.requests, mirrored),
        errors=paired_figures.errors(connection),
        error_events=paired_figures.error_events(connection),
        refused=paired_figures.refusals(connection),
        slow=load_pairs.slow_answers(connection),
        unanswered=load_pairs.unanswered(connection),
        floats={} if spec.rule.chosen else row_agreement.float_flips(connection, relative),
        failures=failures,
        stochastic=spec.stochastic,
        unwindowed_overflow=spec.since is not None and spec.overflowed > 0,
    )
    verdict, reason, recommendation = judge_paired(figures)
    per_hour = load_pairs.per_hour(connection, "pairs")
    if not mirrored and spec.role == "idle":
        reason = _no_common_requests(spec)
    return _comparison(
        connection,
        spec,
        paired=True,
        pairs=of.requests,
        clusters=of.count,
        distinct_inputs=of.distinct_inputs,
        rows=rows,
        mirrored=mirrored,
        overflowed=spec.overflowed,
        coverage=figures.coverage.estimate(spec.level),
        agreement_worst_case=estimate.value * figures.coverage.value if estimate else None,
        agreement=mean.estimate(spec.level),
        agreement_course=course,
        refusal_rate=figures.refused.estimate(spec.level),
        flips=row_agreement.flips(connection, spec.rule),
        flip_count=flips,
        numeric_difference=row_agreement.numeric_difference(connection),
        relative_difference=relative,
        numbers=number_differences.differences(connection, relative, sampled),
        fields=fields,
        fields_total=fields_total,
        shapes=shapes((row.stable, row.candidate) for row in sampled),
        shadow_failures=failures,
        error_difference=figures.errors.estimate(spec.level),
        latency_difference_ms=load_pairs.median(
            connection,
            "SELECT c_latency - s_latency AS ms FROM pairs WHERE s_status = 200 AND c_status = 200",
            spec.level,
        ),
        slow_rate=figures.slow.rate.estimate(spec.level),
        by_minute=paired_figures.by_minute(connection),
        verdict=verdict,
        reason=reason,
        recommendation=recommendation,
        forecast=forecast_paired(figures, per_hour) if recommendation == "wait" else None,
        skipped_lines=skipped,
        notes=[*of.notes, *load_pairs.dependent_minutes(connection, paired_figures.LATENCY_BY_MINUTE)],
    )


def _no_common_requests(spec: ComparisonSpec) -> str:
    name, tag = spec.endpoint.name, spec.candidate
    return (
        f"{tag} has no traffic and was no candidate while {spec.stable} was stable, so they have no common requests; "
        f"'nbdeploy traffic {name} --shadow {tag}=100' sends it copies of the requests."
    )


def _unpaired(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec, skipped: int) -> Comparison:
    load_pairs.load_unpaired(connection, spec)
    shared_figures.load_units(connection)
    of, slow = clusters.count(connection, "answered"), load_pairs.slow_answers(connection)
    both = load_pairs.both_answered(connection)
    errors = shared_figures.errors(connection) if both else StepwiseDifference(())
    result = _comparison(
        connection,
        spec,
        paired=False,
        pairs=0,
        rows=0,
        mirrored=0,
        clusters=of.count,
        distinct_inputs=of.distinct_inputs,
        coverage=None,
        agreement=None,
        error_difference=errors.estimate(spec.level),
        latency_difference_ms=_unpaired_latency(connection, spec.level),
        slow_rate=slow.rate.estimate(spec.level),
        by_minute=shared_figures.by_minute(connection),
        verdict="inconclusive",
        reason="",
        skipped_lines=skipped,
        notes=[
            *of.notes,
            *load_pairs.dependent_minutes(connection, shared_figures.LATENCY_BY_MINUTE),
            *(_sample_ratio(connection) if both else []),
        ],
    )
    shares = shared_figures.answer_shares(connection) if both else {}
    figures = UnpairedFigures(
        stable=result.sides["stable"].requests,
        candidate=result.sides["candidate"].requests,
        clusters=of.count,
        errors=errors,
        error_events=shared_figures.error_events(connection),
        shares=shares,
        slow=slow,
        unanswered=load_pairs.unanswered(connection),
        stochastic=spec.stochastic,
    )
    verdict, reason, recommendation = judge_unpaired(figures)
    per_hour = load_pairs.per_hour(connection, "answered")
    changes = {
        "answer_shares": {label: share.estimate() for label, share in shares.items()},
        "verdict": verdict,
        "reason": reason,
        "recommendation": recommendation,
        "forecast": forecast_unpaired(figures, per_hour) if recommendation == "wait" else None,
    }
    return result.model_copy(update=changes)


def _sample_ratio(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return a warning if the canary has another part of the records than its share of the requests."""
    ratio = shared_figures.sample_ratio(connection)
    if not (ratio.above(0, _RATIO_LEVEL) or ratio.below(0, _RATIO_LEVEL)):
        return []
    return [
        f"the canary has {ratio.value * 100:+.1f} points more of the recorded requests than its share: records of one "
        "release are missing, so the figures of the two may not be comparable"
    ]


def _unpaired_latency(connection: duckdb.DuckDBPyConnection, level: float) -> Estimate | None:
    """Estimate the difference of the medians; each interval has half of the allowed error, so both hold together."""
    each = 1 - (1 - level) / 2
    stable, candidate = (
        load_pairs.median(connection, load_pairs.LATENCIES.format(variant), each) for variant in VARIANTS
    )
    if not (stable and candidate):
        return None
    low = candidate.interval.low - stable.interval.high
    high = candidate.interval.high - stable.interval.low
    interval = Interval(low=low, high=high, level=level)
    return Estimate(value=candidate.value - stable.value, interval=interval, n=candidate.n + stable.n)


def _comparison(connection: duckdb.DuckDBPyConnection, spec: ComparisonSpec, **figures: Any) -> Comparison:
    """Build the comparison with the figures of both kinds: a summary of each release, the candidate's exceptions."""
    row_agreement.list_answers(connection, spec.rule)
    labels = row_agreement.labels(connection)
    refused, refusals = refused_requests.refusals(connection, spec.start, paired=figures["paired"])
    return Comparison(
        endpoint=spec.endpoint.name,
        stable=spec.stable,
        candidate=spec.candidate,
        role=spec.role,
        record_sample=spec.endpoint.record_sample,
        since=spec.since,
        errors=load_pairs.count_errors(connection, spec.start),
        sides={variant: load_pairs.summarize(connection, spec, variant, labels[variant]) for variant in VARIANTS},
        stochastic=spec.stochastic,
        relative_tolerance=spec.rule.rtol,
        absolute_tolerance=spec.rule.atol,
        answers=row_agreement.answer_counts(connection, labels),
        refused=refused,
        refusals=refusals,
        **figures,
    )
