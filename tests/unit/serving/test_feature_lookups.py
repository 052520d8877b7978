"""Features by key: definitions, the query for all requests of a call, and the decoder of rows with keys."""

import json
import pickle
import sqlite3

import cloudpickle
import duckdb
import pandas as pd
import pytest

import jupyter_deploy
from jupyter_deploy.serving import connections
from jupyter_deploy.serving.connections import ResourceUnavailable
from jupyter_deploy.serving.features import lookup as lookups
from jupyter_deploy.serving.features.decoder import KeyedRequest, LookupDecoder
from jupyter_deploy.serving.features.lookup import FeatureLookup, ReleaseLookup, seconds_of
from jupyter_deploy.serving.features.schema import key_schema, request_schema
from jupyter_deploy.serving.features.sources import LookupFailed, as_schema
from jupyter_deploy.serving.values.codec import Codec, InvalidInstances

SQL = "SELECT id AS customer_id, age, income FROM customers WHERE id IN ({keys})"
ROWS = [(7, 30, 1000.5), (8, 40, 2000.0), (9, None, 3000.0)]
PROPERTIES = {"age": {"type": "integer"}, "income": {"type": "number"}, "amount": {"type": "number"}}
SCHEMA = {
    "type": "object",
    "properties": PROPERTIES,
    "required": list(PROPERTIES),
    "additionalProperties": False,
}
DESCRIBED = [{"key": "customer_id", "key_schema": key_schema([7]), "features": ["age", "income"]}]
PROTOTYPE = pd.DataFrame({"age": [1], "income": [1.0], "amount": [1.0]}).iloc[:0]


@pytest.fixture(params=["sqlite3", "duckdb"])
def database(request, tmp_path):
    """Connects to a database of customers."""
    opened = sqlite3.connect(tmp_path / "a.db") if request.param == "sqlite3" else duckdb.connect(tmp_path / "b.db")
    opened.execute("CREATE TABLE customers (id INTEGER, age INTEGER, income DOUBLE)")
    opened.executemany("INSERT INTO customers VALUES (?, ?, ?)", ROWS)
    opened.commit()
    yield opened
    opened.close()


def decoder_of(connection, **options):
    definition = FeatureLookup(connection, key="customer_id", **{"sql": SQL, **options})
    return LookupDecoder(Codec({"container": "frame", "instance_schema": SCHEMA}, PROTOTYPE), [definition], DESCRIBED)


def parse(decoder, *rows):
    return decoder.json(json.dumps({"instances": list(rows)}).encode())


def test_all_requests_of_a_call_share_a_query_and_record_the_looked_up_values(database, asked):
    decoder = decoder_of(lambda: database)
    complete = parse(decoder, {"age": 1, "income": 2.0, "amount": 3.0})
    first = parse(decoder, {"customer_id": 7, "amount": 1.0}, {"customer_id": 8, "amount": 2.0, "age": 99})
    second = parse(decoder, {"customer_id": 7, "amount": 4.0})
    assert not isinstance(complete, KeyedRequest)
    frame = decoder.batch([complete, first, second])
    assert asked == [[7, 8]]
    assert frame.to_dict("list") == {
        "age": [1, 30, 99, 30],
        "income": [2.0, 1000.5, 2000.0, 1000.5],
        "amount": [3.0, 1.0, 2.0, 4.0],
    }
    assert first.inputs[1] == {"age": 99, "income": 2000.0, "amount": 2.0}
    assert json.loads(complete.inputs) == [{"age": 1, "income": 2.0, "amount": 3.0}]


def test_a_missing_key_names_row_and_key_and_fails_alone(database, asked):
    decoder = decoder_of(lambda: database)
    good = parse(decoder, {"customer_id": 7, "amount": 1.0})
    bad = parse(decoder, {"customer_id": 8, "amount": 1.0}, {"customer_id": 1, "amount": 1.0})
    with pytest.raises(InvalidInstances):
        decoder.batch([good, bad])
    assert decoder.batch([good])["age"].tolist() == [30]
    with pytest.raises(InvalidInstances) as refused:
        decoder.batch([bad])
    assert refused.value.errors == [
        {"loc": ["instances", 1, "customer_id"], "msg": "there are no features of customer_id 1"}
    ]
    assert asked == [[7, 8, 1]], "no request is looked up twice"


def test_defaults_take_the_place_of_a_missing_key(database):
    decoder = decoder_of(lambda: database, missing={"age": 50, "income": 0.0})
    parsed = parse(decoder, {"customer_id": 1, "amount": 1.0})
    assert decoder.batch([parsed]).to_dict("records") == [{"age": 50, "income": 0.0, "amount": 1.0}]


def test_a_looked_up_null_is_refused_with_its_key(database):
    decoder = decoder_of(lambda: database)
    with pytest.raises(InvalidInstances, match=r"instances.0.age: .*looked up by customer_id 9"):
        decoder.batch([parse(decoder, {"customer_id": 9, "amount": 1.0})])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"amount": 1.0}, "missing feature 'age'; or send its key 'customer_id'"),
        ({"customer_id": "7", "amount": 1.0}, "customer_id"),
        ({"customer_id": 2**63, "amount": 1.0}, "customer_id"),
        ({"customer_id": True, "amount": 1.0}, "customer_id"),
        ({"customer_id": None, "amount": 1.0}, "customer_id"),
        ({"customer_id": 7}, "missing feature 'amount'"),
        ({"customer_id": 7, "amount": 1.0, "agee": 3}, "unknown feature 'agee'"),
    ],
)
def test_a_row_that_cannot_be_completed_costs_no_query(database, asked, row, words):
    with pytest.raises(InvalidInstances, match=words):
        parse(decoder_of(lambda: database), row)
    assert asked == []


