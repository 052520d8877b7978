"""Candidates in a notebook: the likeliest model first, with examples that it can answer."""

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.formula.api
import torch
import xgboost
from catboost import CatBoostClassifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from jupyter_deploy.capture.candidates import NotebookFinder
from tests.contract.candidate_notebooks import (
    ARRAYS,
    FRAME,
    LABELS,
    OPINIONS,
    SPLIT,
    TEXTS,
    answered,
    define,
    find,
)


class Rules:
    """Somebody's own model."""

    def predict(self, rows):
        return [len(row) for row in rows]


class Net(torch.nn.Module):
    """As people write them in a cell."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(4, 8)
        self.out = torch.nn.Linear(8, 1)

    def forward(self, rows):
        return self.out(torch.relu(self.hidden(rows)))


class Words(torch.nn.Module):
    """Of numbered words."""

    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(50, 4)

    def forward(self, tokens):
        return self.words(tokens).mean(dim=1)


MODELS = {
    "an estimator": (LogisticRegression().fit(FRAME, LABELS), SPLIT, "X_test[:5]"),
    "a pipeline": (make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, LABELS), SPLIT, "X_test[:5]"),
    "a search": (GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2).fit(FRAME, LABELS), SPLIT, "X_test[:5]"),
    "of arrays": (RandomForestClassifier(3).fit(FRAME.to_numpy(), LABELS), ARRAYS | SPLIT, "A_test[:5]"),
    "xgboost": (xgboost.XGBClassifier(n_estimators=2).fit(FRAME, LABELS), SPLIT, "X_test[:5]"),
    "lightgbm": (lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(FRAME, LABELS), SPLIT, "X_test[:5]"),
    "a booster": (xgboost.train({}, xgboost.DMatrix(FRAME, LABELS), 2), SPLIT, "X_test[:5]"),
    "catboost": (CatBoostClassifier(iterations=2, verbose=False, allow_writing_files=False).fit(FRAME, LABELS), SPLIT,
                 "X_test[:5]"),
    "statsmodels": (statsmodels.formula.api.ols("weight ~ age + dose", FRAME).fit(), {"df": FRAME},
                    "df[['age', 'dose']][:5]"),
    "polars": (
        LogisticRegression().fit(pl.DataFrame(FRAME.to_dict("list")), LABELS),
        {"frame_test": pl.DataFrame(FRAME.to_dict("list"))},
        "frame_test[:5]",
    ),
    "more columns": (
        LogisticRegression().fit(FRAME[["dose", "age"]], LABELS),
        {"df": FRAME},
        "df[['dose', 'age']][:5]",
    ),
    "texts": (make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, OPINIONS),
              {"texts": TEXTS, "opinions": OPINIONS, "more_texts_test": pd.Series(TEXTS[:3]), **SPLIT},
              "more_texts_test[:5]"),
    "columns of texts": (
        make_pipeline(
            make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town"]), remainder="passthrough"),
            LogisticRegression(),
        ).fit(pd.DataFrame({"town": ["Ulm", "Ost"] * 5, "age": range(10)}), [0, 1] * 5),
        {"people": pd.DataFrame({"town": ["Ulm", "Ost"] * 5, "age": range(10)}), **SPLIT},
        "people[:5]",
    ),
    "a module": (
        torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 1)),
        {"inputs": torch.randn(30, 4), "labels": torch.randn(30), "other": torch.randn(30, 5), **SPLIT},
        "inputs[:5]",
    ),
    "somebody's own module": (
        Net(),
        {"X_train": torch.randn(30, 4), "X_val": torch.randn(9, 4), "hidden": torch.randn(9, 8)},
        "X_val[:5]",
    ),
    "a module of numbered words": (
        Words(),
        {"tokens": torch.randint(0, 50, (9, 7)), "rows": torch.randn(9, 7)},
        "tokens[:5]",
    ),
    "a module whose rows are a frame": (
        torch.nn.Linear(4, 1),
        {"torch": torch, **SPLIT},
        "torch.tensor(X_test[:5].to_numpy(), dtype=torch.float32)",
    ),
    "a module of images": (
        torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.LazyLinear(2)),
        {"images": torch.randn(6, 3, 8, 8), "grey": torch.randn(6, 1, 8, 8)},
        "images[:5]",
    ),
    "somebody's own class": (Rules(), {"rows": [[1, 2], [3, 4]]}, "rows[:5]"),
}  # fmt: skip
MODELS["a module of images"][0](torch.randn(1, 3, 8, 8))


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_gets_examples_that_it_can_answer_unseen_ones_first(kind):
    model, variables, best = MODELS[kind]
    namespace = {**variables, "model": model}
    (found,) = find(namespace)
    assert found.variable == "model"
    assert answered(found, namespace)[0] == best


FUNCTIONS = """
def score(age: float, weight: float, height=1.8, dose=0.5):
    return float(clf.predict_proba([[age, weight, height, dose]])[0, 1])

