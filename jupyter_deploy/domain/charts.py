"""Parts of charts as Vega-Lite specifications, which JupyterLab draws in its own theme, light or dark. Pure.

The specifications set no colours of texts, axes or backgrounds. The marks' colours are visible on both themes, and
dashes repeat their meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyter_deploy.domain.validation.chart import SCHEMA, Colours

Chart = dict[str, Any]

MIME = "application/vnd.vegalite.v5+json"

COLOURS = Colours()
WIDTH, HEIGHT = 380, 160

_OTHERS = ("#2e8b57", "#8e5bb5", "#a17c00", "#7a7f87")
_DASHES: tuple[list[int], ...] = ([1, 0], [10, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3])


def specification(title: str, subtitle: str | Sequence[str], description: str, **parts: Any) -> Chart:
    """Make a whole specification; ``description`` is the text for screen readers."""
    return {
        "$schema": SCHEMA,
        "description": description,
        "background": "transparent",
        "title": {"text": title, "subtitle": subtitle, "anchor": "start", "offset": 10},
        "config": {
            "view": {"stroke": None},
            "title": {"fontWeight": "bold", "fontSize": 13, "subtitleFontSize": 11},
            "axis": {"titleFontWeight": "normal", "gridOpacity": 0.35, "domainOpacity": 0.5, "tickOpacity": 0.5},
            "legend": {
                "orient": "bottom",
                "offset": 6,
                "title": None,
                "labelLimit": 300,
                "symbolType": "stroke",
                "symbolSize": 500,
                "symbolStrokeWidth": 2.5,
                "columns": 2,
                "columnPadding": 24,
            },
            "line": {"strokeWidth": 2.5, "strokeJoin": "round"},
        },
        **parts,
    }


def series_encoding(field: str, names: Sequence[str], colours: Sequence[str] = ()) -> dict[str, Any]:
    """Encode ``names`` by colours and dashes: the first as stable, the second as the candidate, then others."""
    if not names:  # a legend of nothing has no size
        return {}
    chosen = [*(colours or (COLOURS.stable, COLOURS.candidate)), *_OTHERS]
    by_place = [chosen[place % len(chosen)] for place in range(len(names))]
    dashes = [_DASHES[place % len(_DASHES)] for place in range(len(names))]
    of = {"field": field, "type": "nominal"}
    return {
        "color": of | {"scale": {"domain": list(names), "range": by_place}},
        "strokeDash": of | {"scale": {"domain": list(names), "range": dashes}},
    }


def time_axis(since: int, until: int, ticks: int) -> dict[str, Any]:
    """Make an axis of times (``milliseconds``) in one format: Vega itself mixes 09 AM with 08:55."""
    seconds = (until - since) / 1000
    forms = ((3 * 86_400, "%d %b"), (86_400, "%d %b %H:%M"), (600, "%H:%M"), (5, "%H:%M:%S"), (0, "%H:%M:%S.%L"))
    form = next(form for least, form in forms if seconds > least or not least)
    return {
        "format": form,
        "grid": False,
        "tickCount": ticks,
        "labelOverlap": "greedy",
        "labelSeparation": 6,
        "labelBound": 10,
    }


def milliseconds(moment: datetime) -> int:
    """Convert a time for Vega, which shows it in the browser's time zone."""
    return round(moment.timestamp() * 1000)
