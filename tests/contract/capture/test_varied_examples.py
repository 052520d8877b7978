"""Proposed examples that show the variety of a table, so that ordinary requests are not refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from jupyter_deploy.capture.informative_rows import missing_columns, varied_rows
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.faces.kernel.kernel import with_proposed_example
from tests.contract.candidate_notebooks import answered, define, find

ROWS = 60
PURPOSES = ["car", "house", "study", "travel"]


def loans(*, missing_in_train=(), missing_in_test=()):
    """A notebook's tables of loans with a pipeline that imputes, and its cells."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "income": rng.normal(3000, 500, ROWS).round(),
            "purpose": [PURPOSES[max(0, row - 20) % 4] for row in range(ROWS)],
            "begun": pd.date_range("2024-01-01", periods=ROWS).astype("datetime64[ns]"),
        }
    )
    train, test = frame[:40].copy(), frame[40:].copy()
    for column in missing_in_train:
        train.loc[train.index[17], column] = None
    for column in missing_in_test:
        test.loc[test.index[9], column] = None
    pipe = make_pipeline(
        make_column_transformer(
            (SimpleImputer(), ["income"]),
            (OneHotEncoder(handle_unknown="ignore"), ["purpose"]),
        ),
        LogisticRegression(),
    ).fit(train, [row % 2 for row in range(40)])
    cells = ("X_train, X_test = load()", "pipe = make_pipeline(steps)\npipe.fit(X_train, y)")
    return {"pipe": pipe, "X_train": train, "X_test": test}, cells


def proposed(namespace, cells):
    """The first example of the first model, evaluated, with its words."""
    first = find(namespace, *cells)[0]
    assert first.variable == "pipe"
    return first.examples[0], answered(first, namespace)[0]


def test_a_proposed_example_has_the_missing_values_and_categories_of_the_table():
    namespace, cells = loans(missing_in_test=["income", "purpose"])
    guess, expression = proposed(namespace, cells)
    assert expression.startswith("X_test.iloc[[")
    rows = eval(expression, namespace)
    assert rows["income"].isna().any()
    assert rows["purpose"].isna().any()
    assert set(rows["purpose"].dropna()) == set(PURPOSES)
    assert {rows["begun"].min(), rows["begun"].max()} == {
        namespace["X_test"]["begun"].min(),
        namespace["X_test"]["begun"].max(),
    }
    assert guess.words.startswith(f"{len(rows)} rows, chosen for missing values, categories and extremes, of 20 rows")
    schema = inspect_model(namespace["pipe"], rows, "predict").signature.instance_schema["properties"]
    assert "null" in schema["income"]["type"]
    assert "null" in schema["purpose"]["type"]


def test_the_training_table_comes_first_if_only_its_rows_have_missing_values():
    namespace, cells = loans(missing_in_train=["income"])
    guess, expression = proposed(namespace, cells)
    assert expression.startswith("X_train.iloc[[")
    assert eval(expression, namespace)["income"].isna().any()
    assert guess.words.endswith("the model was fitted on it; only it has missing values in income")


def test_the_first_rows_are_enough_if_they_show_every_kind():
    frame = pd.DataFrame({"age": np.arange(20.0), "smoker": [True, False] * 10})
    assert varied_rows(frame, 5) == ()
    assert varied_rows(pl.from_pandas(frame), 5) == ()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_one_row_is_enough_for_several_kinds(library):
    frame = pd.DataFrame({"a": ["x"] * 9 + ["y"], "b": ["u"] * 9 + ["v"], "age": [None, *range(8), None]})
    frame = frame if library == "pandas" else pl.from_pandas(frame)
    rows = varied_rows(frame, 5)
    assert set(rows) == {0, 1, 8, 9}
    assert missing_columns(frame) == {"age"}


def test_a_long_table_is_searched_evenly_and_a_wide_one_not_at_all():
    long = pd.DataFrame({"age": [1.0] * 200_000})
    long.loc[160_000, "age"] = None
    assert 160_000 in varied_rows(long, 5)
    assert varied_rows(pd.DataFrame([[None] * 400] * 9), 5) == ()
    many = pd.DataFrame({f"c{at}": ["a"] * 50 + list("bcdefghij") for at in range(9)})
    many["c3"] = list(many["c3"][::-1])
    assert len(varied_rows(many, 5)) <= 20


def test_a_model_without_an_example_gets_the_proposed_one_and_a_note_names_it():
    namespace, cells = loans(missing_in_test=["income"])
    live = Live(namespace["pipe"], None, Source(variable="pipe"), cells=cells, namespace=namespace)
    proposed_live = with_proposed_example(live)
    assert proposed_live.example["income"].isna().any()
    (note,) = proposed_live.notes
    assert note.startswith("the example is proposed: X_test.iloc[[")
    assert note.endswith("name another one with --example")
    assert with_proposed_example(proposed_live) is proposed_live


def test_placeholders_are_not_proposed():
    namespace = define("def fare(km: float, minutes: float):\n    return km + minutes")
    live = Live(namespace["fare"], None, Source(variable="fare"), namespace=namespace)
    assert with_proposed_example(live) is live
