"""A validation's metrics as Vega-Lite specifications: JupyterLab draws them, the report turns them into SVG. Pure.

Two pictures a metric: the candidate and stable with their intervals, and the history over the last validations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import PurePath
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.gates.parser import parse_gate

from .summary import URGENCY
from .validation import GateResult, Metric, Run, Validation

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
ALL_ROWS = "all rows"
_SHOWN = 8


@dataclass(frozen=True)
class Colours:
    """Colours of the sides and of a gate's threshold, in any notation of CSS."""

    candidate: str = "#c2570c"
    stable: str = "#4a86c8"
    gate: str = "#b42318"
    muted: str = "#8a8f98"


@dataclass(frozen=True)
class Part:
    """One row of a figure's picture: all rows, or a subgroup; ``thresholds`` are those of its gates."""

    name: str
    metric: Metric
    interval: Interval | None
    stable: Metric | None
    stable_interval: Interval | None
    thresholds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Past:
    """The metric of all rows in one validation, with its release; ``now``: in this validation."""

    when: str
    value: float
    interval: Interval | None
    now: bool = False
    release: str = ""


@dataclass(frozen=True)
class Figure:
    """A metric of one run, with its subgroups, its gates and its history (oldest first, this validation last)."""

    name: str
    run: Run
    parts: tuple[Part, ...]
    gates: tuple[GateResult, ...] = ()
    history: tuple[Past, ...] = field(default=(), repr=False)

    @property
    def urgency(self) -> int:
        """Less is more urgent: a gate fails, is undecided, holds, there is none."""
        return min((URGENCY[gate.verdict] for gate in self.gates), default=3)


def figures(validation: Validation, history: Iterable[Validation] = ()) -> list[Figure]:
    """Every metric of every run, those whose gates do not hold first, else in the notebooks' order.

    ``history``: earlier validations in any order; those of another model or endpoint, and this one, are left out.
    """
    past = sorted((one for one in history if _comparable(one, validation)), key=lambda one: one.at)
    all_figures = [figure for run in validation.runs for figure in _of_run(run, validation, past)]
    return sorted(all_figures, key=lambda figure: figure.urgency)


def sides_chart(figure: Figure, colours: Colours | None = None) -> dict[str, Any]:
    """The candidate and stable, each with its interval, one row a subgroup; a tick where a gate's threshold is."""
    colours = colours or Colours()
    rows = [row for part in figure.parts for row in _side_rows(part)]
    ticks = [{"part": part.name, "value": at, "side": "gate"} for part in figure.parts for at in part.thresholds]
    names = [part.name for part in figure.parts]
    y: dict[str, Any] = {
        "field": "part",
        "type": "nominal",
        "sort": names,
        "title": None,
        "axis": {"labelLimit": 120, "domain": False, "ticks": False, "labels": names != [ALL_ROWS]},
    }
    x = {
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False, "nice": True, "padding": 12},
        "axis": {"tickCount": 4, "labelOverlap": True, "format": ".6~g"},
    }
    side = {
        "field": "side",
        "type": "nominal",
        "scale": {"domain": ["candidate", "stable"], "range": [colours.candidate, colours.stable]},
        "legend": None,
    }
    offset = {"field": "side", "sort": ["candidate", "stable"]}
    tooltip = [{"field": name} for name in ("part", "side", "value", "low", "high", "n")]
    both = {"y": y, "yOffset": offset, "color": side, "tooltip": tooltip}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "strokeWidth": 2.5},
            "encoding": both | {"x": x | {"field": "low"}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
            "encoding": both
            | {
                "x": x | {"field": "value"},
                "shape": side | {"scale": {"domain": ["candidate", "stable"], "range": ["circle", "diamond"]}},
            },
        },
    ]
    if ticks:
        layers.append(
            {
                "data": {"values": ticks},
                "mark": {"type": "tick", "color": colours.gate, "thickness": 2, "size": 30, "opacity": 1},
                "encoding": {"y": y, "x": x | {"field": "value"}, "tooltip": [{"field": "value"}]},
            }
        )
    return {"width": 320, "height": {"step": 20}, "data": {"values": rows}, "layer": layers}


