"""Candidates among hostile objects, many variables, and the first rows of an example."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_deploy.capture.candidates import NotebookFinder
from tests.contract.candidate_notebooks import (
    FRAME,
    LABELS,
    SPLIT,
    find,
)


def hostile():  # noqa: C901 - many ways to be hostile
    """Objects that note, or refuse, each time somebody runs their code."""
    heard = []

    def note(name):
        heard.append(name)
        raise RuntimeError(name)

    class Meta(type):
        def __getattr__(cls, name):
            note(name)

        def __eq__(cls, other):
            note("eq")

        __hash__ = None

    class Getting:
        def __getattr__(self, name):
            note(name)

    class Intercepting:
        def __getattribute__(self, name):
            note(name)

        def predict(self, rows):
            note("predict")

    class Disguised:
        __class__ = property(lambda self: note("class"))

        def predict(self, rows):
            note("predict")

    class Model:
        __dict__ = property(lambda self: note("dict"))
        feature_names_in_ = property(lambda self: note("features"))
        n_features_in_ = property(lambda self: note("width"))
        steps = property(lambda self: note("steps"))

        def predict(self, rows):
            note("predict")

        def __eq__(self, other):
            note("eq")

        def __hash__(self):  # noqa: PLE0309
            note("hash")

        def __len__(self):  # noqa: PLE0303
            note("len")

        def __bool__(self):  # noqa: PLE0304
            note("bool")

        def __repr__(self):
            note("repr")

    class Estimator(LogisticRegression):
        def __getattr__(self, name):
            note(name)

        feature_names_in_ = property(lambda self: note("features"))

    class Module(torch.nn.Module):
        def __getattr__(self, name):
            note(name)

        def forward(self, rows):
            note("forward")

    class Odd(metaclass=Meta):
        pass

    class Frame(pd.DataFrame):
        @property
        def columns(self):
            note("columns")

        @property
        def shape(self):
            note("shape")

    module = Module.__new__(Module)
    torch.nn.Module.__init__(module)
    pipe = make_pipeline(Estimator(), Model())
    objects = {
        "getting": Getting(), "intercepting": Intercepting(), "disguised": Disguised(), "model": Model(),
        "estimator": Estimator(), "module": module, "odd": Odd(), "kind": Odd, "meta": Meta, "pipe": pipe,
        "frame": Frame.__new__(Frame), "listed": [Getting(), Model()], "mapped": {"a": Model()},
    }  # fmt: skip
    heard.clear()
    return objects, heard


def test_no_user_code_runs_and_the_other_models_are_candidates_all_the_same():
    objects, heard = hostile()
    clf = LogisticRegression().fit(FRAME, LABELS)
    found = find({**objects, "clf": clf, **SPLIT}, "clf = fit()")
    assert heard == []
    assert found[0].variable == "clf"
    assert {one.variable for one in found} == {"clf", "model", "estimator", "module", "pipe"}


def test_a_look_changes_no_object_and_copies_none():
    model = torch.nn.Sequential(torch.nn.Linear(4, 1))
    clf = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, LABELS)
    before = (dict(vars(model)), dict(vars(clf)), model.training)
    find({"model": model, "clf": clf, **SPLIT})
    assert (dict(vars(model)), dict(vars(clf)), model.training) == before


def test_the_model_is_a_candidate_among_thousands_of_variables():
    objects, _ = hostile()
    namespace = {f"n{number}": number for number in range(5000)}
    namespace |= {f"o{number}": objects["getting"] for number in range(2000)} | {f"t{n}": FRAME for n in range(500)}
    found = find({**namespace, "clf": LogisticRegression().fit(FRAME, LABELS)})
    assert [one.variable for one in found] == ["clf"]
    assert len(found[0].examples) == 5


@pytest.mark.parametrize(
    ("value", "columns", "first", "words"),
    [
        (FRAME[:7], 4, ("0.12573", "-0.132105", "0.640423", "0.1049"), "7 rows, 4 columns"),
        (pd.DataFrame(np.zeros((9, 50))), 20, ("0",) * 20, "9 rows, 50 columns"),
        (pl.DataFrame({"a": [1, None]}), 1, ("1",), "2 rows, 1 column"),
        (np.arange(6).reshape(2, 3), 3, ("0", "1", "2"), "2 rows, 3 columns"),
        (torch.zeros(2, 3, 8, 8), 1, ("3 × 8 × 8 of torch.float32",), "2 rows of 3 × 8 × 8"),
        (["x" * 200], 1, ("x" * 79 + "…",), "1 row"),
        ([{"a": 1}, {"b": 2}], 2, ("1", "None"), "2 rows"),
        ({"age": 3, "row": [1] * 100}, 2, ("3", "[1, 1, 1, 1, 1, 1, ...]"), "one call's arguments by name"),
        (pd.Series(["a", "b"], name="text"), 1, ("a",), "2 rows"),
        (5, 1, ("5",), "one value"),
    ],
)
def test_the_first_rows_are_texts_and_cut(value, columns, first, words):
    table = NotebookFinder().first_rows(value)
    assert (len(table.columns), table.rows[0], table.words, table.problem) == (columns, first, words, "")
    assert len(table.rows) <= 5


def test_an_object_in_a_table_is_shown_by_its_type_alone():
    objects, heard = hostile()
    table = NotebookFinder().first_rows({"one": objects["model"], "two": b"abc", "three": np.zeros((2, 3))})
    assert table.rows == (("Model", "3 bytes", "ndarray 2 × 3"),)
    assert heard == []


def test_the_problem_of_an_example_is_shown_with_its_rows():
    assert NotebookFinder().first_rows(FRAME[:0]).problem == "the example is empty"
    assert "no example" in NotebookFinder().first_rows(None).problem
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    found = NotebookFinder().first_rows(twice)
    assert found.rows == (("1", "2"),)
    assert "several columns named a" in found.problem
