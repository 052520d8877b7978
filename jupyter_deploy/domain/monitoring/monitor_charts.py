"""All charts of a range of time, the same in JupyterLab, in a report and in a notebook. Pure."""

from __future__ import annotations

from datetime import timedelta

from jupyter_deploy.domain.charts import Chart

from .feature_charts import feature_chart
from .joint_chart import joint_chart
from .monitor import Monitor
from .performance_charts import performance_charts
from .traffic_charts import traffic_charts
from .words import compared_features, range_of

THIS, COMPARED = "this range", "compared range"


def monitor_charts(monitor: Monitor) -> dict[str, Chart]:
    """Return charts by name.

    ``rate``, ``errors``, ``refused`` (if a request was refused) and ``latency``; if there are values, ``features`` and
    ``answers``; of two days or more ``joint``; with ground truth ``performance``, and ``segments`` if they are
    declared.
    """
    every = timedelta(seconds=monitor.every)
    if monitor.compared is None:
        charts = traffic_charts(
            monitor.traffic, since=monitor.since, until=monitor.until, every=every, markers=monitor.markers
        )
    else:
        charts = _both(monitor, monitor.compared, every)
    if not monitor.refused and not (monitor.compared and monitor.compared.refused):
        del charts["refused"]
    features, others = monitor.drift.features if monitor.drift else [], compared_features(monitor)
    joint = joint_chart(monitor.joint)
    answers = feature_chart("Answers", [feature for feature in features if feature.group == "answers"], others)
    inputs = feature_chart("Features", [feature for feature in features if feature.group == "inputs"], others)
    other = monitor.compared.performance if monitor.compared else None
    performance = performance_charts(monitor.performance, other) if monitor.performance else {}
    found = {"joint": joint, "answers": answers, "features": inputs}
    return charts | performance | {name: chart for name, chart in found.items() if chart is not None}


def _both(monitor: Monitor, other: Monitor, every: timedelta) -> dict[str, Chart]:
    """Draw the requests of clients in both ranges on the same axes; the second range is moved to the first's begin."""
    moved = monitor.since - other.since
    spans = [span.model_copy(update={"role": THIS}) for span in monitor.clients]
    spans += [span.model_copy(update={"role": COMPARED, "start": span.start + moved}) for span in other.clients]
    charts = traffic_charts(
        spans,
        since=monitor.since,
        until=monitor.until,
        every=every,
        markers=monitor.markers,
        ends={COMPARED: other.until + moved},
    )
    return {name: _captioned(chart, f"dashed: {range_of(other)}") for name, chart in charts.items()}


def _captioned(chart: Chart, caption: str) -> Chart:
    title = chart["title"]
    known = [title["subtitle"]] if isinstance(title["subtitle"], str) else title["subtitle"]
    return chart | {
        "title": title | {"subtitle": [*known, caption]},
        "description": f"{chart['description']} {caption}.",
    }