def history_chart(figure: Figure, colours: Colours | None = None) -> dict[str, Any]:
    """The metric over the last validations, evenly spaced, with intervals; the thresholds of today's gates as rules."""
    colours = colours or Colours()
    points = [
        {
            "place": place,
            "when": past.when,
            "release": past.release,
            "value": past.value,
            "low": past.interval.low if past.interval else past.value,
            "high": past.interval.high if past.interval else past.value,
            "now": past.now,
        }
        for place, past in enumerate(figure.history)
        if math.isfinite(past.value)
    ]
    whole = next((part for part in figure.parts if part.name == ALL_ROWS), None)
    first, last = (points[0]["when"], points[-1]["when"]) if points else ("", "")
    x = {
        "field": "place",
        "type": "quantitative",
        "title": f"{len(points)} validations, {first} – {last}",
        "scale": {"nice": False, "zero": False, "padding": 8},
        "axis": {"labels": False, "ticks": False, "grid": False},
    }
    y = {
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False},
        "axis": {"tickCount": 3, "format": ".6~g"},
    }
    tooltip = [{"field": name} for name in ("when", "release", "value", "low", "high")]
    line = {"x": x, "y": y | {"field": "value"}, "tooltip": tooltip}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "color": colours.candidate, "opacity": 0.45, "strokeWidth": 2},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "tooltip": tooltip},
        },
        {"mark": {"type": "line", "color": colours.candidate, "strokeWidth": 1.5}, "encoding": line},
        {
            "mark": {"type": "point", "filled": True, "color": colours.candidate, "opacity": 1},
            "encoding": line
            | {"size": {"field": "now", "type": "nominal", "legend": None, "scale": {"range": [22, 80]}}},
        },
    ]
    if whole is not None and whole.thresholds:
        rules = [{"value": at} for at in whole.thresholds]
        layers.append(
            {
                "data": {"values": rules},
                "mark": {"type": "rule", "color": colours.gate, "strokeDash": [5, 3], "strokeWidth": 1.5},
                "encoding": {"y": y | {"field": "value"}},
            }
        )
    return {"width": 320, "height": 90, "data": {"values": points}, "layer": layers}


def has_history(figure: Figure) -> bool:
    """Whether there is more than this validation to draw."""
    return sum(math.isfinite(past.value) for past in figure.history) > 1


def validation_chart(validation: Validation, history: Iterable[Validation] = ()) -> dict[str, Any] | None:
    """The most urgent metrics below each other, for a front end that draws Vega-Lite; None: nothing to draw."""
    rows = [
        {
            "title": {"text": figure.name, "anchor": "start", "subtitle": PurePath(figure.run.notebook).name},
            "hconcat": pictures,
        }
        for figure in figures(validation, history)[:_SHOWN]
        if (pictures := _pictures(figure))
    ]
    if not rows:
        return None
    key = "circle: candidate · diamond: stable · upright line: gate"
    return {
        "$schema": SCHEMA,
        "title": {"text": validation.snapshot or "validation", "subtitle": key, "anchor": "start"},
        "vconcat": rows,
        "config": {"view": {"stroke": None}},
    }


def has_sides(figure: Figure) -> bool:
    """Whether there is more to draw than one number."""
    parts = [part for part in figure.parts if math.isfinite(part.metric.value)]
    return len(parts) > 1 or any(part.interval or part.stable or part.thresholds for part in parts)


def _pictures(figure: Figure) -> list[dict[str, Any]]:
    return [chart(figure) for chart, has in ((sides_chart, has_sides), (history_chart, has_history)) if has(figure)]


def described(figure: Figure) -> str:
    """What the pictures show, in words: their text alternative."""
    words = []
    for part in figure.parts:
        sentence = f"{part.name}: candidate {number(part.metric.value)}{_within(part.interval)}"
        if part.stable is not None:
            sentence += f", stable {number(part.stable.value)}{_within(part.stable_interval)}"
        if part.thresholds:
            sentence += f", gate at {' and '.join(map(number, part.thresholds))}"
        words.append(sentence)
    return f"{figure.name}. {'; '.join(words)}"


def history_described(figure: Figure) -> str:
    """What the picture of the history shows, in words."""
    values = [past.value for past in figure.history if math.isfinite(past.value)]
    low, high = number(min(values)), number(max(values))
    return (
        f"{figure.name} over {len(values)} validations: first {number(values[0])}, last {number(values[-1])}, "
        f"between {low} and {high}"
    )


