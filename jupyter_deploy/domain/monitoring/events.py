"""Notifications of alarms and failed jobs, as CloudEvents (version 1.0, JSON). Pure.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. ``source`` and ``id`` identify an event: the
notifier sends each once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from jupyter_deploy.domain.drift.drift import Drift, DriftAlarm, QualityAlarm
from jupyter_deploy.domain.jobs import Job


def cloud_event(
    kind: str, source: str, number: str, at: datetime, data: Mapping[str, Any], *, subject: str | None = None
) -> dict[str, Any]:
    """Return an event.

    Parameters
    ----------
    kind
        The part of its type after ``nbdeploy.``, such as ``ramp.advanced``.
    source, number
        The endpoint's or the job's path below ``/nbdeploy``, and the id of the event there.
    """
    return {
        "specversion": "1.0",
        "id": number,
        "source": f"/nbdeploy/{source}",
        "type": f"nbdeploy.{kind}",
        **({"subject": subject} if subject else {}),
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": dict(data),
    }


def drift_events(drift: Drift) -> Iterator[dict[str, Any]]:
    """Yield an event for each drift alarm, oldest first, and for each quality alarm."""
    for alarm in reversed(drift.alarms):
        yield _drift_alarm(drift, alarm)
    yield from (_quality_alarm(drift, one) for one in drift.quality if one.shown)


def job_failed(job: Job) -> dict[str, Any]:
    """Return the event of a failed job: its title and the problem's words, without parameters and log."""
    problem = job.problem
    data = {
        "job": job.id,
        "verb": job.verb,
        "title": job.title,
        "endpoint": job.endpoint,
        "problem": problem.code if problem else "",
        "reason": (problem.detail or problem.title) if problem else "",
        "remedy": problem.remedy if problem else "",
    }
    return cloud_event(
        "job.failed", f"jobs/{job.id}", "failed", job.ended_at or job.created_at, data, subject=job.endpoint
    )


def in_words(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return an event for people: a line, and a text of its data."""
    data, kind = event["data"], str(event["type"]).removeprefix("nbdeploy.")
    what = data.get("endpoint") or data.get("title") or ""
    lines = [f"{name}: {_in_line(value)}" for name, value in data.items() if value not in (None, "", [])]
    title = f"nbdeploy: {kind.replace('.', ' ').replace('-', ' ')}{f' ({what})' if what else ''}"
    return title, "\n".join([*lines, f"time: {event['time']}", f"event: {event['source']} {event['id']}"])


def _in_line(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _drift_alarm(drift: Drift, alarm: DriftAlarm) -> dict[str, Any]:
    features = [feature.name for feature in alarm.features]
    data = {
        "endpoint": drift.endpoint,
        "release": drift.release,
        "reason": f"drift of {', '.join(features)} after {alarm.units} clusters",
        "features": features,
        "e_value": alarm.evidence,
        "since": min((feature.since for feature in alarm.features), default=alarm.ts).isoformat(),
        "request_id": alarm.request_id,
        "look": f"nbdeploy drift {drift.endpoint}",
    }
    number = f"drift-{drift.release}-{alarm.ts.isoformat()}"
    return cloud_event("drift.alarm", f"endpoints/{drift.endpoint}", number, alarm.ts, data, subject=drift.release)


def _quality_alarm(drift: Drift, alarm: QualityAlarm) -> dict[str, Any]:
    about = f"{alarm.feature}: {alarm.what}" if alarm.feature else alarm.what
    unit = "requests" if alarm.what == "refused" else "clusters"
    data = {
        "endpoint": drift.endpoint,
        "release": drift.release,
        "reason": f"{about}: {alarm.count}, {alarm.share:.1%} of the {unit}",
        "feature": alarm.feature,
        "what": alarm.what,
        "request_id": alarm.first_request,
        "look": f"nbdeploy drift {drift.endpoint}",
    }
    number = f"quality-{drift.release}-{alarm.feature}-{alarm.what}"
    return cloud_event("quality.alarm", f"endpoints/{drift.endpoint}", number, alarm.first, data, subject=drift.release)
