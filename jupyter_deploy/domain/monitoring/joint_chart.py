"""The chart of the joint shift: one figure a day for all inputs together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_deploy.domain.charts import COLOURS, HEIGHT, WIDTH, Chart, milliseconds, specification, time_axis
from jupyter_deploy.domain.drift.drift import JointShift

_CHANCE = 0.5


def joint_chart(days: Sequence[JointShift]) -> Chart | None:
    """Draw the figure of each day on the scale from chance to certainty; None: there are fewer than two."""
    if len(days) < 2:
        return None
    first, last = milliseconds(days[0].since), milliseconds(days[-1].since)
    rows = [{"day": milliseconds(one.since), "auc": one.auc, "rows": one.rows} for one in days]
    values = [*(one.auc for one in days), _CHANCE]
    x = {"field": "day", "type": "temporal", "title": None, "axis": time_axis(first, last, 6) | {"format": "%d %b"}}
    scale = {"domain": [min(values), 1], "nice": True}
    y = {"field": "auc", "type": "quantitative", "title": None, "scale": scale, "axis": {"tickCount": 5}}
    tooltip = [
        {"field": "day", "type": "temporal", "title": "day (UTC)", "format": "%Y-%m-%d"},
        {"field": "auc", "title": "AUC", "format": ".3f"},
        {"field": "rows", "title": "requests", "format": ","},
    ]
    encoding: dict[str, Any] = {"x": x, "y": y, "tooltip": tooltip}
    chance = {"data": {"values": [{"auc": _CHANCE}]}, "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6}}
    return specification(
        "All inputs together",
        [
            "AUC of a classifier between a day's inputs and the first recorded ones",
            "dashed: 0.5, it cannot tell them apart; 1: always; a description, not a test",
        ],
        f"Joint shift of the inputs on {len(days)} days, from {min(one.auc for one in days):.2f} to "
        f"{max(one.auc for one in days):.2f}. The last one: {days[-1].auc:.2f}; 0.5 is none.",
        width=WIDTH,
        height=HEIGHT * 3 // 4,
        data={"values": rows},
        layer=[
            {**chance, "encoding": {"y": y, "color": {"value": "#7a7f87"}}},
            {"mark": {"type": "line", "color": COLOURS.stable}, "encoding": encoding},
            {"mark": {"type": "point", "filled": True, "size": 30, "color": COLOURS.stable}, "encoding": encoding},
        ],
    )
