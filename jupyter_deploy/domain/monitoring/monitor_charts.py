"""All charts of a range of time, the same in JupyterLab, in a report and in a notebook. Pure."""

from __future__ import annotations

from datetime import timedelta

from jupyter_deploy.domain.charts import Chart

from .feature_charts import feature_chart, performance_chart
from .monitor import Monitor
from .traffic_charts import traffic_charts


def monitor_charts(monitor: Monitor) -> dict[str, Chart]:
    """Return charts by name.

    ``rate``, ``errors``, ``refused`` (if a request was refused) and ``latency``; if there are values, ``features`` and
    ``answers``; with ground truth ``performance``.
    """
    every = timedelta(seconds=monitor.every)
    charts = traffic_charts(
        monitor.traffic, since=monitor.since, until=monitor.until, every=every, markers=monitor.markers
    )
    if not monitor.refused:
        del charts["refused"]
    features = monitor.drift.features if monitor.drift else []
    answers = feature_chart("Answers", [feature for feature in features if feature.group == "answers"])
    inputs = feature_chart("Features", [feature for feature in features if feature.group == "inputs"])
    performance = performance_chart(monitor.performance, since=monitor.since, until=monitor.until)
    found = {"performance": performance, "answers": answers, "features": inputs}
    return charts | {name: chart for name, chart in found.items() if chart is not None}
