"""The charts of the performance: ground truth over time, of all rows and by segment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from jupyter_deploy.domain.charts import (
    HEIGHT,
    WIDTH,
    Chart,
    milliseconds,
    series_encoding,
    specification,
    time_axis,
)

from .confidence import LIMITS, ExpectedPeriod
from .performance import Performance, Period

MOST_SEGMENTS_DRAWN = 12


def performance_charts(found: Performance, other: Performance | None = None) -> dict[str, Chart]:
    """Return ``performance``, and ``segments`` if they are declared; empty: there is no ground truth.

    Parameters
    ----------
    other
        A second range; its spans are moved to the first's begin.
    """
    spans = [*found.spans, *(other.spans if other else [])]
    shares = not spans or any(one.accuracy is not None for one in spans)
    rows = _rows(found.of(""), shares, timedelta(0))
    if other:
        rows += _rows(other.of(""), shares, found.since - other.since, ", compared range")
    measured = bool(rows)
    if shares:
        rows += [_expected(one, timedelta(0)) for one in found.expected]
        if other:
            rows += [_expected(one, found.since - other.since, ", compared range") for one in other.expected]
    if not rows:
        return {}
    title = "Accuracy" if shares else "Mean absolute error"
    caption = [f"{'right answers among' if shares else 'of'} the rows with ground truth"] if measured else []
    bounds = ["upright lines: 95 % interval of each span, at every look"] if shares and measured else []
    if shares and (found.expected or (other and other.expected)):
        bounds.append(f"estimated: by the answers' own probabilities; {LIMITS}")
    if not measured:
        title = "Accuracy, estimated"
    layers = _layers(rows, shares, found.since, found.until)
    charts = {
        "performance": specification(
            title,
            [*caption, *bounds],
            f"{title} over time, {len(rows)} spans of time. The last one: {rows[-1]['value']:.3g}.",
            width=WIDTH,
            height=HEIGHT * 3 // 4,
            data={"values": rows},
            layer=layers,
        )
    }
    names = list(dict.fromkeys(one.segment for one in found.by_segment()))
    drawn = names[:MOST_SEGMENTS_DRAWN]
    divided = [row for name in drawn for row in _rows(found.of(name), shares, timedelta(0))]
    if not divided:
        return charts
    left = f", the {len(drawn)} largest of {len(names)}" if len(drawn) < len(names) else ""
    charts["segments"] = specification(
        f"{title} by segment",
        [f"{caption[0]}{left}", "all on one scale"],
        f"{title} over time by segment{left}: {', '.join(drawn)}.",
        data={"values": divided},
        facet={
            "field": "segment",
            "type": "nominal",
            "sort": drawn,
            "title": None,
            "header": {"labelAnchor": "start", "labelFontWeight": "bold", "labelLimit": 260},
        },
        columns=1,
        spec={"width": WIDTH, "height": 56, "layer": _layers(divided, shares, found.since, found.until)},
        spacing=10,
    )
    return charts


def _expected(one: ExpectedPeriod, moved: timedelta, of: str = "") -> dict[str, Any]:
    return {
        "start": milliseconds(one.start + moved),
        "release": f"{one.release.partition(':')[2]}{of}, estimated",
        "segment": "",
        "value": one.accuracy,
        "low": None,
        "high": None,
        "rows": one.rows,
    }


def _rows(periods: Sequence[Period], shares: bool, moved: timedelta, of: str = "") -> list[dict[str, Any]]:
    return [
        {
            "start": milliseconds(one.start + moved),
            "release": f"{one.release.partition(':')[2]}{of}",
            "segment": one.segment,
            "value": value,
            "low": one.low,
            "high": one.high,
            "rows": one.rows,
        }
        for one in periods
        if (value := one.accuracy if shares else one.error) is not None
    ]


def _layers(rows: Sequence[dict[str, Any]], shares: bool, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Draw a line and dots for each release, and of shares the intervals."""
    first, last = milliseconds(since), milliseconds(until)
    x = {
        "field": "start",
        "type": "temporal",
        "title": None,
        "axis": time_axis(first, last, 6),
        "scale": {"domain": [first, last], "nice": False},
    }
    form = ".1~%" if shares else ".3~g"
    y = {"type": "quantitative", "title": None, "scale": {"zero": False}, "axis": {"format": form, "tickCount": 4}}
    series = series_encoding("release", list(dict.fromkeys(str(row["release"]) for row in rows)))
    if series:  # intervals are pale, and the legend shows the first layer's marks
        series["color"] = series["color"] | {"legend": {"symbolOpacity": 1}}
    colour = {"color": series["color"]}
    tooltip = [
        {"field": "start", "type": "temporal", "title": "from", "format": "%Y-%m-%d %H:%M"},
        *({"field": name, "format": form} for name in ("value", "low", "high")),
        {"field": "release"},
        {"field": "rows", "format": ","},
    ]
    intervals: dict[str, Any] = {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.5},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, **colour, "tooltip": tooltip},
    }
    return [
        *([intervals] if shares else []),
        {"mark": {"type": "line"}, "encoding": {"x": x, "y": y | {"field": "value"}, **series, "tooltip": tooltip}},
        {
            "mark": {"type": "point", "filled": True, "size": 30, "opacity": 1},
            "encoding": {"x": x, "y": y | {"field": "value"}, **colour, "tooltip": tooltip},
        },
    ]
