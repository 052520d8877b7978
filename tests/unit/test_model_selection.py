"""A choice among models: simultaneous intervals, constraints, the Pareto front, calibration, the chart and the page."""

import numpy as np
import pytest
import vl_convert
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, get_scorer

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_selection.calibration import brier, expected_calibration_error
from jupyter_deploy.domain.model_selection.constraints import (
    constrained,
    figure_names,
    judged,
    parse_constraints,
    split_constraints,
)
from jupyter_deploy.domain.model_selection.selection import GroupScore, LeftOut, Score
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.faces.kernel.probabilities import calibration_of_answers
from jupyter_deploy.faces.kernel.scoring import scoring_of
from jupyter_deploy.faces.render.charts.model_selection import selection_chart
from jupyter_deploy.faces.render.model_selection_page import model_selection_page
from jupyter_deploy.faces.render.page import as_text
from jupyter_deploy.faces.views.candidates import candidates
from jupyter_deploy.faces.views.requests import CandidatesViewRequest
from jupyter_deploy.model_selection.scores import MaxTIntervals, simultaneous_level
from tests.selections import row, table


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


def test_a_table_is_shown_under_other_constraints_with_the_reason_of_each_violation():
    group = GroupScore(group={"sex": "F"}, rows=40, score=Score(value=0.7))
    found = table([row("slow", 0.95, 9.0, groups=(group,)), row("fast", 0.93, 1.0)], "memory_mb <= 50")
    request = CandidatesViewRequest(table=found.model_dump_json(), constraints="latency_p99_ms ≤ 5 ms; memory_mb<=300")
    view = candidates(request, None)
    assert view.headline == "2 models in 2 rows: 1 meets the constraints"
    assert [(one.label, one.reasons, one.on_front) for one in view.rows] == [
        ("fast", (), True),
        ("slow", ("latency_p99_ms ≤ 5 ms (27)",), False),
    ]
    assert view.rows[0].cells[0].value == "0.93"
    assert [one.score for one in view.groups] == ["0.7"]
    assert view.figures[:2] == ("accuracy", "accuracy[sex=F]")
    assert view.table.constraints == ("latency_p99_ms ≤ 5 ms", "memory_mb<=300"), "a deploy keeps these"
    with pytest.raises(InvalidInput, match="names 'memory'"):
        candidates(CandidatesViewRequest(table=found, constraints="memory <= 3"), None)


def test_constraints_of_a_text_are_separated_outside_of_brackets_only():
    found = table([row("fast", 0.93, 1.0, groups=(GroupScore(group={"sex": "F"}, rows=4, score=Score(value=0.7)),))])
    text = "load_s <= 5, , accuracy[sex=F,plan=b] >= 0.9;\nece <= 0.1"
    assert split_constraints(text) == ("load_s <= 5", "accuracy[sex=F,plan=b] >= 0.9", "ece <= 0.1")
    (left,) = constrained(found, ["accuracy[sex=F] >= 0.8", "brier <= 0.1"]).candidates
    assert left.violated == ("accuracy[sex=F] >= 0.8", "brier <= 0.1")
    assert "brier" not in figure_names(found)
    assert "violates accuracy[sex=F] >= 0.8 (0.7), brier <= 0.1 (not known)" in as_text(
        model_selection_page(constrained(found, left.violated))
    )


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
    default = scoring_of(None, labels, {}, None)
    assert (default.name, default.greater_is_better) == ("accuracy", True)
    (whole,) = default.metrics(labels, np.array(["a", "b", "c", "c"] * 10), None)
    assert (whole.value, set(whole.rows)) == (0.75, {0.0, 1.0})
    of_numbers = scoring_of(None, numbers, {}, None)
    assert (of_numbers.name, of_numbers.greater_is_better) == ("mean_absolute_error", False)
    assert of_numbers.metrics(numbers, numbers + 0.5, None)[0].value == pytest.approx(0.5)
    squares = scoring_of("root_mean_squared_error", numbers, {}, None).metrics(numbers, numbers - 2, None)[0]
    assert (squares.value, squares.statistic) == (pytest.approx(2.0), "rms")
    macro = scoring_of("f1_macro", labels, {}, None)
    assert macro.greater_is_better
    assert macro.metrics(labels, labels, None)[0].value == 1.0
    loss = scoring_of("median_absolute_error", numbers, {}, None)
    assert (loss.greater_is_better, loss.metrics(numbers, numbers + 3, None)[0].value) == (False, pytest.approx(3.0))
    groups = scoring_of("accuracy", labels, {}, None).metrics(labels, labels, {"sex": ["F", "M"] * 20})
    assert [one.group for one in groups] == [{}, {"sex": "F"}, {"sex": "M"}]


