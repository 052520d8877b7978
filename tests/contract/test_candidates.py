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
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from jupyter_deploy.capture.candidates import NotebookFinder
from jupyter_deploy.capture.inspection import inspect_model

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(60, 4)), columns=["age", "weight", "height", "dose"])
LABELS = (FRAME["age"] > 0).to_numpy().astype(int)
TEXTS = ["a good film", "a bad film", "good", "bad"] * 5
OPINIONS = ["yes", "no", "yes", "no"] * 5
SPLIT = {"X": FRAME, "X_train": FRAME[:40], "X_test": FRAME[40:], "y": LABELS, "y_test": LABELS[40:]}
ARRAYS = {"A": FRAME.to_numpy(), "A_test": FRAME.to_numpy()[40:], "B": RNG.normal(size=(9, 7)), "y": LABELS}


def find(namespace, *cells):
    return NotebookFinder().models(namespace, cells, {})


def define(source, **known):
    """A notebook's variables, with the functions that a cell defines."""
    namespace = {"__name__": "__main__", **known}
    exec(source, namespace)
    return {name: value for name, value in namespace.items() if not name.startswith("__")}


def answered(found, namespace):
    """Every guess is one on which the model answers."""
    assert found.examples
    for guess in found.examples:
        model = namespace[found.variable]
        inspect_model(model, eval(guess.expression, {"torch": torch, **namespace}), found.method)
    return [guess.expression for guess in found.examples]


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


def test_a_function_that_calls_a_model_comes_after_it_and_one_that_answers_nothing_not_at_all():
    namespace = define(FUNCTIONS, clf=LogisticRegression().fit(FRAME, LABELS), **SPLIT)
    found = find(namespace)
    assert [one.variable for one in found] == ["clf", "scored", "ask", "score"]
    assert [one.why for one in found[1:]] == ["calls clf", "calls scored", "calls clf"]
    expressions = answered(found[3], namespace)
    assert expressions[0].startswith("dict(age=")
    assert expressions[-1] == "dict(age=1.0, weight=1.0, height=1.8, dose=0.5)"
    assert answered(found[1], namespace)[0] == "X_test[:5]"


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
