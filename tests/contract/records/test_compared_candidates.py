"""Which of several models is the first guess, and the rows of a model that takes one column or a dict of columns."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api
from sklearn.ensemble import IsolationForest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.contract.candidate_notebooks import FRAME, LABELS, SPLIT, answered, define, find

x = np.linspace(0, 9, 40)
y = 2 * x + 1


def detector():
    return IsolationForest(n_estimators=2).fit(FRAME)


def asked_about(namespace):
    """The models that a form asks about, best first."""
    return [one.variable for one in find({**SPLIT, **namespace}) if one.unusual]


def test_a_detector_of_outliers_is_asked_about_unless_it_is_the_notebooks_only_model():
    alone = {"detector": detector(), "scaler": StandardScaler().fit(FRAME), "new": SVC()}
    assert asked_about(alone) == ["new", "scaler"]
    assert find({**SPLIT, **alone})[0].variable == "detector"
    assert "detector" in asked_about({**alone, "svc": SVC().fit(FRAME, LABELS)})
    assert asked_about({"detector": detector(), "other": detector()}) == ["other", "detector"]
    assert asked_about(define("def odd(rows):\n    return detector.predict(rows) < 0", detector=detector())) == [
        "detector"
    ]


def fitted():
    return LogisticRegression().fit(FRAME, LABELS)


def first(*cells):
    """The first guess of a notebook that trains a pipeline and a plain model."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, LABELS)
    return find({"pipe": pipeline, "plain": fitted(), **SPLIT}, *cells)[0].variable


TRAINED = (
    "pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)\nplain = LogisticRegression().fit(X, y)"
)


@pytest.mark.parametrize(
    ("cells", "variable"),
    [
        ((TRAINED, "pipe.score(X, y)", "plain.score(X, y)"), "pipe"),  # a comparison
        ((TRAINED, "pipe.score(X, y)", "plain.score(X, y)", "plain.predict(X_test)"), "plain"),  # it goes on with one
        ((TRAINED, "plain.score(X, y)"), "plain"),
        ((*TRAINED.split("\n"), "pipe.score(X, y)", "plain.score(X, y)"), "plain"),  # one after the other
    ],
)
def test_the_order_of_the_cells_of_a_comparison_does_not_decide(cells, variable):
    assert first(*cells) == variable


def test_of_models_of_the_same_cell_the_one_of_the_last_statement_comes_first():
    namespace = {"one": fitted(), "two": fitted(), **SPLIT}
    trained = "one = LogisticRegression().fit(X, y)\ntwo = LogisticRegression().fit(X, y)"
    for last, cell in {
        "one": "two.score(X, y)\none.score(X, y)",
        "two": "one.score(X, y)\ntwo.score(X, y)",
    }.items():
        assert find(namespace, trained, cell)[0].variable == last


COLUMNS = {
    "a new axis": (LinearRegression().fit(x[:, None], y), "model.fit(x[:, np.newaxis], y)", "x[:5].reshape(-1, 1)"),
    "reshaped": (LinearRegression().fit(x[:, None], y), "model.fit(x.reshape(-1, 1), y)", "x[:5].reshape(-1, 1)"),
    "a frame of a column": (LinearRegression().fit(x[:, None], y), "model.predict(s.to_frame())", "s[:5].to_frame()"),
    "numbers": (IsotonicRegression().fit(x, y), "model.fit(x, y)\nmodel.predict(x_test)", "x_test[:5]"),
    "a column of numbers": (IsotonicRegression().fit(x, y), "model.predict(s)", "s[:5].tolist()"),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_that_the_notebook_passes_to_a_model_is_its_example_and_no_other_is(kind):
    model, cell, expression = COLUMNS[kind]
    namespace = {"model": model, "x": x, "x_test": x[::-1].copy(), "s": pd.Series(x), "y": y, "weights": y}
    found = find(namespace, "x, x_test, s, y, weights = load()", cell)[0]
    guesses = answered(found, namespace)
    assert guesses[0] == expression
    assert len(guesses) == cell.count("model.")


@pytest.mark.parametrize(
    ("imported", "expression"),
    [({"pd": pd}, "pd.DataFrame(data)[['x1']][:5]"), ({}, "{'x1': data['x1'][:5]}")],
)
def test_a_formula_over_a_dict_of_columns_gets_its_columns_and_no_table_of_another_shape(imported, expression):
    data = {"x1": x, "y": y}
    model = statsmodels.formula.api.ols("y ~ x1 + np.sin(x1)", data=data).fit()
    namespace = {"model": model, "data": data, "X": np.column_stack((x, x)), "texts": {"x1": "a"}, **imported}
    assert answered(find(namespace)[0], namespace) == [expression]
