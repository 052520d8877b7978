"""The estimated accuracy of answers that are probabilities, in the Monitor and in ``drift``."""

from __future__ import annotations

from datetime import timedelta

import pytest
import record_world
from monitored_scene import Monitored, began_two_hours_ago
from record_scene import settings

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.verbs import BY_NAME
from tests.contract.records.test_agreement_course import drawn

__all__ = ["settings"]


@pytest.fixture
def classifier(settings, monkeypatch):
    """An endpoint whose models answer probabilities."""
    began_two_hours_ago(monkeypatch)
    return Monitored(settings, answers=([0.2, 0.8], [0.9, 0.1]))


def classified(classifier, number, answer, actual=None):
    classifier.scene.world.record(number * 10, "aaa", "stable", [answer])
    if actual is not None:
        classifier.feedback(number, actual)


def test_probabilities_have_an_estimated_accuracy_without_ground_truth(classifier):
    for number in range(40):
        classified(classifier, number, [0.25, 0.75] if number % 2 else {"no": 0.9, "yes": 0.1})
    view = classifier.view("performance", since="24h")
    assert (view.rows, view.chart["title"]["text"]) == (0, "Accuracy, estimated")
    drawn(view.chart)
    rows = view.chart["data"]["values"]
    assert sum(row["rows"] * row["value"] for row in rows) / 40 == pytest.approx(0.825)
    assert {row["release"] for row in rows} == {"aaa, estimated"}
    assert "taken as calibrated" in view.estimate


def estimated(view):
    return {row["value"] for row in view.chart["data"]["values"] if row["release"] == "aaa, estimated"}


def test_the_most_probable_class_is_judged_and_earlier_rows_calibrate_the_estimate(classifier):
    """Half of 360 answers are right, and then all of 40."""
    for number in range(400):
        classified(classifier, number, {"no": 0.1, "yes": 0.9}, "yes" if number % 2 or number >= 360 else "no")
    view = classifier.view("performance", since=record_world.NOON + timedelta(hours=1))
    assert view.rows == 40
    drawn(view.chart)
    judged = [row for row in view.chart["data"]["values"] if row["release"] == "aaa"]
    assert sum(row["value"] * row["rows"] for row in judged) == pytest.approx(40)
    assert estimated(view) == {0.5}
    assert "calibrated on 360 earlier answers" in view.estimate
    assert "50 points off, by 40 rows" in view.estimate


def test_the_estimate_of_both_ranges_is_drawn(classifier):
    for number in range(60):
        classified(classifier, number, [0.25, 0.75] if number < 30 else [0.1, 0.9])
    middle = record_world.NOON + timedelta(seconds=300)
    view = classifier.view("performance", since=middle, compare_since=record_world.NOON, compare_until=middle)
    drawn(view.chart)
    values = {row["release"]: row["value"] for row in view.chart["data"]["values"]}
    assert values == {"aaa, estimated": 0.9, "aaa, compared range, estimated": 0.75}
    assert {row["start"] for row in view.chart["data"]["values"] if "compared" in row["release"]} <= {
        row["start"] for row in view.chart["data"]["values"] if "compared" not in row["release"]
    }


def test_ground_truth_of_the_range_itself_does_not_calibrate_the_estimate(classifier):
    for number in range(320):
        classified(classifier, number, {"no": 0.1, "yes": 0.9}, "yes" if number % 2 else "no")
    view = classifier.view("performance", since="24h")
    assert estimated(view) == {0.9}
    assert "taken as calibrated, since fewer than 300 earlier answers" in view.estimate
    assert "40 points off, by 320 rows" in view.estimate


def test_without_ground_truth_none_is_joined_and_a_sample_is_called_one(classifier, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.records.ground_truth._joined", None)
    for number in range(20):
        classified(classifier, number, [0.25, 0.75])
    assert "a sample of" not in classifier.view("performance", since="24h").estimate
    monkeypatch.setattr("jupyter_deploy.records.confidence.MOST_REQUESTS", 10)
    view = classifier.view("performance", since="24h")
    assert sum(row["rows"] for row in view.chart["data"]["values"]) == 10
    assert "a sample of the answers" in view.estimate


@pytest.mark.parametrize(("actuals", "rows"), [((0, 1, 1), 3), ((1, 2, 2), 0), (("no", "yes", "yes"), 0)])
def test_ground_truth_of_a_list_names_the_position_or_nothing_is_judged(classifier, actuals, rows):
    for number, actual in enumerate(actuals):
        classified(classifier, number, [0.3, 0.7], actual)
    view = classifier.view("performance", since="24h")
    assert view.rows == rows
    assert view.estimate


def test_labels_and_one_hot_integers_have_no_estimate(classifier):
    for number in range(10):
        classified(classifier, number, [0, 1] if number % 2 else "yes")
    view = classifier.view("performance", since="24h")
    assert (view.chart, view.estimate) == (None, "")


def test_drift_has_the_estimate_if_the_answers_are_probabilities(classifier):
    rows = [{"age": classifier.dice.gauss(45, 10)} for _ in range(1_000)]
    file = WatchFile(classifier.home, "tumour", "aaa")
    with file.locked():
        known = reference_of({"inputs": rows, "answers": [[0.2, 0.8], [0.9, 0.1]] * 500}, {"inputs": "training"})
        file.save(beginning(WatchState(reference=known)))
    for number in range(40):
        classified(classifier, number, [0.25, 0.75])
    operation = BY_NAME["drift"]
    result = operation.function(operation.request(name="tumour"), classifier.scene.ports, lambda _: None)
    assert (result.expected.rows, result.expected.accuracy) == (40, 0.75)
    assert "accuracy, estimated" in str(result)
