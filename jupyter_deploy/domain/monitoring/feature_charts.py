"""The charts of features: the reference against a range, and a second range. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_deploy.domain.charts import (
    COLOURS,
    WIDTH,
    Chart,
    specification,
)
from jupyter_deploy.domain.drift.drift import FeatureDrift
from jupyter_deploy.domain.drift.words import moved_in_words

MOST_DRAWN = 12
_SIDES = ("reference", "now")
_BAND, _INNER = 0.92, 0.42
_LABEL = 26
_COMPARED = "#2e8b57"
_VISIBLE = 0.002
"""The least share of a bin that is drawn."""


def feature_chart(
    title: str, features: Sequence[FeatureDrift], others: Mapping[tuple[str, str], FeatureDrift] | None = None
) -> Chart | None:
    """Draw the first ``MOST_DRAWN`` features below each other, each on a scale of its own; None: none has values.

    The reference is a wide, pale bar, the range a narrow, dark one within it, and the range that it is compared with
    a line across both.

    Parameters
    ----------
    others
        The same features in the second range, by group and name.
    """
    drawn = [feature for feature in features if feature.clusters][:MOST_DRAWN]
    if not drawn:
        return None
    names = [f"{feature.name}{'  ▲ alarm' if feature.alarms else ''}" for feature in drawn]
    compared = [
        other.now if (other := (others or {}).get((one.group, one.name))) else [0.0] * len(one.bins) for one in drawn
    ]
    rows = [
        {"feature": name, "bin": label[:_LABEL], "order": place, "reference": before, "now": after}
        | ({"compared": earlier} if others else {})
        for name, feature, of_other in zip(names, drawn, compared, strict=True)
        for place, (label, before, after, earlier) in enumerate(
            zip(feature.bins, feature.reference, feature.now, of_other, strict=True)
        )
        if max(before, after, earlier) >= _VISIBLE
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
    sides, colours = list(_SIDES), [COLOURS.stable, COLOURS.candidate]
    if others:
        tooltip.append({"field": "compared", "format": ".2~%"})
        sides, colours = [*sides, "compared"], [*colours, _COMPARED]
    scale = {"domain": sides, "range": colours}
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

    layers = [bars("reference", _BAND, 0.38), bars("now", _INNER, 1)]
    caption = "pale and wide: the reference; dark and narrow: this range"
    if others:
        line = bars("compared", _BAND, 1)
        layers.append(line | {"mark": {"type": "tick", "thickness": 3, "orient": "horizontal", "opacity": 1}})
        caption += "; line: the compared range"
    return specification(
        title,
        [f"share of the clusters in each bin{left}", caption],
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
        spec={"width": WIDTH, "height": 56, "layer": layers},
        resolve={"scale": {"x": "independent", "y": "independent"}},
        spacing=10,
    )