def test_the_cache_is_bounded_in_time_and_keys(database, asked, monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(lookups, "time", clock)
    definition = FeatureLookup(lambda: database, key="customer_id", sql=SQL, max_age="1m", entries=2)
    release = ReleaseLookup(definition, {"age": PROPERTIES["age"], "income": PROPERTIES["income"]})
    assert release.values([7, 8])[7] == {"age": 30, "income": 1000.5}
    release.values([7, 8])
    assert asked == [[7, 8]]
    release.values([9])
    release.values([8])
    release.values([7])
    assert asked[1:] == [[9], [7]], "the least recently used key left"
    clock.now += 61
    release.values([7, 1])
    release.values([1])
    assert asked[3:] == [[7, 1], [1]], "values are forgotten, and an unknown key is asked for again"


def test_a_query_sees_new_rows_and_leaves_no_transaction(tmp_path):
    writer = sqlite3.connect(tmp_path / "a.db", autocommit=True) if hasattr(sqlite3, "autocommit") else None
    writer = writer or sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    writer.execute("CREATE TABLE customers (id INTEGER, age INTEGER, income DOUBLE)")
    reader = sqlite3.connect(tmp_path / "a.db")
    definition = FeatureLookup(lambda: reader, key="customer_id", sql=SQL)
    assert definition.fetch([7])[1] == {}
    writer.execute("INSERT INTO customers VALUES (7, 1, 2.0)")
    assert definition.fetch([7])[1] == {7: {"age": 1, "income": 2.0}}
    assert not reader.in_transaction
    writer.close()
    reader.close()


def test_a_resource_that_is_away_is_told_from_a_query_that_fails(database):
    @jupyter_deploy.connection
    def away():
        raise OSError("connection refused")

    decoder = decoder_of(away)
    with pytest.raises(ResourceUnavailable):
        decoder.batch([parse(decoder, {"customer_id": 7, "amount": 1.0})])
    decoder = decoder_of(lambda: database, sql="SELECT id AS customer_id FROM nowhere WHERE id IN ({keys})")
    with pytest.raises(LookupFailed, match="the lookup by customer_id failed"):
        decoder.batch([parse(decoder, {"customer_id": 7, "amount": 1.0})])


def test_a_result_that_does_not_fit_is_refused(database):
    for sql, words in (
        ("SELECT id, age FROM customers WHERE id IN ({keys})", "no column 'customer_id'"),
        ("SELECT 7 AS customer_id, age FROM customers WHERE 7 IN ({keys})", "several rows for customer_id 7"),
    ):
        with pytest.raises(LookupFailed, match=words):
            FeatureLookup(lambda: database, key="customer_id", sql=sql).fetch([7])
    with pytest.raises(LookupFailed, match="no connection of DB-API"):
        FeatureLookup(object, key="customer_id", sql=SQL).fetch([7])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "name either"),
        ({"sql": "SELECT 1"}, "has no {keys}"),
        ({"redis_hash": "customer", "fields": ["a"]}, "has no {key}"),
        ({"redis_hash": "customer:{key}"}, "fields"),
        ({"sql": SQL, "max_age": "soon"}, "no.* duration"),
        ({"sql": SQL, "missing": "ignore"}, "missing is"),
        ({"sql": SQL, "entries": 0}, "holds none"),
    ],
)
def test_a_wrong_definition_is_refused_at_once(options, words):
    with pytest.raises(ValueError, match=words):
        jupyter_deploy.feature_lookup(lambda: None, key="customer_id", **options)


def test_a_definition_travels_with_its_connection():
    @jupyter_deploy.connection
    def db():
        return sqlite3.connect(":memory:")

    copy = pickle.loads(cloudpickle.dumps(jupyter_deploy.feature_lookup(db, key="k", sql=SQL, max_age="1h")))
    assert isinstance(copy, FeatureLookup)
    assert isinstance(copy.connection, connections.Connection)
    assert (copy.key, copy.sql, copy.max_age) == ("k", SQL, 3600)


def test_texts_become_the_types_of_the_features():
    kinds = {"integer": "7", "number": "7.5", "boolean": "true", "string": "7"}
    assert [as_schema(text, {"type": kind}) for kind, text in kinds.items()] == [7, 7.5, True, "7"]
    assert as_schema("", {"type": ["number", "null"]}) is None
    assert as_schema(1, {"type": "boolean"}) is True
    assert as_schema("x", {"type": "number"}) == "x"
    assert [seconds_of(one) for one in (90, "90s", "15m", "1h", "2d")] == [90, 90, 900, 3600, 172800]


def test_the_schema_says_that_a_key_replaces_features():
    schema = request_schema(SCHEMA, DESCRIBED)
    assert schema["required"] == ["amount"]
    assert schema["allOf"] == [{"anyOf": [{"required": ["customer_id"]}, {"required": ["age", "income"]}]}]
    assert request_schema(SCHEMA, ()) == SCHEMA
