"""Figures as bars, for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import vl_convert

from .figures import Figure

_VEGA_LITE = "5.20"
_OURS, _REACH, _THEIRS = "#f37726", "#c4c8cc", "#5b7c99"


def throughput(figures: Sequence[Figure], subject: str, path: Path, *, reach: str) -> bool:
    """Draw what each server answers in a second, the most first; False: nothing of this subject was measured.

    ``reach``: the one that is no peer, but what can be had at all.
    """
    rates = [one for one in figures if one.subject == subject and one.unit == "a second"]
    if not rates:
        return False

    def colour(name: str) -> str:
        return _OURS if name.startswith("ours") else _REACH if name == reach else _THEIRS

    values = [{"server": one.name, "rate": round(one.value), "colour": colour(one.name)} for one in rates]
    bars = {
        "y": {"field": "server", "type": "nominal", "sort": "-x", "title": None, "axis": {"labelLimit": 300}},
        "x": {"field": "rate", "type": "quantitative", "title": "requests a second"},
    }
    colours = {"color": {"field": "colour", "type": "nominal", "scale": None}}
    chart = {
        "title": subject,
        "width": 520,
        "background": "white",
        # A browser's letters are wider than those by which the labels were measured.
        "padding": {"left": 40, "right": 40, "top": 5, "bottom": 5},
        "data": {"values": values},
        "layer": [
            {"mark": "bar", "encoding": bars | colours},
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": bars | {"text": {"field": "rate", "type": "quantitative", "format": ",.0f"}},
            },
        ],
    }
    path.write_text(vl_convert.vegalite_to_svg(chart, vl_version=_VEGA_LITE))
    return True
