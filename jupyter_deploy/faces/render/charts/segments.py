"""Forest plots of a comparison's segments: one figure a segment, with its confidence sequence."""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.charts import COLOURS, WIDTH, Chart, specification
from jupyter_deploy.domain.evidence.estimate import Estimate
from jupyter_deploy.domain.evidence.segment_figures import SegmentFigure, SegmentsFigure
from jupyter_deploy.domain.evidence.verdict import AGREEMENT

_STEP = 34
_STATES = {"not named": "", "differs": "◆", "worse": "▲"}
_FIGURES = (
    ("agreement", "Agreement by segment", AGREEMENT, "dashed: 99 %, which is to be shown"),
    ("error_difference", "Errors by segment, candidate − stable", 0.0, "dashed: no difference"),
    ("accuracy_difference", "Accuracy by segment, candidate − stable", 0.0, "dashed: no difference"),
)


def segment_charts(figures: SegmentsFigure | None) -> dict[str, Chart]:
    """Return a chart ``segments <figure>`` for each figure that some segment has; errors only without an agreement."""
    if figures is None:
        return {}
    charts = {}
    for name, title, reference, words in _FIGURES:
        rows = [(one, found) for one in figures.segments if (found := getattr(one, name)) is not None]
        if rows and not (name == "error_difference" and "segments agreement" in charts):
            charts[f"segments {name}"] = _forest(title, reference, words, rows)
    return charts


def _forest(title: str, reference: float, words: str, found: list[tuple[SegmentFigure, Estimate]]) -> Chart:
    rows = [_row(segment, figure) for segment, figure in found]
    ends = [reference, *(row[end] for row in rows for end in ("low", "high"))]
    edge = (max(ends) - min(ends)) * 0.04 or 0.01
    scale = {"domain": [min(ends) - edge, max(ends) + edge], "nice": False, "zero": False}
    x: dict[str, Any] = {"type": "quantitative", "title": "share, with 95 % interval (at every look)", "scale": scale}
    x["axis"] = {"format": ".3~p", "tickCount": 4, "labelOverlap": "greedy"}
    # The label is above its interval, so a narrow chart has room for both.
    label = {"labelAlign": "left", "labelPadding": -4, "labelOffset": -9, "domain": False, "ticks": False}
    y = {"field": "segment", "type": "nominal", "sort": None, "title": None, "axis": label}
    marks = {"field": "named", "type": "nominal", "legend": {"symbolSize": 90, "symbolStrokeWidth": 0}}
    colour = marks | {"scale": {"domain": list(_STATES), "range": [COLOURS.stable, COLOURS.candidate, COLOURS.gate]}}
    shape = marks | {"scale": {"domain": list(_STATES), "range": ["circle", "diamond", "triangle-up"]}}
    formats = {"value": ".3~p", "low": ".3~p", "high": ".3~p", "rows": ",", "clusters": ","}
    tooltip = [{"field": "segment"}, *({"field": name, "format": form} for name, form in formats.items())]
    named = [row["segment"] for row in rows if _STATES[row["named"]]]
    return specification(
        title,
        [words, "each interval holds alone; named: ◆ differs, ▲ worse"],
        f"{title}, {len(rows)} segments. Named: {', '.join(named) or 'none'}.",
        width=WIDTH,
        height={"step": _STEP},
        data={"values": rows},
        layer=[
            {
                "mark": {"type": "rule", "color": COLOURS.muted, "strokeDash": [4, 3], "strokeWidth": 1.5},
                "encoding": {"x": x | {"datum": reference}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2.5, "yOffset": 8},
                "encoding": {
                    "y": y, "x": x | {"field": "low"}, "x2": {"field": "high"}, "color": colour, "tooltip": tooltip,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "yOffset": 8},
                "encoding": {"y": y, "x": x | {"field": "value"}, "color": colour, "shape": shape, "tooltip": tooltip},
            },
        ],
    )  # fmt: skip


def _row(segment: SegmentFigure, figure: Estimate) -> dict[str, Any]:
    state = next((name for name in ("worse", "differs") if name in segment.named), "not named")
    mark = f"  {_STATES[state]} {state}" if _STATES[state] else ""
    return {
        "segment": f"{segment.column} = {segment.value}{mark}",
        "value": figure.value,
        "low": figure.interval.low,
        "high": figure.interval.high,
        "rows": segment.rows,
        "clusters": segment.clusters,
        "named": state,
    }
