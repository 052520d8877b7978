"""A chart as a picture, for a front end that has no renderer of charts."""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.validation.reports.charts import draw

from .documents import DrawingView
from .requests import DrawingRequest

_INK = {False: ("#1f2328", "#59636e", "#d1d9e0"), True: ("#e6e6e6", "#b0b0b0", "#4d4d4d")}
"""Colours of text, of less important text and of lines: on a light and on a dark background."""


def drawing(request: DrawingRequest, _ports: Ports) -> DrawingView:
    """Draw a chart as SVG. Raises InvalidInput."""
    given = request.spec.get("config")
    config = _theme(dark=request.dark)
    for part, values in (given if isinstance(given, dict) else {}).items():
        both = isinstance(values, dict) and isinstance(config.get(part), dict)
        config[part] = {**config[part], **values} if both else values
    try:
        return DrawingView(svg=draw({**request.spec, "config": config, "background": None}))
    except ValueError as error:
        raise InvalidInput(f"the chart cannot be drawn: {error}", remedy="send a Vega-Lite specification") from None


def _theme(*, dark: bool) -> dict[str, Any]:
    ink, muted, line = _INK[dark]
    axis = {"labelColor": ink, "titleColor": muted, "gridColor": line, "domainColor": line, "tickColor": line}
    legend = {"labelColor": ink, "titleColor": muted}
    return {"font": "sans-serif", "view": {"stroke": None}, "axis": axis, "legend": legend, "header": legend,
            "title": {"color": ink}, "text": {"color": ink}}  # fmt: skip
