"""The charts of a comparison: its figures, the course of the agreement, and the latencies of both sides."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
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
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate, Look
from jupyter_deploy.domain.evidence.verdict import AGREEMENT

from .answers import answer_charts
from .segments import segment_charts

_EDGES = 0.1
"""The axis ignores this share of the first looks, whose intervals are very wide."""

_STEPS = {"interpolate": "step-after"}
"""A figure stays valid until the next requests: in an hour without requests the line is level."""


def charts_of_comparison(result: Comparison) -> list[Chart]:
    """Return the charts that a notebook shows below a comparison."""
    return [*comparison_charts(result).values()]


def comparison_charts(comparison: Comparison) -> dict[str, Chart]:
    """Return charts by name.

    ``summary``; if there are data, ``agreement`` over time, those of ``answer_charts`` and ``segment_charts``, and
    ``latency``.
    """
    charts = {"summary": comparison_chart(comparison)}
    if comparison.agreement_course:
        charts["agreement"] = _agreement(comparison.agreement_course)
    charts |= answer_charts(comparison.numbers, comparison.shapes) | segment_charts(comparison.segments)
    if any(side.latencies for side in comparison.sides.values()):
        charts["latency"] = _distributions(comparison)
    return charts


def comparison_chart(comparison: Comparison) -> Chart:
    """Make the summary: shares with their intervals on the left, latencies of both sides on the right."""
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
    return specification(
        f"{comparison.candidate} against {comparison.stable}",
        textwrap.wrap(comparison.reason, 100),
        f"{comparison.verdict}: {comparison.reason} Shares with their intervals, and latencies of both sides.",
        hconcat=[_shares(shares), _latencies(latencies)],
        resolve={"legend": {"color": "independent"}},
    )


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
    x = {
        "type": "quantitative",
        "title": "share, with 95 % interval (at every look)",
        "axis": {"format": ".3~p", "tickCount": 6, "labelOverlap": "greedy"},
    }
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
                "mark": {"type": "rule", "strokeWidth": 2, "color": COLOURS.stable},
                "encoding": {"y": y, "x": x | {"field": "low"}, "x2": {"field": "high"}, "tooltip": tooltip},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": COLOURS.stable},
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
            "color": series_encoding("side", ("stable", "candidate"))["color"]
            | {"legend": {"symbolType": "square", "symbolSize": 90, "orient": "bottom", "title": None}},
            "tooltip": [{"field": "side"}, {"field": "figure"}, {"field": "ms", "format": ".2f"}],
        },
    }


def _agreement(course: Sequence[Look]) -> Chart:
    rows: list[dict[str, Any]] = [
        {
            "requests": look.requests,
            "at": milliseconds(look.ts),
            "agreement": look.estimate.value,
            "low": look.estimate.interval.low,
            "high": look.estimate.interval.high,
        }
        for look in course
    ]
    last = rows[-1]
    later = rows[int(len(rows) * _EDGES) :]
    lowest = min(AGREEMENT, *(row["low"] for row in later))
    highest = max(AGREEMENT, *(row["high"] for row in later))
    edge = max((highest - lowest) * 0.05, 0.0005)
    scale = {"domain": [max(0.0, lowest - edge), min(1.0, highest + edge)], "nice": False, "zero": False}
    x = _over(rows)
    y = {"type": "quantitative", "title": "agreement", "axis": {"format": ".4~p"}, "scale": scale}
    tooltip = [
        {"field": "requests", "type": "quantitative", "format": ","},
        {"field": "at", "type": "temporal", "title": "until", "format": "%Y-%m-%d %H:%M:%S"},
        *({"field": name, "type": "quantitative", "format": ".2%"} for name in ("agreement", "low", "high")),
    ]
    shown = f"{last['agreement']:.2%} [{last['low']:.2%}, {last['high']:.2%}]"
    return specification(
        "Agreement",
        [
            f"{shown} of {last['requests']:,} requests",
            f"95 % interval that holds at every look; dashed: {AGREEMENT:.0%}, which is to be shown",
        ],
        f"Agreement over {last['requests']} requests: now {shown}, at first {rows[0]['agreement']:.2%} "
        f"[{rows[0]['low']:.2%}, {rows[0]['high']:.2%}]. To be shown: {AGREEMENT:.0%}.",
        width=WIDTH,
        height=HEIGHT,
        data={"values": rows},
        layer=[
            {
                # One look has no area.
                "mark": {"type": "area", "color": COLOURS.candidate, "opacity": 0.25, "clip": True} | _STEPS
                if len(rows) > 1
                else {"type": "rule", "color": COLOURS.candidate, "opacity": 0.25, "strokeWidth": 6},
                "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "tooltip": tooltip},
            },
            {
                "mark": {"type": "rule", "color": COLOURS.muted, "strokeDash": [4, 3]},
                "encoding": {"y": {"datum": AGREEMENT}},
            },
            {
                "mark": {
                    "type": "line",
                    "color": COLOURS.candidate,
                    "clip": True,
                    "point": {"size": 40, "color": COLOURS.candidate} if len(rows) == 1 else False,
                }
                | _STEPS,
                "encoding": {"x": x, "y": y | {"field": "agreement"}, "tooltip": tooltip},
            },
        ],
    )


def _over(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the axis of the looks: their times, or for looks at one moment the number of compared requests."""
    last = rows[-1]
    if last["at"] > rows[0]["at"]:
        return {
            "field": "at",
            "type": "temporal",
            "title": "time of the requests",
            "axis": time_axis(rows[0]["at"], last["at"], 5),
            "scale": {"nice": False},
        }
    return {
        "field": "requests",
        "type": "quantitative",
        "title": "requests compared",
        "axis": {"tickMinStep": 1, "grid": False},
        "scale": {"nice": False, "zero": False} if len(rows) > 1 else {"domain": [0, 2 * last["requests"]]},
    }


def _distributions(comparison: Comparison) -> Chart:
    rows: list[dict[str, Any]] = []
    for side, summary in comparison.sides.items():
        if summary.latencies:  # a point just before the first step, with share 0
            rows.append({"side": side, "ms": summary.latencies[0].ms / 1.1, "share": 0.0})
        rows += [{"side": side, "ms": within.ms, "share": within.share} for within in summary.latencies]
    steps = [row["ms"] for row in rows]
    words = [
        f"{side}: half within {summary.latency_p50_ms:.1f} ms, 95 % within {summary.latency_p95_ms:.1f} ms"
        for side, summary in comparison.sides.items()
        if summary.latency_p50_ms is not None and summary.latency_p95_ms is not None
    ]
    return specification(
        "Latency",
        [*words, "in the release, of what it answered with 200"],
        f"How many of the answers took at most so long. {'; '.join(words)}.",
        width=WIDTH,
        height=HEIGHT,
        data={"values": rows},
        mark="line",
        encoding={
            "x": {
                "field": "ms",
                "type": "quantitative",
                "title": "milliseconds",
                "scale": {"type": "log", "nice": False, "domain": [min(steps) / 1.5, max(steps) * 1.5]},
                "axis": {"format": "~g", "labelOverlap": "greedy", "tickCount": 6, "grid": False},
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "answered within",
                "axis": {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 0.95]},
            },
            **series_encoding("side", ("stable", "candidate")),
            "tooltip": [
                {"field": "side"},
                {"field": "ms", "type": "quantitative", "format": ".3~r", "title": "within, ms"},
                {"field": "share", "type": "quantitative", "format": ".2%"},
            ],
        },
    )
