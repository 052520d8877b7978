"""Tables with keys in place of features: one query for the keys of all rows, and errors by row."""

import sqlite3

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest

import jupyter_deploy
from jupyter_deploy.serving.asgi.problems import Problem
from jupyter_deploy.serving.batch.scoring import scored
from jupyter_deploy.serving.connections import ResourceUnavailable
from jupyter_deploy.serving.features import sources, tables
from jupyter_deploy.serving.features.lookup import FeatureLookup
from jupyter_deploy.serving.features.schema import key_schema
from jupyter_deploy.serving.features.sources import LookupFailed
from jupyter_deploy.serving.role import serving_role
from jupyter_deploy.serving.snapshot import Model
from jupyter_deploy.serving.table_predictor import TablePredictor
from jupyter_deploy.serving.values.validation import InvalidInstances

SQL = "SELECT id AS customer_id, age, income FROM customers WHERE id IN ({keys})"
ROWS = [(7, 30, 1000.5), (8, 40, 2000.0), (9, None, 3000.0), (10, 50, None)]
PROPERTIES = {
    "age": {"type": "integer"},
    "income": {"type": ["number", "null"]},
    "amount": {"type": "number"},
}
SCHEMA = {
    "type": "object",
    "properties": PROPERTIES,
    "required": list(PROPERTIES),
    "additionalProperties": False,
}
PROTOTYPE = pd.DataFrame({"age": [1], "income": [1.0], "amount": [1.0]}).iloc[:0]


@pytest.fixture
def database():
    """A database of customers."""
    opened = sqlite3.connect(":memory:", check_same_thread=False)
    opened.execute("CREATE TABLE customers (id INTEGER, age INTEGER, income DOUBLE)")
    opened.executemany("INSERT INTO customers VALUES (?, ?, ?)", ROWS)
    opened.commit()
    yield opened
    opened.close()


def total(frame):
    """A model that answers the sum of a row; null counts as zero."""
    return frame[["age", "income", "amount"]].fillna(0).sum(axis=1)


def predictor_of(connection, *, role="direct", model=total, keys=(7,), **options):
    definition = FeatureLookup(connection, key="customer_id", **{"sql": SQL, **options})
    described = [{"key": "customer_id", "key_schema": key_schema(keys), "features": ["age", "income"]}]
    signature = {"container": "frame", "instance_schema": SCHEMA}
    manifest = {"signature": signature, "framework": "function", "method": None, "instances": [], "lookups": described}
    example = {"prototype": PROTOTYPE, "example": None}
    return TablePredictor(Model(model, manifest, example, "churn:1", "", lookups=[definition]), role)


def test_the_keys_of_a_table_are_looked_up_by_one_query_and_the_columns_it_has_are_kept(database, asked):
    predictor = predictor_of(lambda: database)
    table = pa.table({"customer_id": [7, 8, 7, 10], "amount": [1.0, 2.0, 3.0, 4.0]})
    assert predictor.answer(table)["prediction"].to_pylist() == [1031.5, 2042.0, 1033.5, 54.0]
    assert asked == [[7, 8, 10]]
    own = table.append_column("age", pa.array([1, 1, 1, 1]))
    assert predictor.answer(own)["prediction"].to_pylist() == [1002.5, 2003.0, 1004.5, 5.0]
    assert predictor.columns(["amount", "customer_id", "other"]) == ["amount", "customer_id"]


def test_a_table_with_all_features_needs_no_query_and_its_keys_are_not_read(database, asked):
    predictor = predictor_of(lambda: database)
    complete = {"age": [1], "income": [2.0], "amount": [3.0]}
    for keys in ({}, {"customer_id": pa.nulls(1)}, {"customer_id": ["x"]}):
        assert predictor.answer(pa.table({**complete, **keys}))["prediction"].to_pylist() == [6.0]
    assert predictor.columns(["customer_id", *complete]) == list(complete)
    assert asked == []


