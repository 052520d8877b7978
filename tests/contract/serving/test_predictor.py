"""``load()``: tables of each kind are answered as a release answers them, in this and in other processes."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_deploy.domain.errors import EnvironmentChanged, InvalidInput, TargetError, Untrusted
from jupyter_deploy.faces.kernel.predictor import Predictor

GENERATOR = np.random.default_rng(0)
FRAME = pd.DataFrame({"age": GENERATOR.integers(18, 90, 400), "income": GENERATOR.normal(40.0, 9.0, 400)})
LABELS = np.where(FRAME["age"] + FRAME["income"] > 90, "yes", "no")
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, LABELS)
ANSWERS = list(MODEL.predict(FRAME))


def price(age: int, income: float) -> float:
    """A function of one row."""
    if income < 0:
        raise ValueError("no income is below zero")
    return age * 2 + income


@pytest.fixture
def predictor(predictor_of):
    return predictor_of(MODEL, FRAME[:5])


def test_a_table_is_answered_in_its_own_kind(predictor):
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    assert predictor(table) == pa.table({"prediction": ANSWERS})
    (batch,) = predictor.batches(table.combine_chunks().to_batches())
    assert isinstance(batch, pa.RecordBatch)
    assert batch.column("prediction").to_pylist() == ANSWERS
    polars = predictor(pl.from_pandas(FRAME))
    assert isinstance(polars, pl.DataFrame)
    assert polars["prediction"].to_list() == ANSWERS
    pandas = predictor(FRAME[::-1])
    assert list(pandas.index) == list(FRAME.index[::-1])
    assert list(pandas["prediction"]) == ANSWERS[::-1]
    arrays = predictor({name: column.to_numpy() for name, column in FRAME.items()})
    assert list(arrays["prediction"]) == ANSWERS


def test_columns_are_found_by_name_and_kept_where_asked(predictor_of):
    predictor = predictor_of(MODEL, FRAME[:5], keep=("id", "age"))
    table = pa.table({"income": FRAME["income"], "id": range(400), "age": FRAME["age"]})
    answer = predictor(table)
    assert answer.column_names == ["id", "age", "prediction"]
    assert answer["prediction"].to_pylist() == ANSWERS
    with pytest.raises(InvalidInput, match="no column 'id'"):
        predictor(table.drop_columns("id"))


def test_a_table_without_rows_has_the_columns_of_the_answers(predictor):
    answer = predictor(pa.Table.from_pandas(FRAME[:0], preserve_index=False))
    assert answer.num_rows == 0
    assert answer.schema == predictor.schema == pa.schema({"prediction": pa.string()})


def test_a_row_that_does_not_fit_is_named(predictor):
    wrong = FRAME.assign(income=FRAME["income"].where(FRAME.index != 3))
    with pytest.raises(InvalidInput, match=r"row 3, income: must be a number, not null"):
        predictor(wrong)


def test_a_feature_that_is_missing_is_named(predictor):
    with pytest.raises(InvalidInput, match="income"):
        predictor(pa.table({"age": [1, 2]}))


def test_a_function_is_called_for_each_row(predictor_of):
    predictor = predictor_of(price, {"age": 30, "income": 10.0})
    answer = predictor(pa.table({"age": [1, 2], "income": [0.5, 1.5]}))
    assert answer["prediction"].to_pylist() == [2.5, 5.5]
    with pytest.raises(TargetError, match="no income is below zero"):
        predictor(pa.table({"age": [1], "income": [-1.0]}))


def test_probabilities_are_lists(predictor_of):
    predictor = predictor_of(MODEL, FRAME[:5], "predict_proba")
    answer = predictor(FRAME)
    np.testing.assert_array_equal(np.stack(answer["prediction"]), MODEL.predict_proba(FRAME))


def test_what_is_no_table_is_refused(predictor):
    with pytest.raises(InvalidInput, match="a list is no table"):
        predictor([1, 2])


def test_a_worker_loads_the_model_by_its_digest(predictor):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        answer = pool.submit(pickle.loads(pickle.dumps(predictor)), FRAME[:50]).result()
    assert list(answer["prediction"]) == ANSWERS[:50]


def test_a_changed_file_is_not_loaded(predictor, tmp_path):
    other = Predictor("model:1", "sha256:0", predictor.folder + "/.")
    with pytest.raises(Untrusted, match="changed after it was captured"):
        other(FRAME)
    with pytest.raises(Untrusted, match="cannot be read"):
        Predictor("model:1", "sha256:0", str(tmp_path))(FRAME)


def test_a_process_with_other_packages_is_refused(predictor, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.serving.environment.platform.python_version", lambda: "3.11.99")
    other = Predictor("model:1", predictor.digest, predictor.folder + "/.")
    with pytest.raises(EnvironmentChanged, match="other packages") as refused:
        other(FRAME)
    assert "run it by" in refused.value.remedy
    assert "installed 3.11.99" in refused.value.details


def test_duckdb_calls_it(predictor):
    connection = duckdb.connect()
    connection.create_function(
        "tumour",
        lambda age, income: predictor(pa.table({"age": age, "income": income}))["prediction"],
        ["BIGINT", "DOUBLE"],
        "VARCHAR",
        type="arrow",
    )
    connection.register("people", FRAME)
    found = connection.execute("SELECT tumour(age, income) AS answer FROM people").fetchall()
    assert [row[0] for row in found] == ANSWERS


def test_polars_calls_it(predictor):
    found = pl.from_pandas(FRAME).lazy().map_batches(predictor, schema={"prediction": pl.String}).collect()
    assert found["prediction"].to_list() == ANSWERS
