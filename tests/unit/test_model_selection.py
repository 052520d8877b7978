"""A choice among models: simultaneous intervals, constraints, the Pareto front, calibration, the chart and the page."""

import numpy as np
import pytest
import vl_convert
from sklearn.metrics import brier_score_loss

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.estimate import Interval
from jupyter_deploy.domain.model_selection.calibration import brier, expected_calibration_error
from jupyter_deploy.domain.model_selection.constraints import judged, parse_constraints
from jupyter_deploy.domain.model_selection.selection import (
    CandidateModel,
    GroupScore,
    LeftOut,
    ModelSelection,
    Performance,
    Score,
    Spread,
)
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.faces.kernel.scoring import scoring_of
from jupyter_deploy.faces.render.charts.model_selection import selection_chart
from jupyter_deploy.faces.render.model_selection_page import model_selection_page
from jupyter_deploy.faces.render.page import as_text
from jupyter_deploy.model_selection.scores import MaxTIntervals, simultaneous_level


def spread(value):
    return Spread(median=value, low=value * 0.9, high=value * 1.2)


def row(name, score, latency, *, engine="native", memory=100.0, cost=None, groups=()):
    performance = Performance(
        batch_rows=100,
        rounds=7,
        latency_p50_ms=spread(latency),
        latency_p99_ms=spread(3 * latency),
        batch_p50_ms=spread(2 * latency),
        batch_p99_ms=spread(4 * latency),
        rows_per_second=spread(50_000 / latency),
        predictions_per_second=spread(1000 / latency),
        memory_mb=memory,
        load_s=1.0,
    )
    return CandidateModel(
        name=name,
        engine=engine,
        tag=f"{name}:0123456789ab",
        score=Score(value=score, interval=Interval(low=score - 0.02, high=score + 0.02)),
        groups=groups,
        performance=performance,
        artifact_mb=0.1,
        cost_per_million=cost,
    )


def table(rows, *constraints, greater_is_better=True, **more):
    gates = parse_constraints(constraints, "accuracy", has_stable=any(one.name == "stable" for one in rows))
    return ModelSelection(
        metric="accuracy",
        greater_is_better=greater_is_better,
        rows_of_data=500,
        level=0.95,
        constraints=constraints,
        candidates=judged(rows, gates, "accuracy", greater_is_better=greater_is_better),
        at=now(),
        **more,
    )


def metric(rows):
    return Metric(name="accuracy", value=float(np.mean(rows)), n=len(rows), rows=tuple(map(float, rows)))


@pytest.mark.parametrize(("count", "critical"), [(3, 3.314 / 2**0.5), (4, 3.633 / 2**0.5)])
def test_of_uncorrelated_models_the_level_is_that_of_tukeys_studentized_range(count, critical):
    from statistics import NormalDist

    hadamard = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    parts = np.kron(hadamard, np.array([[1, 1], [1, -1]]))[1 : count + 1]
    assert np.allclose(np.cov(parts), np.eye(count) * np.cov(parts)[0, 0])
    found = NormalDist().inv_cdf((1 + simultaneous_level(parts, 0.95)) / 2)
    assert found == pytest.approx(critical, abs=0.03)


def test_two_models_need_no_correction_and_equal_answers_cost_nothing():
    draws = np.random.default_rng(1)
    first, second, third = draws.normal(size=(3, 500))
    assert simultaneous_level(np.array([first, second]), 0.95) == 0.95
    alone = simultaneous_level(np.array([first, second, third]), 0.95)
    with_translations = simultaneous_level(np.array([first, first, second, second, third, third]), 0.95)
    assert with_translations == pytest.approx(alone, abs=1e-3)
    assert 0.95 < alone < 1 - 0.05 / 3 + 1e-9, "it is never wider than Bonferroni's"


def test_all_intervals_of_all_pairs_cover_together_and_single_ones_do_not():
    """Four models of equal accuracy, whose errors are on partly the same rows; 300 test sets of 400 rows."""
    draws = np.random.default_rng(20_261_201)
    together = single = 0
    intervals = MaxTIntervals()
    runs = 300
    for _ in range(runs):
        hard = draws.random(400) < 0.2
        metrics = [metric(draws.random(400) > np.where(hard, 0.5, 0.1)) for _ in range(4)]
        pair = intervals.simultaneous(metrics, 0.95)
        pairs = [(one, other) for one in range(4) for other in range(one)]
        together += all(_covers(pair(*each).interval) for each in pairs)
        single += all(_covers(intervals.simultaneous([metrics[a], metrics[b]], 0.95)(0, 1).interval) for a, b in pairs)
    assert together / runs >= 0.925
    assert single / runs < 0.9, "without the correction the intervals would not hold together"


def _covers(interval):
    return interval.low <= 0 <= interval.high


def test_the_front_has_the_rows_that_no_other_one_beats():
    rows = [row("slow", 0.95, 9.0), row("fast", 0.93, 1.0), row("worse", 0.92, 2.0), row("equal", 0.93, 1.0)]
    found = table(rows)
    assert {one.name for one in found.candidates if one.on_front} == {"slow", "fast", "equal"}
    assert [one.name for one in found.candidates] == ["slow", "fast", "equal", "worse"]
    cheap = table([row("a", 0.9, 1.0, cost=3.0), row("b", 0.9, 1.0, cost=2.0)], core_hour=0.05)
    assert [one.name for one in cheap.candidates if one.on_front] == ["b"]
    errors = table([row("a", 0.3, 1.0), row("b", 0.2, 1.0)], greater_is_better=False)
    assert [one.name for one in errors.candidates] == ["b", "a"]