def test_rows_that_cannot_be_completed_are_refused_alone_with_the_reason_that_a_request_gets(database, asked):
    predictor = predictor_of(lambda: database)
    keys = pa.array([7, 1, None, 9, 8], pa.int64())
    result = scored(predictor, pa.table({"customer_id": keys, "amount": [1.0, 1.0, 1.0, 1.0, None]}))
    assert asked == [[7, 1, 9, 8]]
    assert (result.rows, result.answers["prediction"].to_pylist()) == ([0], [1031.5])
    assert result.refused[1] == "customer_id: there are no features of customer_id 1"
    assert result.refused[2].startswith("customer_id: must be a whole number (int64), not null")
    assert result.refused[3].startswith("age: must be a whole number, not null")
    assert result.refused[3].endswith("(looked up by customer_id 9)")
    assert result.refused[4].startswith("amount: must be a number, not null")
    assert "looked up" not in result.refused[4]
    assert result.inputs.select(["age", "amount"]).slice(0, 1).to_pylist() == [{"age": 30, "amount": 1.0}]
    with pytest.raises(InvalidInstances, match=r"instances.1.customer_id: there are no features of customer_id 1"):
        predictor.answer(pa.table({"customer_id": [7, 1], "amount": [1.0, 1.0]}))


def test_many_unknown_keys_cost_one_query_and_hide_no_row(database, asked):
    keys = [7 if number % 3 == 0 else 1000 + number for number in range(3000)]
    result = scored(predictor_of(lambda: database), pa.table({"customer_id": keys, "amount": [0.0] * 3000}))
    assert (len(result.rows), len(result.refused), len(asked)) == (1000, 2000, 1)


def test_more_keys_than_a_query_takes_are_asked_for_in_parts(database, monkeypatch):
    lengths = []
    by_sql = sources.by_sql
    monkeypatch.setattr("jupyter_deploy.serving.features.lookup.MOST_KEYS", 2)
    monkeypatch.setattr(
        "jupyter_deploy.serving.features.lookup.by_sql", lambda *a: (lengths.append(len(a[3])), by_sql(*a))[1]
    )
    table = pa.table({"customer_id": [7, 8, 10], "amount": [0.0] * 3})
    assert predictor_of(lambda: database).answer(table)["prediction"].to_pylist() == [1030.5, 2040.0, 50.0]
    assert lengths == [2, 1]


def test_defaults_and_the_cache_hold_for_tables(database, asked):
    predictor = predictor_of(lambda: database, missing={"age": 50, "income": 0.0}, max_age="1h")
    table = pa.table({"customer_id": [1, 7], "amount": [1.0, 1.0]})
    assert predictor.answer(table)["prediction"].to_pylist() == [51.0, 1031.5]
    predictor.answer(table)
    assert asked == [[1, 7], [1]], "an unknown key is not kept"


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([7, None], pa.int32()),
        pa.array([7.0, np.nan]),
        pa.array([7, 5]).dictionary_encode(),
        pa.chunked_array([[7], [5]]),
    ],
    ids=["int32", "float with NaN", "dictionary", "chunks"],
)
def test_keys_of_other_columns_are_read_as_those_of_requests(database, keys):
    result = scored(predictor_of(lambda: database), pa.table({"customer_id": keys, "amount": [1.0, 1.0]}))
    assert (result.rows, list(result.refused)) == ([0], [1])


def test_a_column_that_can_have_no_key_is_refused_as_a_whole(database):
    predictor = predictor_of(lambda: database)
    with pytest.raises(Problem, match="customer_id: is a column of list"):
        scored(predictor, pa.table({"customer_id": [[7], [8]], "amount": [1.0, 1.0]}))
    all_null = scored(predictor, pa.table({"customer_id": pa.nulls(2), "amount": [1.0, 1.0]}))
    assert (all_null.answers, list(all_null.refused)) == (None, [0, 1])
    texts = scored(predictor, pa.table({"customer_id": ["7", "x"], "amount": [1.0, 1.0]}))
    assert list(texts.refused) == [0, 1], "as in JSON"
    texts = scored(predictor, pa.table({"customer_id": ["7", "x"], "amount": [1.0, 1.0]}), texts=True)
    assert (texts.rows, list(texts.refused)) == ([0], [1]), "as in CSV"
    nul = predictor_of(lambda: database, keys=("a",))
    assert "NUL" in scored(nul, pa.table({"customer_id": ["a\0"], "amount": [1.0]})).refused[0]


