"""The charts of answers in numbers: stable against the candidate, their differences, and probabilities."""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.charts import COLOURS, WIDTH, Chart, specification
from jupyter_deploy.domain.evidence.answer_differences import AnswerShape, NumberDifferences
from jupyter_deploy.domain.evidence.estimate import Estimate

_SQUARE = 220
_MOST_CALIBRATIONS = 3
_LARGE = 10_000


def answer_charts(numbers: NumberDifferences | None, shapes: list[AnswerShape]) -> dict[str, Chart]:
    """Return ``scatter`` and ``differences`` of numbers, and ``calibration …`` of each field of probabilities."""
    charts = {}
    if numbers and numbers.pairs:
        charts["scatter"] = _scatter(numbers)
    if numbers and numbers.histogram:
        charts["differences"] = _differences(numbers)
    curves = [shape for shape in shapes if shape.calibration][:_MOST_CALIBRATIONS]
    return charts | {f"calibration {shape.field}".strip(): _calibration(shape) for shape in curves}


def _scatter(numbers: NumberDifferences) -> Chart:
    """Both axes have one scale, so that equal answers lie on the diagonal."""
    pairs = numbers.pairs
    values = [value for pair in pairs for value in (pair.stable, pair.candidate)]
    domain = _padded(min(values), max(values))
    names = {True: "within the tolerance", False: "beyond it"}
    rows = [{"stable": p.stable, "candidate": p.candidate, "agreement": names[p.agree]} for p in pairs]
    beyond = sum(not pair.agree for pair in pairs)
    shown = f"{len(pairs):,} of {numbers.rows:,} rows" if numbers.rows > len(pairs) else f"{len(pairs):,} rows"
    both = list(names.values())
    return specification(
        "Candidate against stable",
        [f"{shown}; on the line both answers are equal", f"{beyond:,} of these are beyond the tolerance"],
        f"{shown}: the candidate's number against stable's. {beyond} are beyond the tolerance.",
        width=WIDTH,
        height=_SQUARE,
        layer=[
            _diagonal(domain),
            {
                "data": {"values": rows},
                "mark": {"type": "point", "filled": True, "opacity": 0.75, "size": 45},
                "encoding": {
                    "x": _axis("stable", "stable", domain),
                    "y": _axis("candidate", "candidate", domain),
                    "color": _of("agreement", both, [COLOURS.stable, COLOURS.candidate]),
                    "shape": _of("agreement", both, ["circle", "triangle-up"]),
                    "tooltip": [{"field": name} for name in ("stable", "candidate", "agreement")],
                },
            },
        ],
    )


def _differences(numbers: NumberDifferences) -> Chart:
    bins = [{"low": b.low, "high": b.high, "rows": b.rows} for b in numbers.histogram]
    if len(bins) == 1 and bins[0]["low"] == bins[0]["high"]:  # one value has no width
        bins[0] |= {"low": bins[0]["low"] - 0.5, "high": bins[0]["high"] + 0.5}
    domain = [min(0.0, bins[0]["low"]), max(0.0, bins[-1]["high"])]
    x = {
        "type": "quantitative",
        "title": "candidate − stable",
        "axis": _numbers(bins[0]["low"], bins[-1]["high"]) | {"grid": False},
    }
    x |= {"scale": {"domain": domain, "nice": False, "zero": False}}
    words = [_words("bias", numbers.bias, "median"), _words("spread", numbers.spread, "of the middle half")]
    caption = [text for text in words if text] or [f"mean {_digits(numbers.mean)}"]
    bias = [{"bias": numbers.bias.value}] if numbers.bias else []
    return specification(
        "Differences",
        [*caption, "dashed: no difference; line: the bias" if bias else "dashed: no difference"],
        f"Histogram of candidate minus stable in {numbers.rows} rows. {'; '.join(caption)}.",
        width=WIDTH,
        height=_SQUARE,
        layer=[
            {
                "data": {"values": bins},
                "mark": {"type": "bar", "color": COLOURS.stable, "opacity": 0.7, "binSpacing": 1},
                "encoding": {
                    "x": x | {"field": "low", "bin": "binned"},
                    "x2": {"field": "high"},
                    "y": {
                        "field": "rows",
                        "type": "quantitative",
                        "title": "rows",
                        "axis": {"format": "~s", "tickMinStep": 1, "tickCount": 4},
                    },
                    "tooltip": [{"field": "low"}, {"field": "high"}, {"field": "rows", "format": ","}],
                },
            },
            {
                "data": {"values": [{"none": 0}]},
                "mark": {"type": "rule", "color": COLOURS.muted, "strokeDash": [4, 3], "strokeWidth": 1.5},
                "encoding": {"x": x | {"field": "none"}},
            },
            {
                "data": {"values": bias},
                "mark": {"type": "rule", "color": COLOURS.candidate, "strokeWidth": 2.5},
                "encoding": {"x": x | {"field": "bias"}, "tooltip": [{"field": "bias"}]},
            },
        ],
    )


