"""The result of a look: a watch's state as alarms, features and quality alarms. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate, pairwise
from math import exp, inf, log, log2, sqrt
from typing import Any

from .detector import EFFECT, FALSE_ALARMS, Alarm, Detector, Mark, Run
from .drift import Drift, DriftAlarm, DriftedFeature, FeatureDrift, QualityAlarm
from .evidence import bets, hellinger_of, log_evidence, most_log_evidence, sampling_error
from .sketch import FeatureSketch, ReferenceSketch
from .watch import FIRST_REQUESTS, Event, Tally, WatchState, detector_of

_MOST_REFUSED = 0.01
"""A refusal rate of at most this is no alarm: the verdict of a comparison has the same bound."""

_LEAST_CONSTANT = 30
_SHOWN = 40.0
_NEGLIGIBLE = -5.0
"""Bettors with less log-evidence, most of them in a stream without drift, would take most of a look's time."""


def drift_of(state: WatchState, endpoint: str, release: str, since: datetime | None = None) -> Drift:
    """Return the result of a look at a watch."""
    common = _common(state, endpoint, release, since)
    if state.reference is None or not state.reference.features:
        return common
    features = state.reference.features
    detector = detector_of(state.reference, state.run)
    evidence, parts = detector.evidence(_NEGLIGIBLE)
    own = [part - log(weight) for part, weight in zip(parts, detector.weights, strict=True)]
    counts = [
        [now + before for now, before in zip(*windows, strict=True)] for windows in zip(*state.windows, strict=True)
    ]
    shown = {"evidence": _rounded(evidence), "features": _features(features, counts, own, state.alarms)}
    return common.model_copy(update=_of_reference(state.reference, detector) | shown)


def drift_between(
    state: WatchState, counts: Sequence[float], endpoint: str, release: str, *, since: datetime, until: datetime
) -> Drift:
    """Return the drift in a range: its alarms, and its values against the reference.

    The evidence of a feature is that of the range's clusters alone, as of one bettor who began with it; there is none
    (0) against a reference by hours, since a range has no counts by hour. Quality alarms are of the whole watch.

    Parameters
    ----------
    counts
        Clusters of the range by feature and bin, in one list for all features; empty: none.
    """
    common = _common(state, endpoint, release, since)
    alarms = [alarm for alarm in state.alarms if since <= _moment(alarm.at) < until]
    found = {"alarms": [_alarm(alarm) for alarm in reversed(alarms)], "drift_alarms": len(alarms)}
    if state.reference is None or not state.reference.features:
        return common.model_copy(update=found)
    features = state.reference.features
    ends = [0, *accumulate(len(feature.counts) for feature in features)]
    flat = counts if len(counts) == ends[-1] else [0.0] * ends[-1]
    by_feature = [flat[begin:end] for begin, end in pairwise(ends)]
    detector = Detector(features, Run())
    evidence = [
        log_evidence(of_one, feature.shares, tolerance, feature.log_bets)
        if state.reference.hourly is None and most_log_evidence(of_one, feature.shares, tolerance) > 0
        else -inf
        for feature, of_one, tolerance in zip(features, by_feature, detector.tolerances, strict=True)
    ]
    found["features"] = _features(features, by_feature, evidence, alarms)
    return common.model_copy(update=_of_reference(state.reference, detector) | found)


def _common(state: WatchState, endpoint: str, release: str, since: datetime | None) -> Drift:
    features = state.reference.features if state.reference else ()
    quality = sorted(_quality(state, features), key=lambda one: (not one.shown, -one.share))
    return Drift(
        endpoint=endpoint,
        release=release,
        since=since,
        state="watching" if features else "collecting" if state.units else "none",
        requests=state.requests,
        rows=state.rows,
        clusters=state.units,
        first=state.first and _moment(state.first),
        last=state.last and _moment(state.last),
        false_alarms=FALSE_ALARMS,
        drift_alarms=state.alarm_count,
        quality_alarms=sum(one.shown for one in quality),
        quality=quality,
        alarms=[_alarm(alarm) for alarm in reversed(state.alarms)],
        notes=_notes(state),
    )


def _of_reference(reference: ReferenceSketch, detector: Detector) -> dict[str, Any]:
    return {
        "origin": reference.origin,
        "hours": reference.hourly,
        "days": detector.run.days.count if detector.run.days else 0,
        "reference_rows": max(feature.rows for feature in reference.features),
        "tolerance": _shift_of(max(detector.tolerances)),
    }


def _features(
    features: Sequence[FeatureSketch],
    counts_of: Sequence[Sequence[float]],
    evidence: Sequence[float],
    alarms: Sequence[Alarm],
) -> list[FeatureDrift]:
    """Return the features, those with alarms and evidence first.

    Parameters
    ----------
    counts_of
        By feature: the present counts by bin.
    evidence
        By feature: the logarithm of its e-value.
    """
    shown = []
    for feature, counts, log_evidence_of in zip(features, counts_of, evidence, strict=True):
        now = _shares(counts)
        shown.append(
            FeatureDrift(
                name=feature.name,
                group=feature.group,
                alarms=sum(part.name == feature.name for alarm in alarms for part in alarm.features),
                evidence=_rounded(log_evidence_of),
                reference_rows=feature.rows,
                clusters=round(sum(counts), 3),
                bins=feature.bin_names(),
                reference=[round(share, 6) for share in feature.shares],
                now=now,
                psi=_psi(feature.shares, now, sum(counts)),
                jensen_shannon=jensen_shannon(feature.shares, now),
            )
        )
    return sorted(shown, key=lambda one: (-one.alarms, -one.evidence, -(one.jensen_shannon or 0)))