def test_a_resource_that_is_away_fails_the_table_and_refuses_no_row():
    @jupyter_deploy.connection
    def away():
        raise OSError("connection refused")

    table = pa.table({"customer_id": [7, 8], "amount": [1.0, 1.0]})
    with pytest.raises(ResourceUnavailable, match="away cannot be connected: OSError: connection refused"):
        scored(predictor_of(away), table)

    def model(_frame):
        return away()

    with pytest.raises(ResourceUnavailable):  # the model's own connection
        scored(predictor_of(away, model=model), table.append_column("age", pa.array([1, 1])).append_column(
            "income", pa.array([1.0, 1.0])
        ))  # fmt: skip


def test_a_connection_that_broke_since_its_last_use_is_made_again(tmp_path):
    path, made = tmp_path / "a.db", []
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE customers (id INTEGER, age INTEGER, income DOUBLE)")
        opened.executemany("INSERT INTO customers VALUES (?, ?, ?)", ROWS)

    @jupyter_deploy.connection
    def db():
        made.append(sqlite3.connect(path))
        return made[-1]

    predictor = predictor_of(db)
    table = pa.table({"customer_id": [7], "amount": [1.0]})
    predictor.answer(table)
    made[0].close()
    assert predictor.answer(table)["prediction"].to_pylist() == [1031.5]
    assert len(made) == 2
    failing = predictor_of(db, sql="SELECT id AS customer_id FROM nowhere WHERE id IN ({keys})")
    with pytest.raises(LookupFailed, match="no such table"):
        scored(failing, table)
    db.close()


def test_a_row_that_breaks_the_models_connection_is_refused_alone():
    class Link:
        closed = False

        def ask(self, age):
            if age == 13:
                self.closed = True
            if self.closed:
                raise ValueError("the connection is closed")
            return age

    link = jupyter_deploy.connection(Link)

    def model(frame):
        return np.array([link().ask(age) for age in frame["age"]])

    ages = [13 if number == 5 else number + 20 for number in range(50)]
    table = pa.table({"age": ages, "income": [1.0] * 50, "amount": [1.0] * 50})
    result = scored(predictor_of(link, model=model), table)
    assert result.refused == {5: "ValueError: the connection is closed"}
    assert len(result.rows) == 49


def test_a_key_that_the_database_refuses_is_refused_alone_and_too_many_end_the_table(monkeypatch, database):
    def by_sql(connection, statement, key, keys, as_of):
        if any(isinstance(one, str) for one in keys):
            raise psycopg.errors.InvalidTextRepresentation("invalid input for type integer")
        return sources.by_sql(connection, statement, key, keys, as_of)

    monkeypatch.setattr("jupyter_deploy.serving.features.lookup.by_sql", by_sql)
    predictor = predictor_of(lambda: database, keys=())
    result = scored(predictor, pa.table({"customer_id": ["7", "x", "8"], "amount": [1.0] * 3}))
    assert list(result.refused) == [0, 1, 2]
    many = pa.table({"customer_id": [f"k{number}" for number in range(1000)], "amount": [1.0] * 1000})
    with pytest.raises(LookupFailed, match=f"refuses more than {tables.MOST_REFUSED} keys"):
        scored(predictor, many)


def test_a_shadow_looks_up_by_its_own_connection(database):
    @jupyter_deploy.connection
    def db():
        raise OSError("stable's database")

    @db.shadow
    def replica():
        return database

    roles = []

    def model(frame):
        roles.append(serving_role())
        return total(frame)

    table = pa.table({"customer_id": [7], "amount": [1.0]})
    predictor = predictor_of(db, role="shadow", model=model)
    assert predictor.answer(table)["prediction"].to_pylist() == [1031.5]
    assert roles == ["shadow"]
    with pytest.raises(ResourceUnavailable, match="stable's database"):
        predictor_of(db).answer(table)