def number(value: float | None) -> str:
    """A figure as people read it: four digits that count, and all that stand before the point."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def _within(interval: Interval | None) -> str:
    return f" [{number(interval.low)}, {number(interval.high)}]" if interval else ""


def _comparable(one: Validation, this: Validation) -> bool:
    if one.id == this.id or one.at > this.at or one.endpoint != this.endpoint:
        return False
    return this.endpoint is not None or _model(one) == _model(this)


def _model(validation: Validation) -> str:
    return (validation.snapshot or "").rpartition(":")[0]


def _of_run(run: Run, validation: Validation, past: Sequence[Validation]) -> Iterable[Figure]:
    gates = [(parsed, gate) for gate in run.gates if (parsed := _parsed(gate))]
    earlier = [(one, again) for one in past for again in one.runs if _same(again, run)]
    ordered = sorted(run.metrics, key=lambda metric: metric.name)  # groupby needs it; the order below is the notebook's
    by_name = {name: list(metrics) for name, metrics in groupby(ordered, key=lambda metric: metric.name)}
    for name in dict.fromkeys(metric.name for metric in run.metrics):
        metrics = sorted(by_name[name], key=lambda metric: bool(metric.group))
        history = [
            _past(one, metric, again.gates)
            for one, again in earlier
            if (metric := _of_all_rows(again.metrics, name)) is not None
        ]
        now = _of_all_rows(run.metrics, name)
        if now is not None:
            history.append(replace(_past(validation, now, run.gates), now=True))
        yield Figure(
            name=name,
            run=run,
            parts=tuple(_part(metric, run) for metric in metrics),
            gates=tuple(gate for parsed, gate in gates if parsed[0] == name),
            history=tuple(history),
        )


def _past(validation: Validation, metric: Metric, gates: Iterable[GateResult]) -> Past:
    release = (validation.snapshot or "").rpartition(":")[2][:8]
    return Past(f"{validation.at:%d %b %H:%M}", metric.value, interval_of(metric, gates), release=release)


def _same(one: Run, other: Run) -> bool:
    return PurePath(one.notebook).name == PurePath(other.notebook).name and one.parameters == other.parameters


def _of_all_rows(metrics: Iterable[Metric], name: str) -> Metric | None:
    return next((metric for metric in metrics if metric.name == name and not metric.group), None)


def _part(metric: Metric, run: Run) -> Part:
    stable = next((m for m in run.stable_metrics if m.name == metric.name and m.group == metric.group), None)
    thresholds = [
        gate.threshold
        for gate in run.gates
        if gate.threshold is not None and math.isfinite(gate.threshold) and _parsed(gate) == _key(metric)
    ]
    return Part(
        name=", ".join(f"{key}={value}" for key, value in metric.group.items()) or ALL_ROWS,
        metric=metric,
        interval=interval_of(metric, run.gates),
        stable=stable,
        stable_interval=stable.interval if stable else None,
        thresholds=tuple(dict.fromkeys(thresholds)),
    )


def interval_of(metric: Metric, gates: Iterable[GateResult]) -> Interval | None:
    """Return the metric's own interval, else that of a gate on it."""
    if metric.interval is not None:
        return metric.interval
    return next((gate.interval for gate in gates if gate.interval is not None and _parsed(gate) == _key(metric)), None)


def _key(metric: Metric) -> tuple[str, tuple[tuple[str, str], ...]]:
    return metric.name, tuple(sorted(metric.group.items()))


def _parsed(result: GateResult) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Which metric, of which subgroup, a gate is about; None: its text is no gate."""
    try:
        gate = parse_gate(result.expression)
    except InvalidInput:
        return None
    return gate.metric, tuple(sorted(gate.group.items()))


def _side_rows(part: Part) -> list[dict[str, Any]]:
    sides = [("candidate", part.metric, part.interval), ("stable", part.stable, part.stable_interval)]
    return [
        {
            "part": part.name,
            "side": side,
            "value": metric.value,
            "low": interval.low if interval else metric.value,
            "high": interval.high if interval else metric.value,
            "n": metric.n,
        }
        for side, metric, interval in sides
        if metric is not None and math.isfinite(metric.value)
    ]
