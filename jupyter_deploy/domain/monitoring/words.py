"""The Monitor in words: its alarms, ranked features and notes, the same in JupyterLab and in a report. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from jupyter_deploy.domain.base import Value, percent_in_words
from jupyter_deploy.domain.drift.drift import Drift, DriftAlarm, FeatureDrift, QualityAlarm
from jupyter_deploy.domain.drift.report import jensen_shannon
from jupyter_deploy.domain.drift.words import (
    assumption_in_words,
    joint_in_words,
    moved_between,
    moved_in_words,
    name_in_words,
    named_in_words,
    quality_in_words,
    share_in_words,
)

from .confidence import LIMITS, basis_of
from .monitor import Monitor
from .performance import Performance, Period

LEAST_CLUSTERS = 20
"""With fewer clusters in the range no share has moved."""

_REFUSED = 422
_SPANS = ((timedelta(days=7), "a week"), (timedelta(days=1), "a day"), (timedelta(hours=1), "an hour"))
"""Alarms are a rate, since one range may be longer: by the longest of these that both ranges have, else by the hour."""


class MonitorAlarm(Value):
    """An alarm of drift or of quality.

    ``words``: what happened; ``sure``: how sure that is. ``since``, ``until``: the requests behind it, ``release``: the
    release that they went to; ``status``: of refused requests.
    """

    kind: Literal["drift", "quality"]
    at: datetime
    words: str
    sure: str
    request_id: str
    release: str
    since: datetime
    until: datetime | None = None
    status: int | None = None


class MonitorFeature(Value):
    """A feature against the reference, by rank; ``moved``: the bin whose share moved most, in words.

    ``evidence``: the e-value of the range alone; ``jensen_shannon``: a size without a scale of good and bad (bits).
    ``compared``: the same from the second range to this one, a description without a test; empty: there is none.
    """

    name: str
    alarms: int
    moved: str
    evidence: float
    jensen_shannon: float | None
    compared: str = ""


class RangeFigure(Value):
    """A figure of a range and of the one that it is compared with, in words."""

    name: str
    now: str
    compared: str


class SegmentFigures(Value):
    """A segment's performance in a range, in words: a value with its interval. ``compared``: in the second range."""

    segment: str
    release: str
    rows: int
    value: str
    compared: str = ""


def alarms_of(drift: Drift) -> tuple[MonitorAlarm, ...]:
    """Return the alarms of a range, newest first; of quality those that are shown."""
    alarms = [_drift_alarm(alarm, drift) for alarm in drift.alarms]
    alarms += [_quality_alarm(alarm, drift) for alarm in drift.quality if alarm.shown]
    return tuple(sorted(alarms, key=lambda alarm: alarm.at, reverse=True))


def _drift_alarm(alarm: DriftAlarm, drift: Drift) -> MonitorAlarm:
    return MonitorAlarm(
        kind="drift",
        at=alarm.ts,
        words=named_in_words(alarm, drift.features),
        sure=f"e-value {alarm.evidence:.3g} after {alarm.units:,} clusters; at most "
        f"{percent_in_words(drift.false_alarms)} of runs without drift raise an alarm, of any length",
        request_id=alarm.request_id,
        release=drift.release,
        since=alarm.since,
        until=alarm.until,
    )


def _quality_alarm(alarm: QualityAlarm, drift: Drift) -> MonitorAlarm:
    known = "" if alarm.reference is None else f", {share_in_words(alarm.reference)} of the reference"
    counted = f"{alarm.count:,} since the watch began, {share_in_words(alarm.share)} of the clusters{known}"
    return MonitorAlarm(
        kind="quality",
        at=alarm.first,
        words=f"{quality_in_words(alarm)}: {counted}",
        sure=f"shown at a level of {percent_in_words(drift.false_alarms)} for all such alarms together",
        request_id=alarm.first_request,
        release=drift.release,
        since=alarm.first,
        status=_REFUSED if alarm.what == "refused" else None,
    )


def features_of(monitor: Monitor) -> list[MonitorFeature]:
    """Return the features against the reference and, if a second range is there, against that."""
    others = compared_features(monitor)
    found = monitor.drift.features if monitor.drift else []
    return [_feature(one, others.get((one.group, one.name))) for one in found]


def compared_features(monitor: Monitor) -> dict[tuple[str, str], FeatureDrift]:
    """Return the features of the second range by group and name; none without one."""
    drift = monitor.compared.drift if monitor.compared else None
    return {(one.group, one.name): one for one in drift.features} if drift else {}


def _feature(one: FeatureDrift, other: FeatureDrift | None) -> MonitorFeature:
    return MonitorFeature(
        name=name_in_words(one),
        alarms=one.alarms,
        moved=moved_in_words(one, one.now) if one.clusters >= LEAST_CLUSTERS else "too few clusters",
        evidence=one.evidence,
        jensen_shannon=one.jensen_shannon if one.clusters >= LEAST_CLUSTERS else None,
        compared=_compared(one, other) if other else "",
    )