def _quality(state: WatchState, features: Sequence[FeatureSketch]) -> Iterator[QualityAlarm]:
    tests = 4 * len(features) + 1
    chance = FALSE_ALARMS / tests
    if state.refusals.first is not None:
        share = state.refusals.count / state.requests
        found = _more(state.refusals.count, state.requests, _MOST_REFUSED, 0.0)
        shown = share > _MOST_REFUSED and found >= -log(chance)
        yield _event("", "refused", state.refusals, share, None, shown=shown)
    for feature in features:
        name = f"{feature.group} {feature.name}"
        known: dict[Event, float] = {"new": 0.0, "missing": 0.0, "out of range": 0.0}
        for special, share in zip(feature.special, feature.shares[feature.ordinary :], strict=True):
            known["out of range" if special in ("below", "above") else special] += share  # type: ignore[index]
        for event, tally in state.events.get(name, {}).items():
            # Redacted columns have fewer units than the release; the tally's own bound is the release's.
            share = tally.units / max(state.units, 1)
            tolerance = sampling_error(feature.rows, 2, chance) + hellinger_of(EFFECT)
            shown = share > known[event] and _more(tally.units, state.units, known[event], tolerance) >= -log(chance)
            yield _event(_label(feature), event, tally, share, known[event], shown=shown)
        constant = state.constants.get(name)
        if constant is not None and constant.units >= _LEAST_CONSTANT:
            top = feature.top_share
            top = min(top + 3 * sqrt(top * (1 - top) / feature.rows) + 1 / feature.rows, 1.0)
            needed = log(tests * max(state.units, 1) ** 2 / FALSE_ALARMS)
            if top < 1 and constant.units * -log(top) >= needed:
                tally = Tally(count=constant.units, units=constant.units, first=constant.since)
                yield _event(_label(feature), "constant", tally, constant.units / state.units, None, shown=True)


def _more(count: float, total: float, share: float, tolerance: float) -> float:
    """Return the log-evidence that a share is larger than the reference's by more than the tolerance."""
    shares = [share, 1 - share]
    log_bets = [[log(max(one, 1e-300)) for one in bet] for bet in bets(shares, ordered=0, single=[0])]
    return log_evidence([count, max(total - count, 0.0)], shares, tolerance, log_bets)


def _event(feature: str, what: str, tally: Tally, share: float, known: float | None, *, shown: bool) -> QualityAlarm:
    first = tally.first or Mark(request_id="", ts="1970-01-01T00:00:00+00:00")
    return QualityAlarm.model_validate(
        {
            "feature": feature,
            "what": what,
            "count": tally.count,
            "share": round(share, 6),
            "reference": None if known is None else round(known, 6),
            "first_request": first.request_id,
            "first": _moment(first),
            "shown": shown,
        }
    )


def _alarm(alarm: Alarm) -> DriftAlarm:
    features = [
        DriftedFeature(
            name=part.name,
            evidence=part.evidence,
            alone=part.alone,
            since=_moment(part.since),
            since_request=part.since.request_id,
            shares=_shares(part.counts),
        )
        for part in alarm.features
    ]
    return DriftAlarm(
        ts=_moment(alarm.at),
        request_id=alarm.at.request_id,
        units=alarm.units,
        evidence=alarm.evidence,
        features=features,
    )


def _notes(state: WatchState) -> list[str]:
    notes = list(state.reference.notes) if state.reference else []
    for group in ("inputs", "answers"):
        waiting = len(state.pending.get(group, ()))
        if waiting:
            notes.append(f"the reference of the {group} is being collected: {waiting:,} of {FIRST_REQUESTS:,} requests")
    if state.without_inputs:
        notes.append(
            f"{state.without_inputs:,} requests were recorded without their inputs and say nothing: "
            "'nbdeploy traffic NAME --record full' records them"
        )
    answered = state.requests - state.refusals.count - state.without_inputs
    if answered >= 2 * state.units and answered >= FIRST_REQUESTS:
        notes.append(
            f"{answered:,} requests are {state.units:,} clusters (of one x-sticky-key, or of equal inputs): "
            "each counts once, by its first request"
        )
    return notes


def _label(feature: FeatureSketch) -> str:
    return feature.name if feature.group == "inputs" else f"answers: {feature.name}"


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts)
    return [round(count / total, 6) if total else 0.0 for count in counts]


def _psi(reference: Sequence[float], now: Sequence[float], total: float) -> float | None:
    if not total:
        return None
    present = [max(share, 0.5 / total) for share in now]
    return round(sum((q - p) * log(q / p) for p, q in zip(reference, present, strict=True)), 6)


def jensen_shannon(reference: Sequence[float], now: Sequence[float]) -> float | None:
    """Return the Jensen-Shannon divergence of two distributions in bits; None: the second one is empty."""
    if not sum(now):
        return None
    parts = 0.0
    for p, q in zip(reference, now, strict=True):
        middle = (p + q) / 2
        parts += (p * log2(p / middle) if p else 0.0) + (q * log2(q / middle) if q else 0.0)
    return round(max(parts / 2, 0.0), 6)


def _shift_of(tolerance: float) -> float:
    """Return the shift of a normal feature, in standard deviations, that has this distance."""
    return round(sqrt(-8 * log(1 - tolerance * tolerance)), 4) if tolerance < 1 else float("inf")


def _rounded(evidence: float) -> float:
    return round(exp(min(evidence, _SHOWN)), 3)


def _moment(mark: Mark) -> datetime:
    return datetime.fromisoformat(mark.ts)