def _calibration(shape: AnswerShape) -> Chart:
    rows = [{"stable": b.stable, "candidate": b.candidate, "rows": b.rows} for b in shape.calibration]
    domain = [0.0, 1.0]
    line: dict[str, Any] = {
        "x": _axis("stable", "stable's probability", domain),
        "y": _axis("candidate", "candidate's", domain),
    }
    line |= {"tooltip": [{"field": name} for name in ("stable", "candidate", "rows")]}
    of = f" of {shape.field}" if shape.field else ""
    return specification(
        f"Probabilities: {shape.field}" if shape.field else "Probabilities",
        [
            f"{shape.rows:,} rows, by stable's probability of its most likely class",
            "on the line both releases give that class the same probability",
        ],
        f"The candidate's mean probability{of} against stable's, in {len(rows)} bins of {shape.rows} rows.",
        width=WIDTH,
        height=_SQUARE,
        layer=[
            _diagonal(domain),
            {
                "data": {"values": rows},
                "mark": {"type": "line", "color": COLOURS.candidate, "point": {"size": 50, "color": COLOURS.candidate}},
                "encoding": line,
            },
        ],
    )


def _numbers(low: float, high: float) -> dict[str, Any]:
    """Make an axis with three significant digits, large ones as 250k, and no label over another."""
    large = max(abs(low), abs(high)) >= _LARGE
    return {"format": ".3~s" if large else ".3~g", "labelOverlap": "greedy", "tickCount": 5}


def _axis(field: str, title: str, domain: list[float]) -> dict[str, Any]:
    scale = {"domain": domain, "nice": False, "zero": False}
    return {"field": field, "type": "quantitative", "title": title, "axis": _numbers(*domain), "scale": scale}


def _diagonal(domain: list[float]) -> dict[str, Any]:
    low, high = domain
    return {
        "data": {"values": [{"stable": low, "candidate": low}, {"stable": high, "candidate": high}]},
        "mark": {"type": "line", "color": COLOURS.muted, "strokeDash": [4, 3], "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "stable", "type": "quantitative"},
            "y": {"field": "candidate", "type": "quantitative"},
        },
    }


def _of(field: str, names: list[str], values: list[str]) -> dict[str, Any]:
    legend = {"symbolSize": 90, "symbolStrokeWidth": 0}
    return {"field": field, "type": "nominal", "scale": {"domain": names, "range": values}, "legend": legend}


def _padded(low: float, high: float) -> list[float]:
    edge = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
    return [low - edge, high + edge]


def _words(name: str, figure: Estimate | None, of: str) -> str:
    if figure is None:
        return ""
    low, high = figure.interval.low, figure.interval.high
    return f"{name} {_digits(figure.value)} [{_digits(low)}, {_digits(high)}] ({of})"


def _digits(value: float) -> str:
    """Write three significant digits, without an exponent below a million: 6,800."""
    return f"{float(f'{value:.3g}'):,.6g}"
