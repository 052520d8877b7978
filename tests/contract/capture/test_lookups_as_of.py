"""A model is trained on features as of former times, from PostgreSQL, and its release looks up those of now."""

from dataclasses import replace

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import jupyter_deploy
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidExample
from jupyter_deploy.serving.snapshot import load
from tests.contract.capturing import kept, live
from tests.databases import postgres

SQL = """
SELECT DISTINCT ON (id) id AS customer_id, age, income FROM customers
WHERE id IN ({keys}) AND valid_from <= {as_of} ORDER BY id, valid_from DESC
"""
HISTORY = [
    (7, "2026-01-01+00", 30, 100.0),
    (7, "2026-02-01+00", 31, 200.0),
    (7, "2999-01-01+00", 99, 999.0),
    (8, "2026-01-15+00", 40, 300.0),
    (8, "2026-02-15+00", 41, 350.0),
]


@pytest.fixture
def customers():
    with postgres() as server:
        server.execute("CREATE TABLE customers (id int, valid_from timestamptz, age int, income float8)")
        server.execute("INSERT INTO customers VALUES (%s, %s, %s, %s)", HISTORY)
        url = server.url

        @jupyter_deploy.connection
        def db():
            import psycopg

            return psycopg.connect(url, connect_timeout=5)

        yield jupyter_deploy.feature_lookup(db, key="customer_id", sql=SQL)
        db.close()


def test_the_definition_of_the_release_gives_the_training_table_too(customers, tmp_path):
    times = pd.to_datetime(["2026-01-10", "2026-01-20", "2026-02-10", "2026-02-20"]).tz_localize("Europe/Berlin")
    labels = pd.DataFrame({"customer_id": [7, 8, 7, 8], "time": times, "label": [1.0, 2.0, 4.0, 8.0]})
    table = customers.table(labels, as_of="time")
    assert table["age"].tolist() == [30, 40, 31, 41]
    assert table["income"].tolist() == [100.0, 300.0, 200.0, 350.0]
    model = LinearRegression().fit(table[["age", "income"]], table["label"])

    capturer = ModelCapturer(tmp_path, Tolerance(), replay_timeout=120)
    former = table[["customer_id", "age", "income"]][:2]
    with pytest.raises(InvalidExample, match="gives other features than the example has"):
        kept(capturer, replace(live(model, former), lookups=(customers,)), "churn")
    example = customers.table(labels[["customer_id"]][:2])
    snapshot = kept(capturer, replace(live(model, example), lookups=(customers,)), "churn")
    served = load(snapshot.path, snapshot.digest).answer([{"customer_id": 7}, {"customer_id": 8}])
    assert served == pytest.approx(list(model.predict(table[["age", "income"]][2:])))