def ask(rows):
    return scored(rows)

def scored(rows):
    return clf.predict(rows)

def show(rows):
    print(clf.predict(rows))

def helper(value):
    return value + 1
"""


def test_a_function_that_calls_a_model_comes_before_it_and_one_that_answers_nothing_not_at_all():
    namespace = define(FUNCTIONS, clf=LogisticRegression().fit(FRAME, LABELS), **SPLIT)
    found = find(namespace)
    assert [one.variable for one in found] == ["ask", "score", "scored", "clf"]
    assert [one.why for one in found] == ["calls scored", "calls clf", "called by ask", "called by scored"]
    expressions = answered(found[1], namespace)
    assert expressions[0].startswith("dict(age=")
    assert expressions[-1] == "dict(age=1.0, weight=1.0, height=1.8, dose=0.5)"
    assert answered(found[0], namespace)[0] == "X_test[:5]"


WORK = """
def evaluate(frame, y):
    return clf.score(frame, y)

def retrained(rows):
    return clf.fit(rows, LABELS)

def errors(rows):
    return mean_squared_error(clf.predict(rows), LABELS)

THRESHOLD, NAMES = 0.5, ["no", "yes"]
def triage(rows):
    return [NAMES[p > THRESHOLD] for p in clf.predict_proba(rows)[:, 1]]
