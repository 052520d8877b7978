"""The differences of answers in a comparison of real record files: refusals, counts, numbers, fields."""

from __future__ import annotations

import random
import statistics

import pytest
from record_world import CANARY, World, endpoint

from jupyter_deploy.faces.render.render import text


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def refusal(message):
    return {"status": 422, "outputs": None, "error": {"type": "ValueError", "message": message}}


# ---- refusals and counts


def test_refused_requests_have_their_reasons_and_the_other_releases_answers(world):
    age = "instances.3.age: must be a number, not 'x'"
    for number in range(12):
        world.pair(number, stable_fields=refusal(age), **(refusal(age) if number < 10 else {}))
    world.pair(20, stable_fields=refusal("the body is empty"), status=500, outputs=None)
    world.pair(21, **refusal("the model has no column 'b'"))
    world.record(22, "aaa", "stable", **refusal(age))  # the shadow has no record of it
    world.pair(23)
    found = world.compare()
    assert (found.refused.stable, found.refused.candidate) == (14, 11)
    first, *rest = found.refusals
    assert (first.release, first.status, first.reason, first.requests) == ("stable", 422, "age: must be a number", 13)
    assert first.other == {"422": 10, "200": 2}
    assert {(one.release, one.reason): one.other for one in rest} == {
        ("candidate", "age: must be a number"): {"422": 10},
        ("stable", "the body is empty"): {"500": 1},
        ("candidate", "the model has no column 'b'"): {"200": 1},
    }
    assert "age: must be a number" in text(found)


def test_a_canary_refuses_other_requests_than_stable(world):
    for number in range(6):
        world.record(number, "bbb" if number < 2 else "aaa", "canary" if number < 2 else "stable", **refusal("no"))
    found = world.compare(endpoint(**CANARY))
    assert (found.refused.stable, found.refused.candidate) == (4, 2)
    assert [(one.release, one.requests, one.other) for one in found.refusals] == [
        ("stable", 4, {}),
        ("candidate", 2, {}),
    ]


def test_at_most_ten_reasons_of_each_release_are_returned(world):
    for number in range(30):
        world.pair(number, stable_fields=refusal(f"column {number // 2}"))
    found = world.compare()
    assert (len(found.refusals), found.refused.stable) == (10, 30)


def test_answers_are_counted_for_both_and_the_rest_is_one(world):
    for number in range(30):
        world.pair(number, [f"label {number:02}"] * (30 - number), ["label 00"] * (30 - number))
    found = world.compare().answers
    assert (len(found), found[0].answer, found[0].stable, found[0].candidate) == (21, "label 00", 30, 465)
    assert (found[-1].answer, found[-1].stable, found[-1].candidate) == ("", sum(range(1, 11)), 0)


def test_long_answers_are_counted_by_their_beginning_and_a_digest(world):
    for number in range(4):
        world.pair(number, ["x" * 5000 + ("y" if number else "z")])
    found = world.compare()
    assert [one.stable for one in found.answers] == [3, 1]
    assert all(len(one.answer) < 120 for one in found.answers)
    assert {one.answer for one in found.answers} == set(found.sides["candidate"].answers)


def test_numbers_have_no_counts_of_answers(world):
    world.pair(1, [0.5])
    assert world.compare(dtype="float64").answers == []


# ---- numbers


def test_numbers_are_compared_as_numbers(world):
    chance = random.Random(1)
    differences = [chance.gauss(0.5, 2.0) for _ in range(300)]
    for number, difference in enumerate(differences):
        world.pair(number, [10.0 + number], [10.0 + number + difference])
    found = world.compare(dtype="float64", absolute=1.0, relative=0.0)
    numbers = found.numbers
    assert numbers.rows == 300
    assert numbers.mean == pytest.approx(statistics.fmean(differences))
    assert numbers.bias.value == pytest.approx(statistics.median(differences))
    assert numbers.bias.interval.low < 0.5 < numbers.bias.interval.high
    assert numbers.spread.interval.low < 2 * 2 * 0.6745 < numbers.spread.interval.high
    assert numbers.spread.n == numbers.bias.n == 300
    assert numbers.absolute["max"] == pytest.approx(max(map(abs, differences)))
    assert numbers.relative == found.relative_difference
    assert numbers.within_tolerance == pytest.approx(sum(abs(d) <= 1 for d in differences) / 300)
    assert sum(one.rows for one in numbers.histogram) == 300
    assert len(numbers.histogram) <= 32
    edges = [(one.high, other.low) for one, other in zip(numbers.histogram, numbers.histogram[1:], strict=False)]
    assert all(high == low for high, low in edges)
    assert (numbers.histogram[0].low, numbers.histogram[-1].high) == pytest.approx((min(differences), max(differences)))
    assert len(numbers.pairs) == 300
    assert {one.agree for one in numbers.pairs} == {True, False}


def test_pairs_are_a_bounded_sample_that_stays_the_same(world):
    for number in range(700):
        world.pair(number, [float(number)], [number + 0.25])
    first = world.compare(dtype="float64").numbers.pairs
    assert (len(first), first) == (500, world.compare(dtype="float64").numbers.pairs)
    assert len({one.stable for one in first}) == 500
    assert all(one.candidate - one.stable == 0.25 for one in first)


def test_rows_of_one_request_are_one_unit_of_the_bias(world):
    for number in range(20):
        world.pair(number, [1.0] * 3, [1.0 + number] * 3)
    numbers = world.compare(dtype="float64").numbers
    assert (numbers.rows, numbers.bias.n, numbers.bias.value) == (60, 20, 9.5)


