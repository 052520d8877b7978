"""The Monitor in words: its alarms, ranked features and notes, the same in JupyterLab and in a report. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from jupyter_deploy.domain.base import Value, percent_in_words
from jupyter_deploy.domain.drift.drift import Drift, DriftAlarm, FeatureDrift, QualityAlarm
from jupyter_deploy.domain.drift.words import (
    moved_in_words,
    name_in_words,
    named_in_words,
    quality_in_words,
    share_in_words,
)

from .monitor import Monitor

LEAST_CLUSTERS = 20
"""With fewer clusters in the range no share has moved."""

_REFUSED = 422
_WITH_IT = timedelta(milliseconds=1)
"""The request that raised an alarm is behind it too."""


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
    """

    name: str
    alarms: int
    moved: str
    evidence: float
    jensen_shannon: float | None


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
        since=min((part.since for part in alarm.features), default=alarm.ts),
        until=alarm.ts + _WITH_IT,
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


def feature_of(one: FeatureDrift) -> MonitorFeature:
    """Return a feature against the reference."""
    return MonitorFeature(
        name=name_in_words(one),
        alarms=one.alarms,
        moved=moved_in_words(one, one.now) if one.clusters >= LEAST_CLUSTERS else "too few clusters",
        evidence=one.evidence,
        jensen_shannon=one.jensen_shannon if one.clusters >= LEAST_CLUSTERS else None,
    )


def reference_of(drift: Drift) -> tuple[str, ...]:
    """Return the origin of the reference and what raises an alarm, in words."""
    origins = [f"reference of the {group}: {words}" for group, words in drift.origin.items()]
    if drift.tolerance is None:
        return tuple(origins)
    return (
        *origins,
        f"at most {percent_in_words(drift.false_alarms)} false alarms a run, if requests without drift come from one "
        "distribution: a daily or weekly cycle is drift too",
        f"drift of less than {drift.tolerance:.2g} standard deviations raises no alarm",
    )


def values_of(found: Monitor) -> str:
    """Return the time of the compared values in words; whole hours, or days of a range of long ago."""
    if found.values_since is None or found.values_until is None:
        return ""
    return f"{_minute(found.values_since)} to {_minute(found.values_until)} UTC"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
