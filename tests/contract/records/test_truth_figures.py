"""Comparisons by ground truth: accuracy, absolute errors, labelled shares."""

from __future__ import annotations

import json
import random
import statistics

import pytest
from record_world import CANARY, World, endpoint

from jupyter_deploy.domain.evidence.sequential import Mean
from jupyter_deploy.domain.gates.figures import evaluate, parse_requirement
from jupyter_deploy.faces.render.render import text


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def tell(world, number, actual, row=0):
    """Feedback as a release writes it."""
    line = {"ts": "2026-11-25T18:00:00.000000000Z", "item": 0, "endpoint": "tumour", "request_id": f"r{number}"}
    world._append(world.home / "feedback" / "tumour" / "1-1.v1.jsonl", line | {"row": row, "actual": actual})


def labels(found, by):
    return {share.value: (share.labelled, share.requests) for share in found.labelled if share.by == by}


def test_without_feedback_there_is_no_figure(world):
    world.pair(1)
    found = world.compare()
    assert (found.accuracy_difference, found.absolute_error_difference, found.labelled) == (None, None, [])
    outcome = evaluate(parse_requirement("accuracy_difference >= -0.01"), found)
    assert (outcome.outcome, "feedback" in outcome.why) == ("undecided", True)


def test_accuracy_is_compared_on_the_same_rows_as_soon_as_their_truth_joins(world):
    for number in range(200):
        world.pair(number, ["a"], ["a" if number % 2 else "b"])
        if number < 120:
            tell(world, number, "a" if number % 4 else "b")
    found = world.compare()
    # Of 120: the 60 odd ones are right in both; of the even ones 30 are right in stable alone, 30 in the candidate.
    assert found.accuracy_difference == Mean({1.0: 30, -1.0: 30, 0.0: 60}, low=-1.0).estimate()
    assert labels(found, "predicted") == {"a": (120, 200)}
    assert any("60% of 200 requests have ground truth" in note for note in found.notes)
    assert "accuracy, candidate − stable" in text(found)


def test_a_withdrawn_or_later_value_counts_as_it_is_now(world):
    for number in range(3):
        world.pair(number, ["a"], ["b"])
        tell(world, number, "a")
    tell(world, 0, "b")
    line = {"item": 1, "endpoint": "tumour", "row": 0, "ts": "2026-11-25T19:00:00.000000000Z"}
    for number, actual in ((0, "b"), (1, None)):
        world._append(
            world.home / "feedback" / "tumour" / "1-1.v1.jsonl", line | {"request_id": f"r{number}", "actual": actual}
        )
    found = world.compare()
    assert (found.accuracy_difference.n, found.accuracy_difference.value) == (2, 0.0)


def test_rows_of_a_request_and_requests_of_a_user_are_one_unit(world):
    for number in range(12):
        world.pair(number, ["a", "a"], ["a", "b"], stable_fields={"cluster": f"{number % 3:016x}"})
        for row in (0, 1):
            tell(world, number, "a", row)
    assert world.compare().accuracy_difference == Mean({-0.5: 3}, low=-1.0).estimate()


@pytest.mark.parametrize(("rise", "outcome"), [(0.0, "met"), (0.2, "not met")])
def test_an_accuracy_can_be_required(world, rise, outcome):
    for number in range(800):
        wrong = number % 100 < 100 * rise
        world.pair(number, ["a"], ["b" if wrong else "a"])
        tell(world, number, "a")
    found = world.compare()
    assert evaluate(parse_requirement("accuracy_difference >= -0.01"), found).outcome == outcome


def test_absolute_errors_of_numbers_are_compared_by_the_median(world):
    chance, differences = random.Random(1), []
    for number in range(50):
        stable, candidate, actual = (chance.gauss(10, 2) for _ in range(3))
        world.pair(number, [stable], [candidate])
        tell(world, number, actual)
        differences.append(abs(candidate - actual) - abs(stable - actual))
    found = world.compare(dtype="float64")
    assert found.accuracy_difference is None
    assert found.absolute_error_difference.value == pytest.approx(statistics.median(differences))
    assert found.absolute_error_difference.n == 50
    assert evaluate(parse_requirement("absolute_error_difference <= 5"), found).outcome == "met"


def test_a_canarys_accuracy_is_weighed_by_its_share(world):
    chance, values = random.Random(2), []
    for number in range(600):
        canary = chance.random() < 0.2
        world.record(number, "bbb" if canary else "aaa", "canary" if canary else "stable", ["a"])
        actual = "a" if chance.random() < (0.9 if canary else 0.7) else "b"
        tell(world, number, actual)
        values.append((actual != "a") * (1 if canary else -0.25))
    found = world.compare(endpoint(**CANARY)).accuracy_difference
    assert found.value == pytest.approx(-statistics.fmean(values) / 0.2)
    assert found.interval.low <= found.value <= found.interval.high
    assert found.n == 600


def test_labels_that_depend_on_the_class_are_a_warning(world):
    for number in range(400):
        answer = "yes" if number % 2 else "no"
        world.pair(number, [answer])
        if answer == "no" or number % 20 == 1:
            tell(world, number, answer)
    found = world.compare()
    assert labels(found, "predicted") == {"no": (200, 200), "yes": (20, 200)}
    assert labels(found, "age") == {"up to an hour": (220, 400)}
    (note,) = [note for note in found.notes if "depends on" in note]
    assert note.startswith(
        "the share of requests with ground truth depends on their predicted class (10% of 'yes', 100% "
    )


def test_the_figures_survive_the_way_through_json(world):
    world.pair(1)
    tell(world, 1, "x")
    found = world.compare()
    assert type(found).model_validate(json.loads(found.model_dump_json())) == found
