"""Structured answers, field by field."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.answer_fields import (
    MOST_CHARACTERS,
    MOST_TRACKED,
    FieldTracker,
    changes,
    is_probabilities,
)
from jupyter_deploy.domain.evidence.answer_shapes import calibration, png_size, shapes

RULE = Rule("object")


def differing(stable, candidate, rule=RULE):
    tracker = FieldTracker(rule)
    _, mask = tracker.compare(stable, candidate)
    return {
        field.path + ("" if field.aspect == "value" else f" {field.aspect}")
        for field, bit in tracker.fields.items()
        if mask >> bit & 1
    }


@pytest.mark.parametrize(
    ("stable", "candidate", "expected"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2, "d": 4}}, {"b.d"}),
        ({"a": 1}, {"a": 1, "b": 2}, {"b"}),
        ({"a": 1.0}, {"a": 1.0000000001}, set()),
        (["x", "y"], ["y", "x"], {" order", "[0]", "[1]"}),
        (["x", "y"], ["x", "y", "y"], {" order", " length", "[2]"}),
        ([1.5, 2.5], [1.5, 2.75], {"[1]"}),
        ([0.75, 0.25], [0.25, 0.75], {" argmax", "[0]", "[1]"}),
        ({"cat": 0.75, "dog": 0.25}, {"cat": 0.625, "dog": 0.375}, {"cat", "dog"}),
        ([{"box": 1}, {"box": 2}], [{"box": 2}, {"box": 1}], {" order"}),
        (list(range(30)), list(range(1, 31)), {" order", " set"}),
        ({"a": [1]}, {"a": "1"}, {"a"}),
    ],
)
def test_the_fields_that_differ_have_their_bits(stable, candidate, expected):
    assert differing(stable, candidate) == expected


VALUES = st.recursive(
    st.integers(-3, 3) | st.sampled_from([0.5, 0.5000000001, 1.0, "a", None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES, st.sampled_from(["object", "float64", "int64"]))
def test_the_match_is_the_rules_and_two_that_agree_have_no_field_that_differs(stable, candidate, dtype):
    rule = Rule(dtype)
    match, mask = FieldTracker(rule).compare(stable, candidate)
    assert match == rule.compare(stable, candidate)
    if match.agree:
        assert FieldTracker(rule).compare(stable, stable)[1] == 0
    else:
        assert mask != 0


def test_no_more_fields_are_tracked_than_there_are_bits():
    tracker = FieldTracker(RULE)
    _, mask = tracker.compare({str(n): n for n in range(100)}, {str(n): -n - 1 for n in range(100)})
    assert (len(tracker.fields), mask) == (MOST_TRACKED, (1 << MOST_TRACKED) - 1)
    assert mask < 1 << 63


def test_changes_are_short_and_of_the_fields_that_differ():
    found = changes(RULE, {"text": "a" * 9000, "n": 1, "same": 2}, {"text": "b" * 9000, "n": 2, "same": 2})
    assert [one.field for one in found] == ["text", "n"]
    assert all(len(one.stable) <= MOST_CHARACTERS + 1 for one in found)
    assert found[0].stable.endswith("…")
    assert changes(RULE, "a", "b") == changes(RULE, {"a": 1}, None) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.5], True),
        ([1, 0], False),
        ([0.5, 0.4], False),
        ([1.0], False),
        ({"a": 0.25, "b": 0.75}, True),
        ("ab", False),
    ],
)
def test_probabilities_sum_to_one(values, expected):
    assert is_probabilities(values) is expected


def test_a_calibration_has_the_probabilities_of_stables_class():
    bins = calibration([([0.05, 0.95], [0.15, 0.85]), ([0.08, 0.92], [0.02, 0.98]), ([0.6, 0.4], [0.6, 0.4])])
    assert [(one.low, one.rows) for one in bins] == [(0.4, 1), (0.9, 2)]
    assert (bins[1].stable, bins[1].candidate) == (pytest.approx(0.935), pytest.approx(0.915))
    three = calibration([([0.1, 0.7, 0.2], [0.1, 0.5, 0.4])])
    assert (three[0].stable, three[0].candidate) == (0.7, 0.5)


def test_texts_lists_and_images_have_their_sizes():
    image = io.BytesIO()
    Image.new("RGB", (64, 48)).save(image, "PNG")
    picture = base64.b64encode(image.getvalue()).decode()
    rows = [
        (
            {"text": f"{n} " * 200, "tags": ["a", "b"], "image": picture},
            {"text": f"{n} " * 200, "tags": ["b"], "image": picture},
        )
        for n in range(5)
    ]
    found = {shape.kind: shape for shape in shapes(rows)}
    assert (found["text"].field, found["text"].exact, found["text"].stable["max"]) == ("text", 1.0, 400)
    assert (found["list"].overlap, found["list"].candidate) == (0.5, {"p50": 1, "max": 1})
    assert (found["image"].stable, found["image"].exact) == ({"width": 64, "height": 48}, 1.0)


@pytest.mark.parametrize("text", ["", "iVBORw0KGgo", "iVBORw0KGgo!" + "A" * 60])
def test_a_text_that_only_looks_like_an_image_has_no_size(text):
    assert png_size(text) is None


def test_short_labels_are_no_texts():
    assert shapes([("yes", "no"), ("no", "no")]) == []
