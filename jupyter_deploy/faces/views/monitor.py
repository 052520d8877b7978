"""An endpoint in a range of time: the Monitor's document, and the performance, which is read from the records."""

from __future__ import annotations

from jupyter_deploy.domain.base import duration_in_words
from jupyter_deploy.domain.monitoring.feature_charts import performance_chart
from jupyter_deploy.domain.monitoring.monitor import MonitorRequest
from jupyter_deploy.domain.monitoring.monitor_charts import monitor_charts
from jupyter_deploy.domain.monitoring.words import alarms_of, feature_of, reference_of, values_of
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.verbs.monitoring.monitor import monitored, performance_of

from .monitor_documents import MonitorView, PerformanceView


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
        features=tuple(feature_of(one) for one in drift.features) if drift else (),
        markers=tuple(found.markers),
        state=drift.state if drift else "none",
        reference=reference_of(drift) if drift else (),
        values=values_of(found),
        notes=tuple(found.notes),
    )


def performance(request: MonitorRequest, ports: Ports) -> PerformanceView:
    """Return the performance of the range's answers by their ground truth; its time grows with the records."""
    found = monitored(request, ports)
    periods = performance_of(found, ports)
    chart = performance_chart(periods, since=found.since, until=found.until)
    return PerformanceView(rows=sum(one.rows for one in periods), chart=chart)
