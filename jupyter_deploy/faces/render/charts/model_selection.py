"""The chart of a choice among models: the score against the latency, with the cost as size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot, log, sqrt
from typing import Any, Literal, NamedTuple

from jupyter_deploy.domain.charts import COLOURS, Chart, specification
from jupyter_deploy.domain.model_search.search import ModelSearchResult
from jupyter_deploy.domain.model_selection.selection import CandidateModel, ModelSelection

_STATES = ("on the Pareto front", "dominated", "violates a constraint")
_WIDTH, _FEW, _MANY = 560, 260, 380
"""The width, and the height with few rows and with many."""

_MOST_FEW = 8

_WIDE = 1.6
"""The least ratio of the ends of the axis of latency, so that models of one speed are not spread over it."""

_CHARACTER, _LINE, _GAP = 6.2, 14, 11
"""The width and the height of a label's characters, and its distance from the point, in pixels."""

_SIZES = (40, 320)
"""The least and the largest area of a point, in square pixels."""


class _Place(NamedTuple):
    """A place of a label at its point: its alignment, and the distance of its anchor from the point in pixels."""

    align: Literal["left", "right", "center"]
    dx: float
    dy: float

    def box(self, x: float, y: float, width: float) -> _Box:
        """Return the box of a label of this width at a point."""
        left = x + self.dx - width * {"left": 0.0, "center": 0.5, "right": 1.0}[self.align]
        return _Box(left, y + self.dy - _LINE / 2, width, _LINE)


_PLACES = (
    _Place("left", _GAP - 2, -10),
    _Place("left", _GAP - 2, 11),
    _Place("right", 2 - _GAP, -10),
    _Place("right", 2 - _GAP, 11),
    _Place("center", 0, -25),
    _Place("center", 0, 26),
    _Place("left", -_GAP, 19),
    _Place("left", -_GAP, -18),
    _Place("right", _GAP, 19),
    _Place("right", _GAP, -18),
    _Place("left", _GAP, 0),
    _Place("right", -_GAP, 0),
)
"""The places in their order; all are next to the point, so that a label belongs to no other one. The last ones are on
a bar."""

_NO_PLACE = -1

_CLEARLY = 1.2
"""How much farther a label's other points have to be than its own."""


class _Box(NamedTuple):
    left: float
    top: float
    width: float
    height: float

    def meets(self, other: _Box) -> bool:
        """Whether two boxes have an area in common."""
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )


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
    height = _FEW if len(values) <= _MOST_FEW else _MANY
    for value, place in zip(values, _places(values, size_field, (across, upward), height), strict=True):
        value["place"] = place
    # What counts most is drawn last, over the rest.
    values.sort(key=lambda value: _STATES.index(value["state"]), reverse=True)
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
        "legend": {"symbolSize": 90, "symbolStrokeWidth": 1, "symbolOpacity": 1, "columns": 3},
    }
    shape = state | {"scale": {"domain": list(_STATES), "range": ["circle", "diamond", "cross"]}}
    size = {"field": size_field, "type": "quantitative", "scale": {"zero": True, "range": list(_SIZES)}, "legend": None}
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
    rule = {"type": "rule", "strokeWidth": 1.2, "opacity": 0.4}
    latencies = {"x": x | {"field": "latency_low"}, "x2": {"field": "latency_high"}, "y": y, "color": state}
    layers: list[dict[str, Any]] = [
        {"mark": rule, "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": state}},
        {"mark": rule, "encoding": latencies},
        {
            "mark": {"type": "point", "filled": True, "opacity": 0.85},
            "encoding": {
                "x": x,
                "y": y,
                "color": state,
                "shape": shape,
                "size": size,
                "tooltip": [{"field": field, "title": title} for field, title in columns],
            },
        },
        *(_labels(place, x, y) for place in sorted({value["place"] for value in values} - {_NO_PLACE})),
    ]
    lines = [f"size: {size_title}; bars: 95 % interval of the score, range of the rounds' latency"]
    if hidden := sum(value["place"] == _NO_PLACE for value in values):
        lines.append(f"{hidden} of {len(values)} points have no room for their name: hover over them")
    if result.constraints:
        lines.append(f"constraints: {', '.join(result.constraints)}")
    return specification(
        f"{result.metric} against latency",
        lines,
        _described(result),
        width=_WIDTH,
        height=height,
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
    align, dx, dy = _PLACES[place]
    mark = {"type": "text", "align": align, "baseline": "middle", "dx": dx, "dy": dy}
    return {
        "transform": [{"filter": f"datum.place === {place}"}],
        "mark": mark | {"fontSize": 11, "color": COLOURS.muted},
        "encoding": {"x": x, "y": y, "text": {"field": "model", "type": "nominal"}},
    }


def _places(
    values: Sequence[Mapping[str, Any]],
    size_field: str,
    ends: tuple[tuple[float, float], tuple[float, float]],
    height: int,
) -> list[int]:
    """Return the place of each label: the first one in which it meets no point and no other label.

    Rows of the Pareto front come first, and each has a label; then those that meet the constraints, then the rest.
    """
    (low, high), (least, most) = ends
    largest = max(value[size_field] or 0.0 for value in values) or 1.0
    points = []
    for value in values:
        x = _WIDTH * log(value["latency"] / low) / log(high / low)
        y = height * (most - value["score"]) / (most - least)
        area = _SIZES[0] + (_SIZES[1] - _SIZES[0]) * (value[size_field] or 0.0) / largest
        points.append((x, y, sqrt(area) / 2))
    taken = [_Box(x - radius, y - radius, 2 * radius, 2 * radius) for x, y, radius in points]
    places = [_NO_PLACE] * len(values)
    for number in sorted(range(len(values)), key=lambda one: _STATES.index(values[one]["state"])):
        x, y, _ = points[number]
        width = _CHARACTER * len(values[number]["model"])
        boxes = [place.box(x, y, width) for place in _PLACES]
        others = [box for which, box in enumerate(taken) if which != number]
        inside = [at for at, box in enumerate(boxes) if box.left >= 0 and box.left + width <= _WIDTH]
        near = [point for which, point in enumerate(points) if which != number]
        met = {
            at: sum(boxes[at].meets(other) for other in others) + _is_ambiguous(_PLACES[at], x, y, near)
            for at in inside or range(len(boxes))
        }
        best = min(met, key=met.__getitem__)
        if met[best] == 0 or values[number]["state"] == _STATES[0]:
            places[number] = best
            taken.append(boxes[best])
    return places


def _is_ambiguous(place: _Place, x: float, y: float, others: Sequence[tuple[float, float, float]]) -> bool:
    """Whether a label begins about as near to another point as to its own; points that coincide are one."""
    own = _CLEARLY * hypot(place.dx, place.dy)
    return any(
        hypot(x - left, y - top) > 0.5 and hypot(x + place.dx - left, y + place.dy - top) < own
        for left, top, _ in others
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