@pytest.mark.parametrize("outputs", [["a"], [1], [{"x": 1.5}]])
def test_other_answers_are_no_numbers(world, outputs):
    world.pair(1, outputs)
    assert world.compare(dtype="object").numbers is None


def test_equal_and_extreme_numbers_have_a_histogram(world):
    for number in range(10):
        world.pair(number, [1.0])
    assert [(one.low, one.high, one.rows) for one in world.compare(dtype="float64").numbers.histogram] == [(0, 0, 10)]
    for number in range(10, 20):
        world.pair(number, [0.0], [1.7e308])  # their sum is no number
    world.pair(20, [-1e308], [1e308])  # nor is this difference
    numbers = world.compare(dtype="float64").numbers
    assert (numbers.rows, len(numbers.histogram)) == (10, 1)


# ---- fields


def structured(number, *, score=0.5, tags=("a", "b"), **more):
    return {"label": "yes", "score": score, "tags": list(tags), "place": {"city": "Bern", "zip": number}, **more}


def test_each_field_has_an_agreement_of_its_own(world):
    for number in range(100):
        worse = {"score": 0.75} if number % 2 else {}
        swapped = {"tags": ("b", "a")} if number % 4 == 0 else {}
        world.pair(number, [structured(number)], [structured(number, **worse, **swapped)])
    found = world.compare(dtype="object")
    fields = {(one.field, one.aspect): one for one in found.fields}
    assert found.fields[0].field == "score"
    assert (fields["score", "value"].differ, fields["score", "value"].agreement.value) == (50, 0.5)
    assert (fields["tags", "order"].differ, fields["tags", "set"].differ) == (25, 0)
    assert (fields["tags[0]", "value"].differ, fields["tags", "length"].differ) == (25, 0)
    assert (fields["place.city", "value"].agreement.value, fields["label", "value"].differ) == (1.0, 0)
    assert fields["score", "value"].agreement.n == 100
    assert found.fields_total == len(found.fields) == 9
    assert "score" in text(found)


def test_answers_that_all_agree_have_fields_too(world):
    for number in range(5):
        world.pair(number, [structured(number)])
    found = world.compare(dtype="object").fields
    assert {one.field for one in found} >= {"label", "score", "place.city"}
    assert all(one.differ == 0 for one in found)


def test_a_row_without_a_common_form_differs_in_every_field(world):
    for number in range(4):
        world.pair(number, [{"a": 1, "b": 2}], [{"a": 1, "b": 3}] if number else [None])
    world.pair(4, [{"a": 1, "b": 2}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}])
    fields = {one.field: one.differ for one in world.compare(dtype="object").fields}
    assert fields == {"b": 5, "a": 2}


def test_at_most_twenty_fields_are_shown_the_most_different_first(world):
    wide = {f"f{place:02}": place for place in range(70)}
    for number in range(3):
        world.pair(number, [wide], [wide | {"f31": -1}])
    found = world.compare(dtype="object")
    assert (len(found.fields), found.fields_total, found.fields[0].field) == (20, 62, "f31")


def test_probabilities_have_flips_of_the_class_and_a_calibration(world):
    for number in range(60):
        p = (number + 0.5) / 60
        q = min(p + 0.1, 1.0)
        world.pair(number, [[1 - p, p]], [[1 - q, q]])
    found = world.compare(dtype="float64")
    argmax = next(one for one in found.fields if one.aspect == "argmax")
    assert (argmax.field, argmax.differ) == ("", 6)
    (shape,) = found.shapes
    assert (shape.kind, shape.rows, sum(one.rows for one in shape.calibration)) == ("probabilities", 60, 60)
    assert shape.calibration[0].candidate - shape.calibration[0].stable == pytest.approx(0.1)


def test_a_flip_has_the_fields_that_differ_only(world):
    world.pair(1, [structured(1, note="old")], [structured(1, score=0.75, extra=None)])
    changes = {one.field: (one.stable, one.candidate) for one in world.compare(dtype="object").flips[0].changes}
    assert changes == {"score": ("0.5", "0.75"), "note": ('"old"', ""), "extra": ("", "null")}


def test_labels_have_no_fields(world):
    world.pair(1, ["a"], ["b"])
    found = world.compare()
    assert (found.fields, found.fields_total, found.shapes, found.flips[0].changes) == ([], 0, [], [])


# ---- phases

UNSHARED = {"canary": None, "share": None}


def test_a_canary_that_was_a_shadow_has_the_evidence_of_both_phases(world):
    for number in range(60):
        world.pair(number, ["a"], ["a" if number % 10 else "b"], stable_fields=UNSHARED)
    for number in range(100, 200):
        of_canary = number % 5 == 0
        world.record(number, "bbb" if of_canary else "aaa", "canary" if of_canary else "stable")
    found = world.compare(endpoint(**CANARY))
    shadow, canary = found.phases
    assert (shadow.role, shadow.paired, shadow.pairs, shadow.agreement.value) == ("shadow", True, 60, 0.9)
    assert (canary.role, canary.paired, canary.requests, canary.agreement) == ("canary", False, 20, None)
    assert shadow.last < canary.first
    assert (canary.verdict, canary.reason) == (found.verdict, found.reason)
    assert not found.paired
    assert "phases of the candidate" in text(found)
    assert [phase.role for phase in world.compare().phases] == ["shadow", "canary"]


def test_one_role_is_no_phases(world):
    world.pair(1, stable_fields=UNSHARED)
    assert world.compare().phases == []
    for number in range(100, 105):
        world.record(number, "bbb", "canary")  # stable has no record that shares requests with it
    assert world.compare().phases == []
