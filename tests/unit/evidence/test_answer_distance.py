"""The distance of two answers."""

import pytest

from jupyter_deploy.domain.evidence.answer_distance import distance


@pytest.mark.parametrize(
    ("one", "other", "size"),
    [
        (1.0, 3.5, 2.5),
        (2, 2.0, 0.0),
        ("benign", "malign", 1.0),
        ("benign", "benign", 0.0),
        (1, True, 1.0),
        (None, 0.5, 1.0),
        (None, None, 0.0),
        (1e308, -1e308, 1.0),
        ([[0.2, 0.8], [0.5, 0.5]], [[0.1, 0.9], [0.5, 0.5]], pytest.approx(0.1)),
        ({"a": 0.25, "b": 0.75}, {"b": 0.5, "a": 0.5}, 0.25),
        ({"a": 7}, {"b": 7}, 1.0),
        ({"a": 7, "b": 1}, {"a": 10}, 3.0),
        ([1.0, 2.0], [1.0], 1.0),
        ([5.0, 2.0], [1.0], 4.0),
        ([], {}, 1.0),
        ("ab", ["a", "b"], 1.0),
    ],
)
def test_the_largest_distance_of_two_values_at_one_place_counts(one, other, size):
    assert distance(one, other) == distance(other, one) == size
