"""The charts that a notebook shows below a report."""

from __future__ import annotations

from jupyter_deploy.domain.charts import Chart
from jupyter_deploy.domain.monitoring.monitor import MonitorReport
from jupyter_deploy.domain.monitoring.monitor_charts import monitor_charts


def charts_of_report(result: MonitorReport) -> list[Chart]:
    """Return the charts of the report's range."""
    return [*monitor_charts(result.monitor).values()]
