"""The chart of a choice among models: the score against the latency, with the cost as size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log
from typing import Any

from jupyter_deploy.domain.charts import COLOURS, Chart, specification
from jupyter_deploy.domain.model_search.search import ModelSearchResult
from jupyter_deploy.domain.model_selection.selection import CandidateModel, ModelSelection

_STATES = ("on the Pareto front", "dominated", "violates a constraint")
_WIDTH, _HEIGHT = 460, 260
_WIDE = 1.6
"""The least ratio of the ends of the axis of latency, so that models of one speed are not spread over it."""


_CHARACTER, _LINE, _GAP = 6.2, 14, 10
"""The width and the height of a label's characters, and its distance from the point, in pixels."""

_PLACES = ((True, -9), (True, 11), (False, -9), (False, 11), (True, -24), (True, 26), (False, -24), (False, 26))
"""Places of a label at its point: right of it, and the distance below it in pixels."""


def charts_of_selection(result: ModelSelection) -> list[Chart]:
    """Return the chart, in a list as a notebook shows it."""
    return [selection_chart(result)]


def charts_of_search(result: ModelSearchResult) -> list[Chart]:
    """Return the chart of a search's table."""
    return [selection_chart(result.table)]


def selection_chart(result: ModelSelection) -> Chart:
    """Draw each row as a point, with the score's interval and the range of the rounds' latencies."""
    values = [_point(row) for row in result.candidates]
    priced = result.core_hour is not None
    size_field, size_title = ("cost", "cost per million") if priced else ("memory", "memory MB")
    across, upward = _latencies(values), _scores(values)
    for value, place in zip(values, _places(values, across, upward), strict=True):
        value["place"] = place
    x = {
        "field": "latency",
        "type": "quantitative",
        "title": "median latency of one row in ms, log scale",
        "scale": {"type": "log", "domain": list(across), "nice": False},
        "axis": {"tickCount": 5, "format": "~g", "labelOverlap": "greedy", "grid": False},
    }
    y = {
        "field": "score",
        "type": "quantitative",
        "title": f"{result.metric} ({'greater' if result.greater_is_better else 'less'} is better)",
        "scale": {"zero": False, "domain": list(upward), "nice": False},
        "axis": {"tickCount": 5},
    }
    state = {
        "field": "state",
        "type": "nominal",
        "scale": {"domain": list(_STATES), "range": [COLOURS.candidate, COLOURS.stable, COLOURS.muted]},
        "legend": {"symbolType": "circle", "symbolSize": 90, "symbolStrokeWidth": 1, "columns": 3},
    }
    shape = state | {"scale": {"domain": list(_STATES), "range": ["circle", "diamond", "cross"]}}
    size = {"field": size_field, "type": "quantitative", "scale": {"zero": True, "range": [40, 420]}, "legend": None}
    columns = [
        ("model", "model"),
        ("score", result.metric),
        ("interval", "95 % interval"),
        ("latency", "p50 ms"),
        ("p99", "p99 ms"),
        ("memory", "memory MB"),
        *([("cost", "cost per million")] if priced else []),
        ("state", "state"),
    ]
    rule = {"type": "rule", "strokeWidth": 1.5, "opacity": 0.55}
    latencies = {"x": x | {"field": "latency_low"}, "x2": {"field": "latency_high"}, "y": y, "color": state}
    layers: list[dict[str, Any]] = [
        {"mark": rule, "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": state}},
        {"mark": rule, "encoding": latencies},
        {
            "mark": {"type": "point", "filled": True, "opacity": 0.9},
            "encoding": {
                "x": x,
                "y": y,
                "color": state,
                "shape": shape,
                "size": size,
                "tooltip": [{"field": field, "title": title} for field, title in columns],
            },
        },
        *(_labels(place, x, y) for place in sorted({value["place"] for value in values})),
    ]
    lines = [f"size: {size_title}; bars: 95 % interval of the score, range of the rounds' latency"]
    if result.constraints:
        lines.append(f"constraints: {', '.join(result.constraints)}")
    return specification(
        f"{result.metric} against latency",
        lines,
        _described(result),
        width=_WIDTH,
        height=_HEIGHT,
        data={"values": values},
        layer=layers,
    )


def _latencies(values: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the ends of the axis of latency, with a margin."""
    low = min(value["latency_low"] for value in values)
    high = max(value["latency_high"] for value in values)
    stretch = max(_WIDE / (high / low), 1.2) ** 0.5
    return low / stretch, high * stretch


def _scores(values: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the ends of the axis of the score, with a margin."""
    low, high = min(value["low"] for value in values), max(value["high"] for value in values)
    margin = 0.06 * (high - low) or max(abs(high), 1.0) * 0.05
    return low - margin, high + margin


def _labels(place: int, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    right, dy = _PLACES[place]
    mark = {"type": "text", "align": "left" if right else "right", "dx": _GAP if right else -_GAP, "dy": dy}
    return {
        "transform": [{"filter": f"datum.place === {place}"}],
        "mark": mark | {"fontSize": 11, "color": COLOURS.muted},
        "encoding": {"x": x, "y": y, "text": {"field": "model", "type": "nominal"}},
    }


def _places(
    values: Sequence[Mapping[str, Any]], across: tuple[float, float], upward: tuple[float, float]
) -> Iterator[int]:
    """Yield the place of each label at its point: the first of ``_PLACES`` in which it overlaps no earlier one."""
    taken: list[tuple[float, float, float]] = []
    for value in values:
        x = _WIDTH * log(value["latency"] / across[0]) / log(across[1] / across[0])
        y = _HEIGHT * (upward[1] - value["score"]) / (upward[1] - upward[0])
        width = _CHARACTER * len(value["model"])
        boxes = [(x + _GAP if right else x - _GAP - width, width, y + dy) for right, dy in _PLACES]
        free = [place for place, box in enumerate(boxes) if _is_free(box, taken)]
        place = free[0] if free else 0
        taken.append(boxes[place])
        yield place


def _is_free(box: tuple[float, float, float], taken: Sequence[tuple[float, float, float]]) -> bool:
    left, width, y = box
    inside = left >= 0 and left + width <= _WIDTH
    return inside and all(
        left > other + wide or left + width < other or abs(y - at) >= _LINE for other, wide, at in taken
    )


def _point(row: CandidateModel) -> dict[str, Any]:
    interval, latency = row.score.interval, row.performance.latency_p50_ms
    low, high = (interval.low, interval.high) if interval else (row.score.value, row.score.value)
    return {
        "model": row.label,
        "score": row.score.value,
        "low": low,
        "high": high,
        "interval": f"{low:.4g} to {high:.4g}" if interval else "none",
        "latency": latency.median,
        "latency_low": latency.low,
        "latency_high": latency.high,
        "p99": row.performance.latency_p99_ms.median,
        "memory": row.performance.memory_mb or 0.0,
        "cost": row.cost_per_million,
        "state": _STATES[2 if row.violated else 0 if row.on_front else 1],
    }


def _described(result: ModelSelection) -> str:
    points = (
        f"{row.label}: {row.score.value:.4g} at {row.performance.latency_p50_ms.median:.3g} ms"
        for row in result.candidates
    )
    return f"{result.metric} against the median latency. {'; '.join(points)}"
