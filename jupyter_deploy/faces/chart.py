"""A comparison as a picture: one Vega-Lite specification, which JupyterLab draws itself."""

from __future__ import annotations

import textwrap
from typing import Any

from jupyter_deploy.domain.inference import Comparison, Estimate

MIME = "application/vnd.vegalite.v5+json"
_COLOURS = {"stable": "#4c78a8", "candidate": "#f58518"}


def comparison_chart(comparison: Comparison) -> dict[str, Any]:
    """Shares with their intervals on the left, latencies of both sides on the right."""
    shares = [
        *_share("coverage", comparison.coverage),
        *_share("agreement", comparison.agreement),
        *_share("error rate, stable", comparison.sides["stable"].error_rate),
        *_share("error rate, candidate", comparison.sides["candidate"].error_rate),
    ]
    shares += [row for name, share in comparison.answer_shares.items() for row in _share(f"Δ share of {name}", share)]
    latencies = [
        {"side": side, "figure": figure, "ms": value}
        for side, summary in comparison.sides.items()
        for figure, value in (("p50", summary.latency_p50_ms), ("p95", summary.latency_p95_ms))
        if value is not None
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {
            "text": f"{comparison.candidate} against {comparison.stable}",
            "subtitle": textwrap.wrap(comparison.reason, 100),
            "anchor": "start",
        },
        "hconcat": [_shares(shares), _latencies(latencies)],
        "config": {"view": {"stroke": None}},
    }


def _share(name: str, estimate: Estimate | None) -> list[dict[str, Any]]:
    if estimate is None:
        return []
    return [
        {
            "figure": name,
            "value": estimate.value,
            "low": estimate.interval.low,
            "high": estimate.interval.high,
            "n": estimate.n,
        }
    ]


def _shares(rows: list[dict[str, Any]]) -> dict[str, Any]:
    y = {"field": "figure", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 220}}
    x = {"type": "quantitative", "title": "share, with 95 % interval (at every look)", "axis": {"format": ".0%"}}
    tooltip = [
        {"field": "figure"},
        {"field": "value", "format": ".2%"},
        {"field": "low", "format": ".2%"},
        {"field": "high", "format": ".2%"},
        {"field": "n"},
    ]
    return {
        "width": 320,
        "height": {"step": 28},
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2, "color": _COLOURS["stable"]},
                "encoding": {"y": y, "x": x | {"field": "low"}, "x2": {"field": "high"}, "tooltip": tooltip},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "color": _COLOURS["stable"]},
                "encoding": {"y": y, "x": x | {"field": "value"}, "tooltip": tooltip},
            },
        ],
    }


def _latencies(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "width": 220,
        "height": {"step": 18},
        "data": {"values": rows},
        "mark": "bar",
        "encoding": {
            "y": {"field": "figure", "type": "nominal", "title": None},
            "yOffset": {"field": "side", "sort": ["stable", "candidate"]},
            "x": {"field": "ms", "type": "quantitative", "title": "latency in the release, ms"},
            "color": {
                "field": "side",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(_COLOURS), "range": list(_COLOURS.values())},
            },
            "tooltip": [{"field": "side"}, {"field": "figure"}, {"field": "ms", "format": ".2f"}],
        },
    }
