"""The last minutes of an endpoint as pictures: rate, errors and latency of each release in its role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from jupyter_deploy.domain.evidence.record_pages import TimeBucket

from . import HEIGHT, WIDTH, Chart, milliseconds, specification, time_axis, told_apart

_ORDER = {"stable": 0, "canary": 1, "shadow": 2, "direct": 3}
_QUANTILES = ("p50", "p95", "p99")
_HEIGHTS = {"errors": 0.05}
"""How high an axis without anything to show is, where that is not 1."""


def live_charts(spans: Sequence[TimeBucket], *, since: datetime, until: datetime, every: timedelta) -> dict[str, Chart]:
    """``rate``, ``errors`` and ``latency`` by name; with axes alone where nothing was asked."""
    names = {(span.role, span.release): _name(span) for span in sorted(spans, key=_place)}
    shown = list(dict.fromkeys(names.values()))
    starts = [since + place * every for place in range((until - since) // every)]
    rows = [
        row
        for series, name in names.items()
        for row in _rows(name, {s.start: s for s in spans if (s.role, s.release) == series}, starts, every)
    ]
    times = time_axis(milliseconds(since), milliseconds(until), 6)
    x = {
        "field": "start",
        "type": "temporal",
        "title": None,
        "axis": times,
        "scale": {"domain": [milliseconds(since), milliseconds(until)], "nice": False},
    }
    sides = told_apart("side", shown)
    when = {"field": "start", "type": "temporal", "title": "from", "format": "%Y-%m-%d %H:%M:%S"}
    about = f"over the last {_in_words(until - since)}, in spans of {_in_words(every)}"
    counted = ", ".join(f"{name}: {sum(r['requests'] for r in rows if r['side'] == name)}" for name in shown)
    failed = ", ".join(f"{name}: {sum(r['failed'] for r in rows if r['side'] == name)}" for name in shown)
    return {
        "rate": specification(
            "Requests a second",
            about,
            f"Requests a second {about}. In all: {counted or 'none'}.",
            width=WIDTH,
            height=HEIGHT * 3 // 4,
            data={"values": _only(rows, "start", "side", "rate", "requests")},
            mark="line",
            encoding={
                "x": x,
                "y": _axis("rate", rows) | {"axis": {"format": ".3~r", "tickCount": 4}},
                **sides,
                "tooltip": [when, {"field": "side"}, _number("requests", ","), _number("rate", ".3~r")],
            },
        ),
        "errors": specification(
            "Failed",
            "share of the answers with a status of 500 and above",
            f"Share of failed answers {about}. In all: {failed or 'none'}.",
            width=WIDTH,
            height=HEIGHT // 2,
            data={"values": _only(rows, "start", "side", "errors", "failed", "requests", "lone")},
            **_with_lone(
                {
                    "x": x,
                    "y": _axis("errors", rows) | {"axis": {"format": ".3~p", "tickCount": 3}},
                    **sides,
                    "tooltip": [
                        when,
                        {"field": "side"},
                        _number("failed", ","),
                        _number("requests", ","),
                        _number("errors", ".2%"),
                    ],
                }
            ),
        ),
        "latency": specification(
            "Latency, ms",
            ["half (p50), 95 % and 99 % of the answers took at most so long:", "in the release, with a status of 200"],
            f"Median, 95th and 99th percentile of the latency {about}.",
            data={"values": _only(rows, "start", "side", *_QUANTILES, "lone")},
            vconcat=[
                {
                    "width": WIDTH,
                    "height": HEIGHT // 2,
                    **_with_lone(
                        {
                            "x": x | {"axis": times | {"labels": of == _QUANTILES[-1]}},
                            "y": _axis(of, rows, of) | {"axis": {"tickCount": 4}},
                            **sides,
                            "tooltip": [when, {"field": "side"}, _number(of, ".3~r")],
                        }
                    ),
                }
                for of in _QUANTILES
            ],
            spacing=8,
        ),
    }


def _rows(
    name: str, found: Mapping[datetime, TimeBucket], starts: Sequence[datetime], every: timedelta
) -> list[dict[str, Any]]:
    """One row for each span, also for those in which nothing was asked."""
    rows = []
    for start in starts:
        span = found.get(start)
        requests, failed = (span.requests, span.errors) if span else (0, 0)
        rows.append(
            {
                "start": milliseconds(start),
                "side": name,
                "requests": requests,
                "rate": round(requests / every.total_seconds(), 3),
                "failed": failed,
                "errors": round(failed / requests, 5) if requests else None,
                **{of: getattr(span, f"{of}_ms") if span else None for of in _QUANTILES},
                "lone": bool(span) and not {start - every, start + every} & found.keys(),
            }
        )
    return rows


def _place(span: TimeBucket) -> tuple[int, str]:
    return _ORDER.get(span.role, len(_ORDER)), span.release


def _name(span: TimeBucket) -> str:
    return f"{span.role} {span.release.partition(':')[2]}"


def _axis(field: str, rows: Sequence[dict[str, Any]], title: str | None = None) -> dict[str, Any]:
    """From 0 on; of nothing but zeros, or of nothing at all, some height."""
    flat = not any(row[field] for row in rows)
    scale = {"domainMin": 0} | ({"domainMax": _HEIGHTS.get(field, 1)} if flat else {})
    return {"field": field, "type": "quantitative", "title": title, "scale": scale}


def _with_lone(encoding: dict[str, Any]) -> dict[str, Any]:
    """Lines, and a dot for what has no neighbours and so no line."""
    lone = {"transform": [{"filter": "datum.lone"}], "mark": {"type": "point", "filled": True, "size": 16}}
    dot = {name: channel for name, channel in encoding.items() if name != "strokeDash"}
    return {"layer": [{"mark": "line", "encoding": encoding}, lone | {"encoding": dot}]}


def _number(field: str, form: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "format": form}


def _only(rows: Sequence[dict[str, Any]], *fields: str) -> list[dict[str, Any]]:
    return [{field: row[field] for field in fields} for row in rows]


def _in_words(length: timedelta) -> str:
    seconds = round(length.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'s' * (seconds != size)}"
    return f"{seconds} second{'s' * (seconds != 1)}"
