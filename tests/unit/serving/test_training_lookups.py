"""Features of training tables as of a former time: by the query that requests get, and without a look ahead."""

import sqlite3

import duckdb
import pandas as pd
import pytest

import jupyter_deploy
from jupyter_deploy.serving.features.lookup import ReleaseLookup
from jupyter_deploy.serving.features.sources import LookupFailed

HISTORY = [
    (7, "2026-01-01 00:00:00", 30, 100.0),
    (7, "2026-02-01 00:00:00", 31, 200.0),
    (7, "2999-01-01 00:00:00", 99, 999.0),
    (8, "2026-02-15 12:00:00", 40, 300.0),
]
SQL = """
SELECT id AS customer_id, age, income FROM customers AS one
WHERE id IN ({keys}) AND valid_from = (
    SELECT max(valid_from) FROM customers WHERE id = one.id AND valid_from <= {as_of}
)
"""


@pytest.fixture(params=["sqlite3", "duckdb"])
def database(request):
    """A database with the customers' history."""
    opened = sqlite3.connect(":memory:") if request.param == "sqlite3" else duckdb.connect()
    kind = "TEXT" if request.param == "sqlite3" else "TIMESTAMPTZ"
    if request.param == "duckdb":
        opened.execute("SET TimeZone = 'UTC'")
    opened.execute(f"CREATE TABLE customers (id INTEGER, valid_from {kind}, age INTEGER, income DOUBLE)")
    opened.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", HISTORY)
    opened.commit()
    yield opened
    opened.close()


def customers(database, **options):
    return jupyter_deploy.feature_lookup(lambda: database, key="customer_id", **{"sql": SQL, **options})


def frame(*rows):
    keys, times = zip(*rows, strict=True)
    return pd.DataFrame(
        {"customer_id": keys, "time": pd.to_datetime(times, utc=True, format="ISO8601").tz_convert("Asia/Tokyo")},
        index=range(100, 100 + len(rows)),
    )


def test_each_row_has_the_features_of_its_moment_and_none_of_the_future(database, asked):
    rows = frame(
        (7, "2026-01-31 23:59:59.999999"), (7, "2026-02-01"), (8, "2026-02-15 11:59"), (8, "2026-02-15 12:00"),
        (7, "2026-02-15 12:00"), (7, "2025-12-31"),
    )  # fmt: skip
    result = customers(database).table(rows, as_of="time")
    assert list(result.columns) == ["customer_id", "time", "age", "income"]
    assert list(result.index) == list(rows.index)
    assert result["age"].astype("Int64").tolist() == [30, 31, pd.NA, 40, 31, pd.NA]
    assert result["income"].dropna().tolist() == [100.0, 200.0, 300.0, 200.0]
    assert list(rows.columns) == ["customer_id", "time"], "the given frame is unchanged"
    assert asked[1:] == [[7], [7], [8], [8, 7], [7]], "one query for each distinct moment"


def test_a_nanosecond_before_a_change_sees_nothing_of_it(database):
    rows = frame((7, "2026-01-31 23:59:59.999999999"))
    assert customers(database).table(rows, as_of="time")["age"].tolist() == [30]


def test_now_is_the_moment_of_requests_and_of_a_table_without_times(database):
    lookup = customers(database)
    result = lookup.table(pd.DataFrame({"amount": [1.0, 2.0]}, index=pd.Index([7, 8], name="customer_id")))
    assert result.to_dict("list") == {"amount": [1.0, 2.0], "age": [31, 40], "income": [200.0, 300.0]}
    served = ReleaseLookup(lookup, {"age": {"type": "integer"}, "income": {"type": "number"}})
    assert served.values([7, 8]) == {7: {"age": 31, "income": 200.0}, 8: {"age": 40, "income": 300.0}}


def test_defaults_hold_for_rows_before_the_first_one(database):
    lookup = customers(database, missing={"age": 50, "income": 0.0})
    assert lookup.table(frame((7, "2025-01-01")), as_of="time")["age"].tolist() == [50]


@pytest.mark.parametrize(
    ("rows", "as_of", "words"),
    [
        ([{"customer_id": 7}], None, "a list is no frame of pandas"),
        (pd.DataFrame({"id": [7]}), None, "no column 'customer_id': it has id"),
        (pd.DataFrame({"customer_id": [7, None]}), None, "no whole number and no text in row 1"),
        (pd.DataFrame({"customer_id": [7]}), "time", "no column 'time'"),
        (pd.DataFrame({"customer_id": [7], "time": ["2026-01-01"]}), "time", "use pandas.to_datetime"),
        (frame((7, None), (7, "2026-01-01")), "time", "no moment in row 0"),
    ],
)
def test_a_frame_that_does_not_fit_costs_no_query(database, asked, rows, as_of, words):
    with pytest.raises(ValueError, match=words):
        customers(database).table(rows, as_of=as_of)
    assert asked == []


def test_a_frame_with_a_feature_and_a_query_that_knows_no_time_are_refused(database):
    with pytest.raises(ValueError, match="has 'age' already"):
        customers(database).table(frame((7, "2026-01-01")).assign(age=1))
    plain = customers(database, sql="SELECT id AS customer_id, age FROM customers WHERE id IN ({keys})")
    with pytest.raises(ValueError, match=r"no \{as_of\}"):
        plain.table(frame((7, "2026-01-01")), as_of="time")
    redis = jupyter_deploy.feature_lookup(lambda: None, key="customer_id", redis_hash="c:{key}", fields=["age"])
    with pytest.raises(ValueError, match="a Redis hash has texts"):
        redis.table(frame((7, "2026-01-01")))
    several = customers(database, sql=SQL.replace("valid_from = (", "valid_from <= ("))
    with pytest.raises(LookupFailed, match="several rows for customer_id 7"):
        several.table(frame((7, "2026-03-01")), as_of="time")
