"""An endpoint in a range of time as one HTML file without scripts, and as a notebook that draws the figures anew."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.charts import MIME, Chart
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.monitoring.monitor import Monitor
from jupyter_deploy.domain.monitoring.monitor_charts import monitor_charts
from jupyter_deploy.domain.monitoring.words import (
    MonitorAlarm,
    alarms_of,
    estimate_in_words,
    features_of,
    joint_of,
    left_out_in_words,
    range_figures,
    range_of,
    reference_of,
    segment_figures,
    values_of,
)
from jupyter_deploy.system.home import write_atomic

from . import OF_THE_USER
from .charts import PAGE_CONFIG, as_picture, draw
from .page import markup, version

_WIDTH = 480
_AXIS = 70
_COMPARED = ("joint", "answers", "features")
_MOST_FEATURES = 50


class MonitorFiles:
    """The MonitorReports port."""

    def write(self, monitor: Monitor, page: Path, notebook: Path | None) -> None:
        """See the port."""
        _write(page, render(monitor))
        if notebook is not None:
            _write(notebook, notebook_of(monitor))


def render(monitor: Monitor) -> str:
    """Render the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    template = Environment(
        loader=PackageLoader("jupyter_deploy.validation.reports", "."), autoescape=True, undefined=StrictUndefined
    ).get_template("monitor.html.j2")
    drift, second = monitor.drift, monitor.compared
    alarms = alarms_of(drift) if drift else ()
    charts = monitor_charts(monitor)
    return template.render(
        m=monitor,
        headline=f"{len(alarms)} alarm{'s' * (len(alarms) != 1)}" if alarms else "no alarm",
        range=range_of(monitor),
        second=range_of(second) if second else "",
        figures=range_figures(monitor),
        estimate=estimate_in_words(monitor.performance) if monitor.performance else "",
        segments=segment_figures(monitor.performance, second.performance if second else None)
        if monitor.performance
        else [],
        left_out=left_out_in_words(monitor.performance) if monitor.performance else "",
        facts=_facts(monitor),
        notes=monitor.notes,
        alarms=alarms,
        commands=lambda alarm: _logs(monitor.endpoint, alarm),
        traffic=[_drawn(chart) for name, chart in charts.items() if name not in _COMPARED],
        compared=[_drawn(chart) for name, chart in charts.items() if name in _COMPARED],
        features=features_of(monitor)[:_MOST_FEATURES],
        values=values_of(monitor),
        joint=joint_of(monitor),
        reference=reference_of(drift) if drift else (),
        style=markup(resources.files(__package__).joinpath("report.css").read_text("utf-8")),
        version=version(),
    )


def notebook_of(monitor: Monitor) -> str:
    """Return a notebook whose cell writes the report of the range up to its run, and shows its figures."""
    length = monitor.until - monitor.since
    since = f"{max(round(length.total_seconds() / 3600), 1)}h"
    markdown = f"# {monitor.endpoint}\nRequests, latencies, answers, drift and alarms. `since` is the range's begin."
    code = f"from jupyter_deploy import report\n\nreport({monitor.endpoint!r}, since={since!r})"
    cells: list[dict[str, Any]] = [
        {"id": "about", "cell_type": "markdown", "metadata": {}, "source": markdown},
        {"id": "report", "cell_type": "code", "metadata": {}, "source": code, "execution_count": None, "outputs": []},
    ]
    cells[1]["outputs"] = [
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {MIME: chart, "text/plain": str(chart["description"])},
        }
        for chart in monitor_charts(monitor).values()
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}, indent=1
    )


def _drawn(chart: Chart) -> dict[str, Any]:
    """Draw a chart; its title and its caption are text of the page."""
    title, own = chart["title"], {name: part for name, part in chart.items() if name != "title"}
    config = {**own["config"]}
    for part, colours in PAGE_CONFIG.items():
        config[part] = {**config.get(part, {}), **colours} if isinstance(colours, dict) else colours
    own["config"] = config
    if "spec" in own:
        own["spec"] = {**own["spec"], "width": _WIDTH - _AXIS}
    elif "vconcat" in own:
        own["vconcat"] = [{**part, "width": _WIDTH - _AXIS} for part in own["vconcat"]]
    else:
        own |= {"width": _WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}
    subtitle = title["subtitle"]
    return {
        "title": title["text"],
        "caption": subtitle if isinstance(subtitle, str) else " ".join(subtitle),
        "svg": markup(as_picture(draw({**own, "background": None}), chart["description"])),
    }


def _facts(monitor: Monitor) -> list[tuple[str, str]]:
    def of_all(count: int) -> str:
        return f"{count:,}{f' ({100 * count / monitor.requests:.3g} %)' if count else ''}"

    facts = [("requests", f"{monitor.requests:,}"), ("failed", of_all(monitor.errors))]
    return [*facts, ("refused", of_all(monitor.refused))]


def _logs(endpoint: str, alarm: MonitorAlarm) -> str:
    until = f" --until {alarm.until.isoformat()}" if alarm.until else ""
    return f"nbdeploy logs {endpoint} --since {alarm.since.isoformat()}{until} --export rows.ipynb"


def _write(path: Path, text: str) -> None:
    try:
        write_atomic(path, text, OF_THE_USER)
    except OSError as error:
        remedy = "name a file in a folder that exists and is writable"
        raise InvalidInput(f"{path} cannot be written: {error.strerror}", remedy) from error
