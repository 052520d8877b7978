"""Agreement of answers, and the lists of differences."""

from __future__ import annotations

import pytest

from jupyter_deploy.serving.agreement import differences, structure_differences


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ([1, "a", None, True], [1, "a", None, True]),
        ([1], [1.0]),
        ([1.0], [1.0 + 1e-10]),
        ([{"a": [1.0, 2.0]}], [{"a": [1.0, 2.0 + 1e-10]}]),
        ([2**70], [2**70]),
        ([], []),
    ],
)
def test_equal_answers_agree(expected, got):
    assert differences(expected, got, rtol=1e-9, atol=1e-9) == []


@pytest.mark.parametrize(
    ("expected", "got", "message"),
    [
        ([0, 1], [0, 0], "row 1: expected 1, got 0"),
        ([True], [1], "row 0: expected True, got 1"),
        (["1"], [1], "row 0: expected '1', got 1"),
        ([None], [0.0], "row 0: expected null, got 0.0"),
        ([1.0], [1.1], "row 0: expected 1.0, got 1.1"),
        ([1000000], [1000001], "row 0: expected 1000000, got 1000001"),
        ([2**70], [2**70 + 1], f"row 0: expected {2**70}, got {2**70 + 1}"),
        ([[1, [2]]], [[1, [3]]], "row 0[1][0]: expected 2, got 3"),
        ([[1, 2]], [[1]], "row 0: expected 2 items, got 1"),
        ([{"p": 0.5}], [{"p": 0.6}], "row 0, 'p': expected 0.5, got 0.6"),
        ([{"p": 0.5}], [{}], "row 0: missing 'p'"),
        ([{}], [{"q": 1}], "row 0: unexpected 'q'"),
        ([1, 2], [1], "expected 2 answers, got 1"),
    ],
)
def test_a_difference_has_its_location(expected, got, message):
    assert differences(expected, got, rtol=1e-4, atol=1e-6) == [message]


def test_the_list_of_differences_respects_its_limit():
    told = differences([0] * 30, [1] * 30, rtol=0, atol=0, limit=2)
    assert told == ["row 0: expected 0, got 1", "row 1: expected 0, got 1", "… and 28 more differences"]


def test_the_tolerance_is_relative_to_the_expected_value():
    assert differences([100.0], [101.0], rtol=0.01, atol=0) == []
    assert differences([99.0], [100.0], rtol=0.01, atol=0) != []


@pytest.mark.parametrize(
    ("expected", "got", "told"),
    [
        ([0.1, "a"], [77, "b"], []),
        ([[1, 2], {"a": True}], [[3, 4], {"a": False}], []),
        ([1], ["1"], ["row 0: expected a number, got a string"]),
        ([[1, 2]], [[1]], ["row 0: expected 2 items, got 1"]),
        ([{"a": [1]}], [{"a": [None]}], ["row 0, 'a'[0]: expected a number, got null"]),
        ([1], [], ["expected 1 answers, got 0"]),
    ],
)
def test_a_stochastic_models_answers_need_the_same_structure_only(expected, got, told):
    assert structure_differences(expected, got) == told