def test_constraints_leave_rows_out_and_the_front_is_of_the_rest():
    group = GroupScore(group={"sex": "F"}, rows=40, score=Score(value=0.7))
    rows = [row("slow", 0.95, 9.0), row("fast", 0.93, 1.0, groups=(group,)), row("stable", 0.94, 2.0)]
    found = table(rows, "latency_p99_ms <= 7ms", "accuracy >= stable - 0.02")
    assert {one.name: one.violated for one in found.candidates} == {
        "stable": (),
        "fast": (),
        "slow": ("latency_p99_ms <= 7ms",),
    }
    assert not found.candidates[-1].on_front
    gates = parse_constraints(["accuracy[sex=F] >= 0.8"], "accuracy", has_stable=False, groups=["accuracy[sex=F]"])
    left = [one.name for one in judged(rows, gates, "accuracy", greater_is_better=True) if not one.violated]
    assert left == [], "one is below, and the others do not have the figure"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latency_p9_ms <= 5", "did you mean latency_p99_ms"),
        ("memory <= 300", "memory_mb"),
        ("accuracy >= stable", "endpoint='churn'"),
        ("accuracy >= 0.9 over 50", "for gates"),
        ("cost_per_million <= 1", "NBDEPLOY_COST"),
        ("accuracy = 3", "write >= or <="),
    ],
)
def test_a_wrong_constraint_is_refused_with_a_remedy(text, words):
    with pytest.raises(InvalidInput) as refused:
        parse_constraints([text], "accuracy", has_stable=False, priced=False)
    assert words in str(refused.value)


def test_briers_score_and_the_calibration_error_have_known_values():
    draws = np.random.default_rng(2)
    second = draws.random(400)
    truth = (draws.random(400) < second).astype(int)
    both = np.column_stack([1 - second, second]).tolist()
    assert brier(both, truth.tolist()) == pytest.approx(brier_score_loss(truth, second))
    assert brier([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0, 2]) == 1.0, "of three classes the sum: 0 and 2"
    # Four rows at 0.8, three of them right, and two at 0.6, one of them right.
    rows, places = [[0.2, 0.8]] * 4 + [[0.4, 0.6]] * 2, [1, 1, 1, 0, 1, 0]
    assert expected_calibration_error(rows, places) == pytest.approx((4 * 0.05 + 2 * 0.1) / 6)


def test_metrics_have_scikit_learns_names_and_directions():
    labels, numbers = np.array(["a", "b", "a", "c"] * 10), np.linspace(0.0, 1.0, 40)
    default = scoring_of(None, labels, [], None)
    assert (default.name, default.greater_is_better) == ("accuracy", True)
    (whole,) = default.metrics(labels, np.array(["a", "b", "c", "c"] * 10), None)
    assert (whole.value, set(whole.rows)) == (0.75, {0.0, 1.0})
    of_numbers = scoring_of(None, numbers, [], None)
    assert (of_numbers.name, of_numbers.greater_is_better) == ("mean_absolute_error", False)
    assert of_numbers.metrics(numbers, numbers + 0.5, None)[0].value == pytest.approx(0.5)
    squares = scoring_of("root_mean_squared_error", numbers, [], None).metrics(numbers, numbers - 2, None)[0]
    assert (squares.value, squares.statistic) == (pytest.approx(2.0), "rms")
    macro = scoring_of("f1_macro", labels, [], None)
    assert macro.greater_is_better
    assert macro.metrics(labels, labels, None)[0].value == 1.0
    loss = scoring_of("median_absolute_error", numbers, [], None)
    assert (loss.greater_is_better, loss.metrics(numbers, numbers + 3, None)[0].value) == (False, pytest.approx(3.0))
    groups = scoring_of("accuracy", labels, [], None).metrics(labels, labels, {"sex": ["F", "M"] * 20})
    assert [one.group for one in groups] == [{}, {"sex": "F"}, {"sex": "M"}]


@pytest.mark.parametrize(
    ("metric_", "words"),
    [
        ("acuracy", "did you mean accuracy"),
        ("roc_auc", "method='predict_proba'"),
        ("f1", "average="),
        ("mean_absolute_error", "needs numbers"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused_before_slow_work(metric_, words):
    with pytest.raises(InvalidInput) as refused:
        scoring_of(metric_, np.array(["a", "b", "c"]), [], None)
    assert words in str(refused.value)


def test_the_page_tells_scores_figures_reasons_and_the_rest():
    text = as_text(
        model_selection_page(
            table(
                [row("slow", 0.95, 9.0), row("fast", 0.93, 1.0), row("fast", 0.93, 0.2, engine="onnx")],
                "latency_p50_ms <= 5",
                left_out=(LeftOut(name="slow", engine="onnx", why="no converter"),),
            )
        )
    )
    assert "2 models in 3 rows: 2 meet the constraints" in text
    assert "fast (onnx)" in text
    assert "violates latency_p50_ms <= 5" in text
    assert "no converter" in text
    assert "all pairs together at 95 %" in text


def test_the_charts_labels_stay_inside_and_apart():
    rows = [row(f"model number {at}", 0.9, 1) for at in range(5)]
    chart = selection_chart(table(rows))
    svg = vl_convert.vegalite_to_svg(chart, vl_version="5.20")
    assert all(one.name in svg for one in rows)
    places = [value["place"] for value in chart["data"]["values"]]
    assert len(set(places)) == len(places), "points that coincide have their labels at different places"
    assert "model number 0: 0.9 at 1 ms" in chart["description"]
    alone = selection_chart(table([row("alone", 0.0, 1.0)]))
    assert "alone" in vl_convert.vegalite_to_svg(alone, vl_version="5.20")
