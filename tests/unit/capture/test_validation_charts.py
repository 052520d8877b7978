"""What validations measured over an endpoint's releases, as charts for the sidebar."""

import json
from datetime import timedelta

import pytest
import vl_convert

from jupyter_deploy.faces.render.charts.validations import MOST, validation_charts
from tests.validations import AT, gate, history, metric, run, validation


def drawn(chart):
    """Vega-Lite's own compiler takes it."""
    assert json.loads(json.dumps(chart, allow_nan=False)) == chart
    svg = vl_convert.vegalite_to_svg(chart, vl_version="5.20")
    assert "NaN" not in svg
    assert "undefined" not in svg
    return svg


def releases(values, **given):
    """Validations of one release after the other, newest first."""
    made = [
        validation(
            run(metrics=(metric("accuracy", value),), stable_metrics=(), **given),
            name=f"v{n}",
            snapshot=f"churn:{n:08}abcd",
        ).model_copy(update={"at": AT + timedelta(hours=n)})
        for n, value in enumerate(values)
    ]
    return made[::-1]


def test_a_metric_is_drawn_over_the_releases_with_its_gates_threshold():
    (chart,) = validation_charts(releases([0.95, 0.96, 0.91], gates=(gate("fail", threshold=0.94),)))
    points = chart["data"]["values"]
    assert [(point["release"], point["value"]) for point in points] == [
        ("00000000", 0.95),
        ("00000001", 0.96),
        ("00000002", 0.91),
    ]
    rules = [layer["data"]["values"] for layer in chart["layer"] if "data" in layer]
    assert rules == [[{"value": 0.94}]]
    assert chart["title"]["text"] == "accuracy"
    assert "accuracy >= stable - 0.01: fail" in chart["title"]["subtitle"]
    assert "over 3 validations: first 0.95, last 0.91" in chart["description"]
    drawn(chart)


def test_the_axis_says_which_release_each_point_is_of():
    made = releases([0.9, 0.91, 0.92])
    named = [one.model_copy(update={"snapshot": f"churn:{name}"}) for one, name in zip(made, "cba", strict=True)]
    (chart,) = validation_charts(named)
    svg = drawn(chart)
    assert all(f">{name}</text>" in svg for name in "abc")


def test_of_many_validations_some_are_labelled_and_the_last_is():
    (chart,) = validation_charts(releases([0.9 + n / 1000 for n in range(40)]))
    axis = chart["layer"][0]["encoding"]["x"]["axis"]
    assert len(axis["values"]) <= 6
    assert axis["values"][-1] == 39
    drawn(chart)


def test_a_release_that_was_validated_again_is_named_once():
    made = [one.model_copy(update={"snapshot": f"churn:{'ab'[n > 2]}"}) for n, one in enumerate(releases([0.9] * 6))]
    (chart,) = validation_charts(made)
    svg = drawn(chart)
    assert [svg.count(f">{name}</text>") for name in "ab"] == [1, 1]
    assert chart["layer"][0]["encoding"]["x"]["axis"]["values"] == [0, 3]


def test_a_metric_with_fewer_than_two_measurements_is_no_chart():
    assert validation_charts([]) == []
    assert validation_charts(releases([0.9])) == []
    assert validation_charts([validation(), validation()]) == []


def test_after_gates_on_the_traffic_alone_the_metrics_of_before_are_still_drawn():
    latest = validation(name="live").model_copy(update={"at": AT + timedelta(days=9)})
    assert [chart["title"]["text"] for chart in validation_charts([latest, *releases([0.9, 0.95])])] == ["accuracy"]


def test_each_notebook_and_metric_is_drawn_once_and_not_without_end():
    made = [one.model_copy(update={"runs": (run("/repo/a.ipynb"), run("/repo/b.ipynb"))}) for one in history(30)]
    shown = [(chart["title"]["subtitle"][0], chart["title"]["text"]) for chart in validation_charts(made)]
    assert len(shown) == len(set(shown)) == 6
    many = [one.model_copy(update={"runs": tuple(run(f"/repo/{n}.ipynb") for n in range(9))}) for one in history(3)]
    assert len(validation_charts(many)) == MOST


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_left_out(value):
    (chart,) = validation_charts(releases([0.9, value, 0.95]))
    assert [point["value"] for point in chart["data"]["values"]] == [0.9, 0.95]
    drawn(chart)
