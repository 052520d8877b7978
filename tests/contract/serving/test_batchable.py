"""Whether rows get the same answers alone, together and in another order: joint calls, and the check of dependence."""

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


def ranked(rows):
    return rows[:, 0] + (rows[0, 0] > rows[-1, 0])


def pairs(rows):
    if len(rows) == 1:
        raise ValueError("a pair has two rows\nof the table")
    return rows[:, 0]


EQUAL = np.ones((2, 1))
UNEQUAL = np.array([[1.0], [2.0]])


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


@pytest.mark.parametrize(
    ("model", "example", "words"),
    [
        (doubled, UNEQUAL, ""),
        (only_ones, EQUAL, ""),
        (pairs, EQUAL, ""),
        (pairs, UNEQUAL, "rows of the example fail alone: ValueError: a pair has two rows"),
        (centred, UNEQUAL, "rows of the example get other answers alone than together: row 0"),
        (ranked, UNEQUAL, "rows of the example get other answers in another order: row 0"),
    ],
)
def test_a_row_whose_answer_depends_on_the_others_is_a_warning(tmp_path, model, example, words):
    snapshot = capture(ModelCapturer(tmp_path, Tolerance(), 60), model, example, "rows")
    found = [one for one in snapshot.manifest.findings if one.check == "row-dependence"]
    assert [one.severity for one in found] == (["warning"] if words else [])
    assert all(one.message.startswith(words) and "of the table" not in one.message for one in found)
