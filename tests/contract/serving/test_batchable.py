"""Whether the replay allows joint calls: rows that get the same answers alone, together and in another order."""

import numpy as np
import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from tests.contract.capturing import capture

pytestmark = pytest.mark.usefixtures("forked_replays")


def doubled(rows):
    return rows[:, 0] * 2


def centred(rows):
    return rows[:, 0] - rows[:, 0].mean()


def only_ones(rows):
    if (rows != 1.0).any():
        raise ValueError("an unknown customer")
    return rows[:, 0]


def constant(rows):
    return np.ones(len(rows))


EQUAL = np.ones((2, 1))


@pytest.mark.parametrize(
    ("model", "example", "expected"),
    [
        (doubled, np.array([[1.0], [2.0]]), True),
        (doubled, EQUAL, True),
        (doubled, EQUAL[:1], True),
        (centred, np.array([[1.0], [2.0]]), False),
        (centred, EQUAL, False),
        (centred, EQUAL[:1], False),
        (only_ones, EQUAL, False),
        (constant, np.array([["a"], ["a"]]), False),
    ],
)
def test_equal_rows_are_changed_a_little_to_find_out(tmp_path, model, example, expected):
    snapshot = capture(ModelCapturer(tmp_path, Tolerance(), 60), model, example, "rows")
    assert snapshot.manifest.batchable is expected
