"""An endpoint in a range of time: the Monitor's document, and the performance, which is read from the records."""

from __future__ import annotations

from jupyter_deploy.domain.base import duration_in_words
from jupyter_deploy.domain.monitoring.monitor import Monitor, MonitorRequest
from jupyter_deploy.domain.monitoring.monitor_charts import monitor_charts
from jupyter_deploy.domain.monitoring.performance_charts import performance_charts
from jupyter_deploy.domain.monitoring.words import (
    alarms_of,
    estimate_in_words,
    features_of,
    joint_of,
    left_out_in_words,
    range_figures,
    reference_of,
    segment_figures,
    values_of,
)
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.verbs.monitoring.monitor import monitored, performance_of

from .monitor_documents import ComparedRange, MonitorView, PerformanceView


def monitor(request: MonitorRequest, ports: Ports) -> MonitorView:
    """Return the figures of a range from the counts that the watches keep: no record is read but the newest."""
    found = monitored(request, ports)
    drift = found.drift
    return MonitorView(
        release=found.release,
        since=found.since,
        until=found.until,
        spans=duration_in_words(found.every),
        requests=found.requests,
        errors=found.errors,
        refused=found.refused,
        charts=monitor_charts(found),
        alarms=alarms_of(drift) if drift else (),
        features=tuple(features_of(found)),
        markers=tuple(found.markers),
        state=drift.state if drift else "none",
        reference=reference_of(drift) if drift else (),
        values=values_of(found),
        joint=joint_of(found),
        begun=found.begun,
        compared=_compared(found),
        notes=tuple(found.notes),
    )


def _compared(found: Monitor) -> ComparedRange | None:
    other = found.compared
    if other is None:
        return None
    figures = tuple(range_figures(found))
    return ComparedRange(since=other.since, until=other.until, values=values_of(other), figures=figures)


def performance(request: MonitorRequest, ports: Ports) -> PerformanceView:
    """Return the performance of the range's answers by their ground truth; its time grows with the records."""
    found = performance_of(request, ports)
    performance = found.performance
    if performance is None:
        return PerformanceView()
    other = found.compared.performance if found.compared else None
    charts = performance_charts(performance, other)
    return PerformanceView(
        rows=performance.rows,
        chart=charts.get("performance"),
        by_segment=charts.get("segments"),
        segments=tuple(segment_figures(performance, other)),
        declared=bool(performance.segments),
        left_out=left_out_in_words(performance),
        compared=other is not None,
        estimate=estimate_in_words(performance),
    )
