"""The charts of validations: metrics over an endpoint's releases, with the thresholds of their gates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from jupyter_deploy.domain.charts import WIDTH, Chart, specification
from jupyter_deploy.domain.validation.chart import (
    Figure,
    described,
    figures,
    has_history,
    history_chart,
    history_described,
    validation_chart,
)
from jupyter_deploy.domain.validation.validation import Validation

MOST = 8
_LABELLED = 6
"""Most releases with a label, at their first point: evenly chosen, with the last one."""


def charts_of_validation(result: Validation) -> list[Chart]:
    """Return the charts that a notebook shows below a validation."""
    chart = validation_chart(result)
    return [] if chart is None else [chart]


def validation_charts(validations: Sequence[Validation]) -> list[Chart]:
    """Make one chart for each metric with two or more values; ``validations``: of one endpoint, newest first."""
    return [_chart(figure) for figure in _latest(validations) if has_history(figure)][:MOST]


def _latest(validations: Sequence[Validation]) -> Iterator[Figure]:
    """Yield the latest value of each metric; validations on traffic alone have none."""
    seen: set[tuple[str, str]] = set()
    for place, validation in enumerate(validations):
        if all((run.title, metric.name) in seen for run in validation.runs for metric in run.metrics):
            continue
        for figure in figures(validation, validations[place + 1 :]):
            key = (figure.run.title, figure.name)
            if key not in seen:
                seen.add(key)
                yield figure


def _chart(figure: Figure) -> Chart:
    drawn = history_chart(figure)
    axis = _releases(drawn["data"]["values"])
    for layer in drawn["layer"]:
        if "x" in layer["encoding"]:
            layer["encoding"]["x"] = layer["encoding"]["x"] | {"title": None, "axis": axis}
    gates = [f"{gate.expression}: {gate.verdict}" for gate in figure.gates]
    return specification(
        figure.name,
        [figure.run.title, *gates],
        f"{history_described(figure)}. Now: {described(figure)}",
        **drawn | {"width": WIDTH},
    )


def _releases(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = {point["release"]: point for point in reversed(points)}
    begins = sorted(point["place"] for point in first.values())
    shown = begins[:: -max(1, -(-len(begins) // _LABELLED))]
    names = {str(point["place"]): release for release, point in first.items() if point["place"] in shown}
    return {
        "values": shown[::-1],
        "labelExpr": f"{json.dumps(names)}[datum.value] || ''",
        "labelAngle": 0,
        "labelOverlap": "greedy",
        "labelLimit": 64,
        "grid": False,
        "ticks": True,
    }
