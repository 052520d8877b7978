"""Vega-Lite specifications as inline SVG, rendered by vl-convert; the page needs no script."""

from __future__ import annotations

import html
from typing import Any

from jupyter_deploy.domain.validation.chart import Colours

# The page's stylesheet defines them, for light and dark; Vega passes colours through.
PAGE_COLOURS = Colours("var(--candidate)", "var(--stable)", "var(--fail)", "var(--muted)")

_VEGA_LITE = "5.20"
_WIDTH = 340
PAGE_CONFIG: dict[str, Any] = {
    "view": {"stroke": None},
    "font": "sans-serif",
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 11.5,
        "titleFontSize": 11.5,
    },
    "legend": {"labelColor": "var(--ink)", "titleColor": "var(--muted)"},
    "header": {"labelColor": "var(--ink)", "titleColor": "var(--muted)"},
}


def svg(specification: dict[str, Any], words: str) -> str:
    """Render an ``svg`` element of at most 340 pixels' width, with ``words`` as its text alternative."""
    whole = {
        **specification,
        "width": _WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "background": None,
        "config": PAGE_CONFIG,
    }
    return as_picture(draw(whole), words)


def as_picture(drawn: str, words: str) -> str:
    """Make an SVG one picture for a screen reader, not a hundred marks."""
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{html.escape(words)}" ', 1).replace(
        '<g fill="none"', '<g aria-hidden="true" fill="none"', 1
    )


def draw(specification: dict[str, Any]) -> str:
    """Render a whole specification as SVG; it loads no data from elsewhere."""
    import vl_convert  # 100 MB that only a drawing needs

    drawn: str = vl_convert.vegalite_to_svg(specification, vl_version=_VEGA_LITE, allowed_base_urls=[])
    return drawn
