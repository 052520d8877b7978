"""The dialog's first guess of model and example in tutorials of packages, each in a real kernel."""

import pytest

from scripts.tutorials.guesses import guess
from scripts.tutorials.labels import TUTORIALS

QUICK = ("skl2onnx-voting", "sklearn-digits", "sklearn-gmm", "statsmodels-robust")
"""An export of a model, the plain case, rows that the notebook predicts, a design without names of columns."""


@pytest.mark.parametrize(
    "tutorial",
    [
        pytest.param(one, id=one.name, marks=[] if one.name in QUICK else pytest.mark.exhaustive)
        for one in TUTORIALS
    ],
)  # fmt: skip
def test_the_dialog_selects_what_the_label_says_unless_a_reason_is_known(tutorial, home, monkeypatch):
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MPLBACKEND", "agg")
    made = guess(tutorial)
    assert made.right == (tutorial.reason == ""), (made.model, made.example, made.ranked)
