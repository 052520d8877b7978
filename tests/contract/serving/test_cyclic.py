"""Recursive and deeply nested values: captured if possible, else refused with a remedy."""

import numpy as np
import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidExample, NotCapturable
from tests.contract.capturing import capture

pytestmark = pytest.mark.usefixtures("forked_replays")


class Node:
    def __init__(self, following):
        self.following = following

    def predict(self, rows):
        return [float(self.following.following is self) for _ in rows]


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


def nested(depth):
    found = 1
    for _ in range(depth):
        found = [found]
    return found


def cyclic():
    found = []
    found.append(found)
    return found


def test_a_model_whose_parts_refer_to_each_other_in_a_circle_is_captured(capturer):
    first = Node(None)
    first.following = Node(first)
    assert capture(capturer, first, np.ones((2, 2))).manifest.predictions == [1.0, 1.0]


def test_a_model_that_is_nested_too_deep_is_refused_with_the_limit(capturer):
    chain = None
    for _ in range(5000):
        chain = Node(chain)
    chain.predict = lambda rows: [1 for _ in rows]
    with pytest.raises(NotCapturable, match=r"model is nested too deep .* recursion limit \(\d+\)"):
        capture(capturer, chain, np.ones((2, 2)), method="predict")


@pytest.mark.parametrize("make", [cyclic, lambda: nested(5000)], ids=["cyclic", "deep"])
def test_an_example_and_an_answer_that_no_json_can_hold_are_refused(capturer, make):
    with pytest.raises(InvalidExample, match="contains itself, or is nested too deep"):
        capture(capturer, lambda x: 1, make())
    with pytest.raises(InvalidExample, match="contains itself, or is nested too deep"):
        capture(capturer, lambda x: make(), 1)