"""


def test_a_function_that_trains_or_evaluates_comes_after_its_model():
    known = {"clf": LogisticRegression().fit(FRAME, LABELS), "LABELS": LABELS, "mean_squared_error": np.mean}
    namespace = define(WORK, **known, **SPLIT)
    found = find(namespace, "clf = fitted()", WORK)
    assert [one.variable for one in found] == ["triage", "errors", "retrained", "evaluate", "clf"]
    assert found[0].why == "calls clf, NAMES, THRESHOLD; defined in In [2]"
    del namespace["triage"]
    assert find(namespace, "clf = fitted()")[0].variable == "clf"


def test_a_form_asks_about_an_unusual_model():
    fitted = {"detector": IsolationForest(n_estimators=2).fit(FRAME), "scaler": StandardScaler().fit(FRAME)}
    unusual = {one.variable: one.unusual for one in find({**fitted, "new": SVC(), "svc": SVC().fit(FRAME, LABELS)})}
    assert unusual == {"detector": True, "scaler": True, "new": True, "svc": False}


def test_where_there_is_no_model_the_functions_that_answer_are_offered():
    source = "def bmi(weight: float, height: float, unit='kg'):\n    return weight / height**2"
    namespace = define(source, height=1.8, weight=70.0)
    (found,) = find(namespace)
    assert (found.variable, found.kind) == ("bmi", "function")
    assert answered(found, namespace) == [
        "dict(weight=weight, height=height)",
        "dict(weight=1.0, height=1.0, unit='kg')",
    ]


def test_a_dict_of_a_functions_arguments_is_what_it_is_called_with():
    source = "def fare(km: float, minutes: float, night=False):\n    return km + minutes"
    ride = {"km": 4.2, "minutes": 11.0, "night": True}
    namespace = define(source, ride=ride, other={"km": 1.0}, more=ride | {"tip": 2.0}, _=dict(ride))
    (found,) = find(namespace)
    assert answered(found, namespace) == ["ride", "dict(km=1.0, minutes=1.0, night=False)"]


def test_a_function_of_a_table_is_given_one():
    source = "def total(frame: pd.DataFrame):\n    return frame.sum(axis=1)"
    namespace = define(source, pd=pd, numbers=FRAME.to_numpy(), **SPLIT)
    (found,) = find(namespace)
    assert answered(found, namespace) == ["X_test[:5]", "X[:5]", "X_train[:5]"]


def test_a_function_of_one_text_is_given_one():
    namespace = define("def loud(text: str):\n    return text.upper()", texts=TEXTS)
    (found,) = find(namespace)
    assert answered(found, namespace) == ["texts[0]", "'text'"]


def test_fitted_ones_come_before_unfitted_ones_pipelines_before_their_parts_and_the_last_used_first():
    scaler, inner = StandardScaler(), LogisticRegression()
    namespace = {
        "unfitted": RandomForestClassifier(),
        "inner": inner,
        "scaler": scaler,
        "first": LogisticRegression().fit(FRAME, LABELS),
        "pipe": make_pipeline(scaler, inner).fit(FRAME, LABELS),
        "last": LogisticRegression().fit(FRAME, LABELS),
        **SPLIT,
    }
    cells = (
        "X, X_train, X_test = load()",
        "first = LogisticRegression().fit(X_train, y)",
        "scaler, inner = StandardScaler(), LogisticRegression()\npipe = make_pipeline(scaler, inner)\npipe.fit(X, y)",
        "last = LogisticRegression().fit(X, y)",
        "first.score(X_test, y_test)",
        "unfitted = RandomForestClassifier()",
    )
    found = find(namespace, *cells)
    assert [one.variable for one in found] == ["first", "last", "pipe", "inner", "unfitted", "scaler"]
    assert [(one.why, one.cell) for one in found[:4]] == [
        ("fitted in In [2]", 2),
        ("fitted in In [4]", 4),
        ("fitted in In [3]", 3),
        ("part of pipe", 3),
    ]
    assert found[2].kind == "Pipeline (StandardScaler → LogisticRegression)"
    assert found[4].why == "not fitted yet"
    assert (found[5].methods, found[5].method) == (("transform",), "transform")
    words = {guess.expression: guess.words for guess in found[0].examples}
    assert words["X_train[:5]"] == "of 40 rows, 4 columns; the model was fitted on it"
    assert list(words).index("X_train[:5]") > list(words).index("X_test[:5]")


def test_methods_are_those_that_answer():
    found = find({"plain": SVC().fit(FRAME, LABELS), "sure": LogisticRegression().fit(FRAME, LABELS)})
    assert {one.variable: "predict_proba" in one.methods for one in found} == {"plain": False, "sure": True}


def test_what_is_no_model_is_none():
    namespace = {
        "loss": torch.nn.MSELoss(),
        "optimiser": torch.optim.SGD([torch.zeros(1, requires_grad=True)]),
        "kind": LogisticRegression,
        "matrix": xgboost.DMatrix(FRAME),
        "numpy": np,
        "number": 5,
        "_hidden": LogisticRegression().fit(FRAME, LABELS),
        **SPLIT,
    }
    assert find(namespace) == []
    assert find({}) == []


def test_rows_belong_to_the_answers_of_their_name_and_size():
    given = SPLIT | {"y_pred": LABELS[40:], "data": FRAME, "target": LABELS, "y_train": LABELS[:39]}
    found = [(one.x, one.y) for one in NotebookFinder().labelled(given)]
    assert found == [("X_test", "y_test"), ("X", "y"), ("X", "target"), ("data", "y"), ("data", "target")]
    texts = {"texts_test": TEXTS, "labels_test": OPINIONS}
    short = {"Xtest": FRAME[40:], "ytest": LABELS[40:]}
    assert [(one.x, one.y) for one in NotebookFinder().labelled(texts)] == [("texts_test", "labels_test")]
    assert [(one.x, one.y) for one in NotebookFinder().labelled(short)] == [("Xtest", "ytest")]