def test_probabilities_are_scored_as_scikit_learn_scores_them(classifiers):
    rows, truth, models = classifiers
    for model, names in ((models[0], ("log_loss", "accuracy", "roc_auc")), (models[1], ("log_loss",))):
        labels = truth if model is models[0] else models[1].classes_[np.arange(len(rows)) % 3]
        answers = model.predict_proba(rows)
        for name in names:
            scoring = scoring_of(name, labels, {"it": model}, None, "predict_proba")
            known = get_scorer(scoring.name if scoring.greater_is_better else f"neg_{scoring.name}")
            expected = abs(known(model, rows, labels))
            if scoring.statistic:  # others are resampled
                assert scoring.metrics(labels, answers, None)[0].value == pytest.approx(expected), name
            assert scoring.value(labels, answers) == pytest.approx(expected)
    assert scoring_of(None, truth, {"it": models[0]}, None, "predict_proba").name == "log_loss"
    area = scoring_of(None, truth, {"it": models[0]}, None, "decision_function")
    expected = get_scorer("roc_auc")(models[0], rows, truth)
    assert (area.name, area.value(truth, models[0].decision_function(rows))) == ("roc_auc", pytest.approx(expected))
    answers = models[0].predict_proba(rows)
    found = calibration_of_answers(answers, truth, models[0].classes_.tolist())
    assert (found.brier, found.served) == (pytest.approx(brier_score_loss(truth == "b", answers[:, 1])), True)
    score = scoring_of("brier_score", truth, {"it": models[0]}, None, "predict_proba")
    assert score.value(truth, answers) == found.brier


def test_probabilities_of_other_classes_and_metrics_of_labels_are_refused(classifiers):
    rows, truth, models = classifiers
    for metric_, truths, several, words in (
        ("log_loss", truth, {"a": models[0], "b": models[1]}, "a has the classes ['a', 'b'], and b ['x', 'y', 'z']"),
        ("log_loss", np.array(["z"] * len(rows)), {"a": models[0]}, "y has the label z, and a has ['a', 'b']"),
        ("log_loss", truth, {"a": object()}, "a has no classes_"),
        ("f1_macro", truth, {"a": models[0]}, "'f1_macro' needs labels"),
    ):
        with pytest.raises(InvalidInput) as refused:
            scoring_of(metric_, truths, several, None, "predict_proba")
        assert words in str(refused.value)


@pytest.fixture(scope="module")
def classifiers():
    """Rows, their labels of two classes, and models of two and of three classes."""
    draws = np.random.default_rng(3)
    rows = draws.normal(size=(60, 2))
    truth = np.where(rows[:, 0] + draws.normal(size=60) > 0, "b", "a")
    three = np.array(["x", "y", "z"])[draws.integers(0, 3, 60)]
    return rows, truth, [LogisticRegression().fit(rows, truth), LogisticRegression().fit(rows, three)]


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
        scoring_of(metric_, np.array(["a", "b", "c"]), {}, None)
    assert words in str(refused.value)


def test_the_row_of_a_tag_is_the_candidates_and_the_sentence_counts_models_as_the_headline():
    one, stable = row("forest", 0.93, 1.0), row("stable", 0.95, 1.0)
    found = table([one, row("forest", 0.93, 0.2, engine="onnx"), stable.model_copy(update={"tag": one.tag})])
    assert found.row(one.tag).name == "forest", "the stable release is the same snapshot"
    assert found.choice(one).words.startswith("forest chosen among 2 models by accuracy on 500 rows")


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
    assert "2,700 [2,430, 3,240]" in as_text(model_selection_page(table([row("slow", 0.9, 900.0)]))), "in whole digits"


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


def test_a_label_belongs_to_one_point_and_those_of_the_front_are_all_there():
    # The first one is the best and the quickest.
    crowd = [row(f"model {at}", 0.9 - at / 1000, 1 + at / 50) for at in range(24)]
    chart = selection_chart(table(crowd))
    shown = {value["model"]: value["place"] for value in chart["data"]["values"]}
    assert [name for name, place in shown.items() if place < 0], "some have no room"
    assert all(value["place"] >= 0 for value in chart["data"]["values"] if value["state"] == "on the Pareto front")
    lines = chart["title"]["subtitle"]
    hidden = sum(place < 0 for place in shown.values())
    assert f"{hidden} of 24 points have no room for their name: hover over them" in lines
    svg = vl_convert.vegalite_to_svg(chart, vl_version="5.20")
    assert all((f">{name}<" in svg) == (place >= 0) for name, place in shown.items())
