"""The charts of answers and segments: one scale on both axes, named segments by word and shape; all can be drawn."""

from datetime import UTC, datetime

from jupyter_deploy.domain.evidence.answer_differences import (
    AnswerShape,
    Bin,
    CalibrationBin,
    NumberDifferences,
    NumberPair,
)
from jupyter_deploy.domain.evidence.estimate import Estimate, Interval
from jupyter_deploy.domain.evidence.segment_figures import SegmentFigure, SegmentsFigure
from jupyter_deploy.faces.render.charts.answers import answer_charts
from jupyter_deploy.faces.render.charts.segments import segment_charts
from jupyter_deploy.validation.reports.charts import draw


def estimate(value, half=0.01):
    return Estimate(value=value, interval=Interval(low=value - half, high=value + half), n=300)


def numbers(**given):
    pairs = [NumberPair(stable=n, candidate=n * 1.1, agree=n < 3) for n in range(5)]
    fields = {"rows": 5, "mean": 1234.5, "within_tolerance": 0.6, "pairs": pairs}
    return NumberDifferences(
        **fields | {"histogram": [Bin(low=0, high=0.2, rows=3), Bin(low=0.2, high=0.4, rows=2)]} | given
    )


def segment(value, named=(), **figures):
    return SegmentFigure(column="region", value=value, rows=9, clusters=9, named=list(named), **figures)


def segments(*found):
    return SegmentsFigure(
        declared=["region"],
        declared_at=datetime(2026, 1, 2, tzinfo=UTC),
        segments=list(found),
        worse=1,
        differ=1,
        note="",
    )


def test_stable_and_candidate_share_the_scale_in_which_equal_answers_lie_on_the_diagonal():
    charts = answer_charts(numbers(bias=estimate(1001.4, 100), spread=estimate(6800, 400)), [])
    assert set(charts) == {"scatter", "differences"}
    diagonal, points = charts["scatter"]["layer"]
    axes = [points["encoding"][axis]["scale"]["domain"] for axis in ("x", "y")]
    assert axes[0] == axes[1]
    assert [list(row.values()) for row in diagonal["data"]["values"]] == [[end, end] for end in axes[0]]
    words = charts["differences"]["title"]["subtitle"]
    assert words[:2] == ["bias 1,000 [901, 1,100] (median)", "spread 6,800 [6,400, 7,200] (of the middle half)"]
    for chart in charts.values():
        assert draw(chart).startswith("<svg")


def test_one_difference_and_none_are_drawn_too():
    one = NumberPair(stable=2, candidate=2, agree=True)
    same = answer_charts(numbers(rows=1, mean=0, pairs=[one], histogram=[Bin(low=0, high=0, rows=1)]), [])
    assert all(draw(chart).startswith("<svg") for chart in same.values())
    assert answer_charts(numbers(pairs=[], histogram=[]), []) == {}
    assert answer_charts(None, []) == {}


def test_probabilities_of_each_field_have_a_chart():
    bins = [CalibrationBin(low=0.5, high=1, rows=9, stable=0.8, candidate=0.7)]
    shapes = [AnswerShape(field=name, kind="probabilities", rows=9, calibration=bins) for name in ("", "p")]
    charts = answer_charts(None, shapes)
    assert {name: chart["title"]["text"] for name, chart in charts.items()} == {
        "calibration": "Probabilities",
        "calibration p": "Probabilities: p",
    }
    assert all(draw(chart).startswith("<svg") for chart in charts.values())


def test_a_named_segment_has_a_word_and_a_shape_beside_its_colour():
    found = segments(
        segment("north", agreement=estimate(0.99), error_difference=estimate(0)),
        segment("south", ["differs"], agreement=estimate(0.9)),
        segment("west", ["worse", "differs"], agreement=estimate(0.8), accuracy_difference=estimate(-0.1)),
    )
    charts = segment_charts(found)
    assert set(charts) == {"segments agreement", "segments accuracy_difference"}
    forest = charts["segments agreement"]
    assert [row["segment"] for row in forest["data"]["values"]] == [
        "region = north",
        "region = south  ◆ differs",
        "region = west  ▲ worse",
    ]
    assert forest["layer"][2]["encoding"]["shape"]["scale"]["range"] == ["circle", "diamond", "triangle-up"]
    assert "Named: region = south  ◆ differs, region = west  ▲ worse." in forest["description"]
    assert all(draw(chart).startswith("<svg") for chart in charts.values())
    assert set(segment_charts(segments(segment("north", error_difference=estimate(0))))) == {
        "segments error_difference"
    }
    assert segment_charts(None) == {}
