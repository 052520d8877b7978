"""Features by key at a capture: they are compared with the example, and proved in a clean process."""

import sqlite3
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import jupyter_deploy
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput, ReplayFailed
from jupyter_deploy.serving.snapshot import load
from tests.contract.capturing import kept, live

TABLE = pd.DataFrame({"customer_id": [7, 8, 9], "age": [30, 40, 50], "income": np.float32([0.1, 0.2, 0.3])})
MODEL = LinearRegression().fit(TABLE[["age", "income"]], [1.0, 2.0, 3.0])
SQL = "SELECT id AS customer_id, age, income FROM customers WHERE id IN ({keys})"


@pytest.fixture
def database(tmp_path):
    """The path of a database with the rows of the table."""
    path = str(tmp_path / "customers.db")
    opened = sqlite3.connect(path)
    opened.execute("CREATE TABLE customers (id INTEGER, age INTEGER, income DOUBLE)")
    opened.executemany("INSERT INTO customers VALUES (?, ?, ?)", [(7, 30, 0.1), (8, 40, 0.2), (9, 50, 0.3)])
    opened.commit()
    opened.close()
    return path


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


def customers(path, sql=SQL, **options):
    @jupyter_deploy.connection
    def db():
        import sqlite3

        return sqlite3.connect(path)

    return jupyter_deploy.feature_lookup(db, key="customer_id", sql=sql, **options)


def captured(capturer, example, *lookups):
    return kept(capturer, replace(live(MODEL, example), lookups=lookups), "churn")


def staged(capturer, example, *lookups):
    """What a capture has before the replay."""
    result = capturer.stage(replace(live(MODEL, example), lookups=lookups), "churn")
    capturer.discard(result)
    return result


def test_a_captured_lookup_answers_keys_as_it_answers_features(capturer, database):
    snapshot = captured(capturer, TABLE, customers(database))
    (lookup,) = snapshot.manifest.lookups
    assert (lookup.key, lookup.features, lookup.keys) == ("customer_id", ("age", "income"), (7, 8, 9))
    assert "lookups.pkl" in snapshot.manifest.files
    assert list(snapshot.manifest.signature.columns) == ["age", "income"]
    assert not [one for one in snapshot.manifest.findings if one.check == "feature-lookup"]
    model = load(snapshot.path, snapshot.digest)
    by_key = model.answer([{"customer_id": key} for key in (9, 7)])
    assert by_key == pytest.approx(model.answer([{"age": 50, "income": 0.3}, {"age": 30, "income": 0.1}]))
    again = staged(capturer, TABLE.set_index("customer_id")[:2], customers(database))
    assert again.manifest.lookups[0].keys == (7, 8), "the index has the keys too"
    assert staged(capturer, TABLE, customers(database)).fingerprint == snapshot.fingerprint
    assert staged(capturer, TABLE, customers(database, max_age="1h")).fingerprint != snapshot.fingerprint


def test_features_that_differ_from_the_examples_are_refused_with_a_table(capturer, database):
    example = TABLE.assign(income=np.float32([0.1, 200.0, 0.3]))
    with pytest.raises(InvalidExample, match=r"gives other features than the example has \(1 values\)") as refused:
        captured(capturer, example, customers(database))
    assert refused.value.details.split("\n") == [
        "  row  customer_id  feature  notebook  lookup",
        "  1    8            income   200.0     0.20000000298023224",
    ]
    with pytest.raises(InvalidExample, match="has no row for 10"):
        captured(capturer, TABLE.assign(customer_id=[7, 8, 10]), customers(database))


def test_a_definition_that_does_not_fit_the_model_is_refused(capturer, database):
    wrong = customers(database, SQL.replace("income", "income AS salary"))
    with pytest.raises(InvalidInput, match="returns salary, which the model lacks"):
        captured(capturer, TABLE, wrong)
    with pytest.raises(InvalidInput, match="no default of income"):
        captured(capturer, TABLE, customers(database, missing={"age": 1}))
    with pytest.raises(InvalidExample, match="no such table"):
        captured(capturer, TABLE, customers(database, SQL.replace("customers", "nowhere")))
    rows = replace(live(LinearRegression().fit([[1.0]], [1.0]), np.ones((1, 1))), lookups=(customers(database),))
    with pytest.raises(InvalidInput, match="no named features"):
        kept(capturer, rows, "churn")


def test_without_keys_a_finding_says_that_nothing_was_compared(capturer, database):
    example = staged(capturer, TABLE[["age", "income"]], customers(database))
    (finding,) = [one for one in example.manifest.findings if one.check == "feature-lookup"]
    assert "the example has no 'customer_id'" in finding.message


def test_a_lookup_that_works_in_the_notebook_alone_is_refused(capturer, database, monkeypatch):
    monkeypatch.setenv("CUSTOMERS", database)

    @jupyter_deploy.connection
    def db():
        import os
        import sqlite3

        return sqlite3.connect(os.environ["CUSTOMERS"])

    lookup = jupyter_deploy.feature_lookup(db, key="customer_id", sql=SQL)
    with pytest.raises(ReplayFailed, match="could not look the example's features up") as refused:
        captured(capturer, TABLE, lookup)
    assert "--secret CUSTOMERS=env:CUSTOMERS" in refused.value.remedy
