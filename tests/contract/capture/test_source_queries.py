"""The queries of databases behind a training table: found in the cells, kept, and compared with the last release's."""

from dataclasses import replace

import pytest

from jupyter_deploy.capture.training_table import describe_training
from jupyter_deploy.domain.capture.training import outdated
from tests.contract.capture.test_training_tables import SKLEARN, notebook

DATABASE = """
import sqlite3
import duckdb, pandas as pd
from sqlalchemy import create_engine, text
engine = create_engine("sqlite://", creator=lambda: db)
db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE people (age INTEGER, y INTEGER)")
db.executemany("INSERT INTO people VALUES (?, ?)", [(30, 0), (40, 1), (50, 0), (60, 1), (70, 1)])
db.commit()
LIMIT = 65
"""
FIT_OF_RAW = SKLEARN + "X = raw[['age']]\nmodel = LogisticRegression().fit(X, raw['y'])"


@pytest.mark.parametrize(
    ("reading", "query"),
    [
        ("raw = pd.read_sql(f'SELECT * FROM people WHERE age < {LIMIT}', db)", "SELECT * FROM people WHERE age < 65"),
        ("raw = pd.read_sql(sql='SELECT * FROM people WHERE age < 65', con=db)", "SELECT * FROM people WHERE age < 65"),
        (
            "people = pd.read_sql('SELECT * FROM people', db)\nraw = duckdb.sql('FROM people WHERE age < 65').df()",
            "FROM people WHERE age < 65",
        ),
        (
            "query = text('SELECT * FROM people WHERE age < 65')\nraw = pd.read_sql(query, engine)",
            "SELECT * FROM people WHERE age < 65",
        ),
    ],
)
def test_the_queries_that_a_table_was_read_by_are_kept_with_their_rows_and_time(reading, query):
    live = notebook(DATABASE, "unrelated = pd.read_sql('SELECT 1', db)", reading, FIT_OF_RAW)
    live = replace(live, began={3: 1_780_000_000.0})
    _, data = describe_training(live, ("age",))
    found = {one.text: one for one in data.queries}
    assert (query in found, "SELECT 1" in found) == (True, False), data.queries
    if reading.startswith("raw"):
        assert (found[query].rows, found[query].at.timestamp()) == (4, 1_780_000_000.0)


def test_a_query_that_gave_fewer_rows_or_ran_before_the_last_releases_is_a_finding():
    def data(rows, began):
        live = notebook(DATABASE, f"raw = pd.read_sql('SELECT * FROM people', db)[:{rows}]", FIT_OF_RAW)
        return describe_training(replace(live, began={2: began}), ("age",))[1]

    last = data(5, 2_000.0)
    messages = [finding.message for finding in outdated(data(4, 1_000.0), last, "churn:1")]
    assert "the query in In [2] gave 4 rows; for churn:1 it gave 5" in messages
    assert any("ran at 1970-01-01 00:16, before that of churn:1" in message for message in messages)
    assert list(outdated(data(5, 3_000.0), last, "churn:1")) == []