def _compared(one: FeatureDrift, other: FeatureDrift) -> str:
    if min(one.clusters, other.clusters) < LEAST_CLUSTERS:
        return "too few clusters"
    size = jensen_shannon(other.now, one.now)
    return f"{moved_between(one.bins, other.now, one.now)}{'' if size is None else f', JS {size:.2g}'}"


def range_figures(monitor: Monitor) -> list[RangeFigure]:
    """Return the figures of both ranges, rates and shares, since one may be longer; none without a second range."""
    if monitor.compared is None:
        return []
    shorter = min(one.until - one.since for one in (monitor, monitor.compared))
    span = next((one for one in _SPANS if one[0] <= shorter), _SPANS[-1])
    rows = zip(_figures(monitor, *span), _figures(monitor.compared, *span), strict=True)
    return [RangeFigure(name=name, now=now, compared=before) for (name, now), (_, before) in rows]


def _figures(monitor: Monitor, span: timedelta, name: str) -> list[tuple[str, str]]:
    """Return names and values; alarms are a rate for each ``span``, with its name."""
    latencies = (("median latency", monitor.p50_ms), ("95 % within", monitor.p95_ms), ("99 % within", monitor.p99_ms))
    drift = monitor.drift
    spans = (monitor.until - monitor.since) / span
    return [
        ("requests a second", f"{monitor.per_second:.3g}"),
        ("failed", _share(monitor.errors, monitor.requests)),
        ("refused", _share(monitor.refused, monitor.requests)),
        *((name, "–" if value is None else f"{value:.3g} ms") for name, value in latencies),
        (f"drift alarms {name}", f"{drift.drift_alarms / spans:.3g}" if drift else "–"),
    ]


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.3g} %" if of else "–"


def segment_figures(found: Performance, other: Performance | None) -> list[SegmentFigures]:
    """Return the performance by segment, those with the most rows first."""
    before = {(one.segment, one.release): one for one in other.totals} if other else {}
    return [
        SegmentFigures(
            segment=one.segment,
            release=one.release,
            rows=one.rows,
            value=_judged(one),
            compared=_judged(before.get((one.segment, one.release))) if other else "",
        )
        for one in found.by_segment()
    ]


def left_out_in_words(found: Performance) -> str:
    """Return how many segments have no figures, and the remedy; empty: none."""
    if not found.left_out:
        return ""
    were = "1 segment with fewer rows is" if found.left_out == 1 else f"{found.left_out:,} segments with fewer rows are"
    return f"{were} left out: declare bins or values, such as 'region: north, south'."


def estimate_in_words(found: Performance) -> str:
    """Return the basis of the estimated accuracy, by release if they differ, and its error; empty: there is none."""
    if not found.expected:
        return ""
    bases = {one.release: basis_of(one.calibrated) for one in found.expected}
    basis = next(iter(bases.values()))
    if any(other != basis for other in bases.values()):
        basis = "; ".join(f"{release.rpartition(':')[2]}: {its}" for release, its in bases.items())
    answers = "a sample of the answers" if any(one.sampled for one in found.expected) else "the answers"
    words = f"The probabilities of {answers} promise the estimated accuracy, {basis}: {LIMITS}."
    error = found.estimate_error()
    if error is None:
        return words
    off = f"{100 * error[0]:.2g} points off"
    return f"{words} On average over this range it is {off}, by {error[1]:,} rows with ground truth."


def _judged(one: Period | None) -> str:
    if one is None:
        return "–"
    if one.accuracy is None or one.low is None or one.high is None:
        return "–" if one.error is None else f"{one.error:.3g}"
    return f"{100 * one.accuracy:.3g} % ({100 * one.low:.3g} % to {100 * one.high:.3g} %)"


def range_of(monitor: Monitor) -> str:
    """Return a range in words."""
    return f"{_minute(monitor.since)} to {_minute(monitor.until)} UTC"


def reference_of(drift: Drift) -> tuple[str, ...]:
    """Return the origin of the reference and what raises an alarm, in words."""
    origins = [f"reference of the {group}: {words}" for group, words in drift.origin.items()]
    if drift.tolerance is None:
        return tuple(origins)
    return (
        *origins,
        f"at most {percent_in_words(drift.false_alarms)} false alarms a run, {assumption_in_words(drift)}",
        f"drift of less than {drift.tolerance:.2g} standard deviations raises no alarm",
    )


def values_of(found: Monitor) -> str:
    """Return the time of the compared values in words; whole hours, or days of a range of long ago."""
    if found.values_since is None or found.values_until is None:
        return ""
    return f"{_minute(found.values_since)} to {_minute(found.values_until)} UTC"


def joint_of(found: Monitor) -> str:
    """Return the latest joint shift of the range in words; empty: no past day of it has a figure."""
    if not found.joint:
        return ""
    words = joint_in_words(found.joint[-1])
    return f"All inputs together: {words}. The figure of a day is made after its end (UTC)."


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
