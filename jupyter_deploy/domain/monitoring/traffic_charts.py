"""The charts of an endpoint's requests over time: rate, errors and latency of each release in its role. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
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
from jupyter_deploy.domain.evidence.record_pages import TimeBucket

from .monitor import Marker

_ORDER = {"stable": 0, "canary": 1, "shadow": 2, "direct": 3}
_QUANTILES = ("p50", "p95", "p99")
_HEIGHTS = {"errors": 0.05, "refused_share": 0.05}
"""Heights of axes without data, if other than 1."""


def traffic_charts(
    spans: Sequence[TimeBucket],
    *,
    since: datetime,
    until: datetime,
    every: timedelta,
    markers: Sequence[Marker] = (),
    ends: Mapping[str, datetime] | None = None,
    latest: bool = False,
) -> dict[str, Chart]:
    """Return ``rate``, ``errors``, ``refused`` and ``latency`` by name; without requests only with axes.

    The last span may be shorter than the others. A change of the endpoint is an upright line with its number.

    Parameters
    ----------
    ends
        By role: where its series ends, if that is before ``until``.
    latest
        The range ends now.
    """
    names = {(span.role, span.release): _name(span) for span in sorted(spans, key=_place)}
    shown = list(dict.fromkeys(names.values()))
    starts = [since + place * every for place in range(ceil((until - since) / every))]
    rows = [
        row
        for series, name in names.items()
        for row in _rows(
            name,
            {s.start: s for s in spans if (s.role, s.release) == series},
            starts,
            every,
            min((ends or {}).get(series[0], until), until),
        )
    ]
    times = time_axis(milliseconds(since), milliseconds(until), 6)
    x = {
        "field": "start",
        "type": "temporal",
        "title": None,
        "axis": times,
        "scale": {"domain": [milliseconds(since), milliseconds(until)], "nice": False},
    }
    sides = series_encoding("side", shown)
    when = {"field": "start", "type": "temporal", "title": "from", "format": "%Y-%m-%d %H:%M:%S"}
    length = f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    if latest:
        length = f"over the last {_in_words(until - since)}"
    about = f"{length}, in spans of {_in_words(every)}"

    def in_all(field: str) -> str:
        return ", ".join(f"{name}: {sum(r[field] for r in rows if r['side'] == name)}" for name in shown) or "none"

    shares: dict[str, Any] = {"rows": rows, "encoding": {"x": x, **sides}, "when": when}
    charts = {
        "rate": specification(
            "Requests a second",
            about,
            f"Requests a second {about}. In all: {in_all('requests')}.",
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
        "errors": _share_chart(
            ("Failed", "share of the answers with a status of 500 and above"),
            f"Share of failed answers {about}. In all: {in_all('failed')}.",
            ("errors", "failed"),
            **shares,
        ),
        "refused": _share_chart(
            ("Refused", "share of the answers with a status from 400 to 498"),
            f"Share of refused requests {about}. In all: {in_all('refused')}.",
            ("refused_share", "refused"),
            **shares,
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
    return {name: _marked(chart, x, markers) for name, chart in charts.items()} if markers else charts


def _marked(chart: Chart, x: dict[str, Any], markers: Sequence[Marker]) -> Chart:
    """Draw the changes of the endpoint into a chart with their numbers, or into each of its parts without them."""
    values = [{"at": milliseconds(one.at), "number": str(one.number), "change": one.words} for one in markers]
    when = {"field": "at", "type": "temporal", "title": "at", "format": "%Y-%m-%d %H:%M:%S"}
    of = {"x": x | {"field": "at"}, "tooltip": [when, {"field": "number"}, {"field": "change"}]}
    line = {
        "data": {"values": values},
        "mark": {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.5, "color": COLOURS.muted},
        "encoding": of,
    }
    number = {
        "data": {"values": values},
        "mark": {"type": "text", "align": "left", "dx": 3, "dy": 2, "baseline": "top", "color": COLOURS.muted},
        "encoding": of | {"y": {"value": 0}, "text": {"field": "number"}},
    }
    if "vconcat" in chart:
        return chart | {"vconcat": [part | {"layer": [*part["layer"], line]} for part in chart["vconcat"]]}
    if "layer" in chart:
        return chart | {"layer": [*chart["layer"], line, number]}
    plain = {name: part for name, part in chart.items() if name not in ("mark", "encoding")}
    return plain | {"layer": [{"mark": chart["mark"], "encoding": chart["encoding"]}, line, number]}


def _share_chart(
    titles: tuple[str, str],
    description: str,
    fields: tuple[str, str],
    *,
    rows: Sequence[dict[str, Any]],
    encoding: dict[str, Any],
    when: dict[str, Any],
) -> Chart:
    """Make the chart of a share of the answers; ``fields``: the share, and its numerator."""
    share, count = fields
    return specification(
        *titles,
        description,
        width=WIDTH,
        height=HEIGHT // 2,
        data={"values": _only(rows, "start", "side", share, count, "requests", "lone")},
        **_with_lone(
            {
                **encoding,
                "y": _axis(share, rows) | {"axis": {"format": ".3~p", "tickCount": 3}},
                "tooltip": [
                    when,
                    {"field": "side"},
                    _number(count, ","),
                    _number("requests", ","),
                    _number(share, ".2%"),
                ],
            }
        ),
    )


def _rows(
    name: str, found: Mapping[datetime, TimeBucket], starts: Sequence[datetime], every: timedelta, until: datetime
) -> list[dict[str, Any]]:
    """Make one row for each span, also for spans without requests."""
    rows = []
    for start in [start for start in starts if start < until]:
        span = found.get(start)
        requests, failed, refused = (span.requests, span.errors, span.refused) if span else (0, 0, 0)
        rows.append(
            {
                "start": milliseconds(start),
                "side": name,
                "requests": requests,
                "rate": round(requests / min(every, until - start).total_seconds(), 3),
                "failed": failed,
                "errors": round(failed / requests, 5) if requests else None,
                "refused": refused,
                "refused_share": round(refused / requests, 5) if requests else None,
                **{of: getattr(span, f"{of}_ms") if span else None for of in _QUANTILES},
                "lone": bool(span) and not {start - every, start + every} & found.keys(),
            }
        )
    return rows


def _place(span: TimeBucket) -> tuple[int, str]:
    return _ORDER.get(span.role, len(_ORDER)), span.release


def _name(span: TimeBucket) -> str:
    return f"{span.role} {span.release.partition(':')[2]}".strip()


def _axis(field: str, rows: Sequence[dict[str, Any]], title: str | None = None) -> dict[str, Any]:
    """Make an axis from 0; with a fixed height if all values are zero or missing."""
    flat = not any(row[field] for row in rows)
    scale = {"domainMin": 0} | ({"domainMax": _HEIGHTS.get(field, 1)} if flat else {})
    return {"field": field, "type": "quantitative", "title": title, "scale": scale}


def _with_lone(encoding: dict[str, Any]) -> dict[str, Any]:
    """Make lines, and a dot for each point without neighbours."""
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
