"""The charts of features and of the performance: the reference against a range, and ground truth over time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyter_deploy.domain.charts import (
    COLOURS,
    HEIGHT,
    WIDTH,
    Chart,
    milliseconds,
    series_encoding,
    specification,
    time_axis,
)
from jupyter_deploy.domain.drift.drift import FeatureDrift
from jupyter_deploy.domain.drift.words import moved_in_words

from .performance import Period

MOST_DRAWN = 12
_SIDES = ("reference", "now")
_BAND, _INNER = 0.92, 0.42
_LABEL = 26
_VISIBLE = 0.002
"""The least share of a bin that is drawn."""


def feature_chart(title: str, features: Sequence[FeatureDrift]) -> Chart | None:
    """Draw the first ``MOST_DRAWN`` features below each other, each on a scale of its own; None: none has values.

    The reference is a wide, pale bar, the range a narrow, dark one within it.
    """
    drawn = [feature for feature in features if feature.clusters][:MOST_DRAWN]
    if not drawn:
        return None
    names = [f"{feature.name}{'  ▲ alarm' if feature.alarms else ''}" for feature in drawn]
    rows = [
        {"feature": name, "bin": label[:_LABEL], "order": place, "reference": before, "now": after}
        for name, feature in zip(names, drawn, strict=True)
        for place, (label, before, after) in enumerate(zip(feature.bins, feature.reference, feature.now, strict=True))
        if max(before, after) >= _VISIBLE
    ]
    words = "; ".join(f"{feature.name}: {moved_in_words(feature, feature.now)}" for feature in drawn)
    left = f", the first {len(drawn)} of {len(features)}" if len(drawn) < len(features) else ""
    x = {
        "field": "bin",
        "type": "nominal",
        "sort": {"field": "order"},
        "title": None,
        "axis": {"labelAngle": 0, "labelOverlap": "greedy", "labelLimit": 90, "ticks": False, "labelFontSize": 9},
    }
    y: dict[str, Any] = {
        "type": "quantitative",
        "title": None,
        "scale": {"domainMin": 0},
        "axis": {"format": ".0%", "tickCount": 2},
    }
    tooltip = [
        {"field": "feature"},
        {"field": "bin"},
        {"field": "reference", "format": ".2~%"},
        {"field": "now", "format": ".2~%"},
    ]
    scale = {"domain": list(_SIDES), "range": [COLOURS.stable, COLOURS.candidate]}
    legend = {"symbolType": "square", "symbolSize": 120, "symbolStrokeWidth": 0, "symbolOpacity": 0.9}

    def bars(side: str, band: float, opacity: float) -> dict[str, Any]:
        return {
            "mark": {"type": "bar", "width": {"band": band}, "opacity": opacity},
            "encoding": {
                "x": x,
                "y": y | {"field": side},
                "color": {"datum": side, "type": "nominal", "scale": scale, "legend": legend},
                "tooltip": tooltip,
            },
        }

    return specification(
        title,
        [f"share of the clusters in each bin{left}", "pale and wide: the reference; dark and narrow: this range"],
        f"{title}{left}, reference against this range. {words}.",
        data={"values": rows},
        facet={
            "field": "feature",
            "type": "nominal",
            "sort": names,
            "title": None,
            "header": {"labelAnchor": "start", "labelFontWeight": "bold", "labelLimit": 260},
        },
        columns=1,
        spec={"width": WIDTH, "height": 56, "layer": [bars("reference", _BAND, 0.38), bars("now", _INNER, 1)]},
        resolve={"scale": {"x": "independent", "y": "independent"}},
        spacing=10,
    )


def performance_chart(periods: Sequence[Period], *, since: datetime, until: datetime) -> Chart | None:
    """Draw the accuracy, or else the mean absolute error, of each release over time; None: no ground truth."""
    shares = any(one.accuracy is not None for one in periods)
    rows = [
        {
            "start": milliseconds(one.start),
            "release": one.release.partition(":")[2],
            "value": one.accuracy if shares else one.error,
            "low": one.low,
            "high": one.high,
            "rows": one.rows,
        }
        for one in periods
        if (one.accuracy if shares else one.error) is not None
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(str(row["release"]) for row in rows))
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
    series = series_encoding("release", names)
    colour = {"color": series["color"]}
    tooltip = [
        {"field": "start", "type": "temporal", "title": "from", "format": "%Y-%m-%d %H:%M"},
        *({"field": name, "format": form} for name in ("value", "low", "high")),
        {"field": "release"},
        {"field": "rows", "format": ","},
    ]
    title = "Accuracy" if shares else "Mean absolute error"
    caption = f"{'right answers among' if shares else 'of'} the rows with ground truth"
    bounds = ["upright lines: 95 % interval of each span, at every look"] if shares else []
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.5},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, **colour, "tooltip": tooltip},
        },
        {"mark": {"type": "line"}, "encoding": {"x": x, "y": y | {"field": "value"}, **series, "tooltip": tooltip}},
        {
            "mark": {"type": "point", "filled": True, "size": 30, "opacity": 1},
            "encoding": {"x": x, "y": y | {"field": "value"}, **colour, "tooltip": tooltip},
        },
    ]
    return specification(
        title,
        [caption, *bounds],
        f"{title} over time, {len(rows)} spans of time. The last one: {rows[-1]['value']:.3g}.",
        width=WIDTH,
        height=HEIGHT * 3 // 4,
        data={"values": rows},
        layer=layers if shares else layers[1:],
    )
