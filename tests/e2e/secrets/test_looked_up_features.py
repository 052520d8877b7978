"""Features by key, from PostgreSQL and from Redis: answers, batches, records, a shadow's own values, and outages."""

import json

import httpx
import pandas as pd
import pytest
import redis

from tests.brokers import RedisServer, running
from tests.databases import postgres
from tests.e2e.conftest import until
from tests.notebooks import write

CUSTOMERS = [(number, 20 + number, 1000.0 * number) for number in range(1, 51)]

CELLS = [
    """
import os
import pandas as pd
import psycopg
import redis
from sklearn.linear_model import LinearRegression
import jupyter_deploy

@jupyter_deploy.connection
def db():
    return psycopg.connect(os.environ["DB_URL"], connect_timeout=5)

@jupyter_deploy.connection
def cache():
    return redis.Redis.from_url(os.environ["CACHE_URL"], socket_timeout=5)

customers = jupyter_deploy.feature_lookup(
    db,
    key="customer_id",
    sql="SELECT id AS customer_id, age, income FROM customers WHERE id IN ({keys})",
)
products = jupyter_deploy.feature_lookup(
    cache, key="product", redis_hash="product:{key}", fields=["price"], max_age="1h"
)
""",
    """
rows = pd.DataFrame({
    "customer_id": [1, 2, 3], "product": ["a", "b", "a"],
    "age": [21, 22, 23], "income": [1000.0, 2000.0, 3000.0], "price": [2.5, 5.0, 2.5], "amount": [1.0, 2.0, 3.0],
})
features = rows[["age", "income", "price", "amount"]]
""",
    "model = LinearRegression().fit(features, [1.0, 2.0, 4.0])",
]


@pytest.fixture
def resources(home, tmp_path):
    """PostgreSQL and Redis with the features; files have their URLs."""
    with postgres() as database, running(RedisServer, tmp_path / "redis") as cache:
        database.execute("CREATE TABLE customers (id int PRIMARY KEY, age int, income float8)")
        database.execute("INSERT INTO customers VALUES (%s, %s, %s)", CUSTOMERS)
        client = redis.Redis(port=cache.port)
        client.hset("product:a", mapping={"price": "2.5"})
        client.hset("product:b", mapping={"price": "5"})
        (tmp_path / "db").write_text(database.url)
        (tmp_path / "cache").write_text(f"{cache.url}/0")
        yield database, client


def require_same_answers_in_batches(home, tmp_path, expected):
    """Batches, also by the schedule's program, which no shell's variable reaches, look the features up."""
    (tmp_path / "rows.csv").write_text("row,customer_id,product,amount\n0,4,b,1.0\n1,51,b,1.0\n2,,b,1.0\n3,4,c,1.0\n")
    places = ["--source", tmp_path / "rows.csv", "--keep", "row"]
    refused = home.run("batch", "churn", *places, "--sink", tmp_path / "now", "--role", "shadow", check=False)
    assert refused.returncode == 1, "more rows are refused than --max-errors allows"
    folders = [tmp_path / "now", *(tmp_path / "now" / "_shadow").iterdir()]
    home.run("batch", "churn", *places, "--sink", tmp_path / "nightly", "--schedule", "* * * * *", "--max-errors", "3")
    until(lambda: [run for run in home.json("batch", "churn")["state"]["runs"] if run["ended"]], timeout=300)
    home.run("batch", "churn", "--stop")
    answers = [pd.read_parquet(next(folder.glob("part-*"))) for folder in (*folders, tmp_path / "nightly")]
    assert [list(one["row"].astype(int)) for one in answers] == [[0]] * 3
    assert list(answers[0]["prediction"]) == list(answers[2]["prediction"]) == pytest.approx(expected)
    (errors,) = (tmp_path / "nightly" / "_errors").glob("*.parquet")
    reasons = list(pd.read_parquet(errors)["reason"])
    assert reasons[0] == "customer_id: there are no features of customer_id 51"
    assert "not null" in reasons[1]
    assert reasons[2] == "product: there are no features of product 'c'"


@pytest.mark.timeout(480)  # two runs of a notebook on a busy machine
def test_a_request_brings_keys_and_the_release_looks_the_features_up(home, resources, tmp_path):
    database, _ = resources
    named = ["--name", "churn", "--model", "model", "--example", "rows", "--lookup", "[customers, products]"]
    notebook = write(tmp_path / "train.ipynb", *CELLS)
    secrets = ["--secret", f"DB_URL=file:{tmp_path / 'db'}", "--secret", f"CACHE_URL=file:{tmp_path / 'cache'}"]
    url = home.json("deploy", notebook, *named, *secrets)["url"]
    client = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def ask(*rows, **options):
        return client.post(f"{url}/predict", json={"instances": list(rows)}, **options)

    complete = {"age": 24, "income": 4000.0, "price": 5.0, "amount": 1.0}
    keyed = {"customer_id": 4, "product": "b", "amount": 1.0}
    answers = ask(complete, keyed).json()["predictions"]
    assert answers[0] == pytest.approx(answers[1])
    assert ask(keyed | {"age": 99}).json()["predictions"] == ask(complete | {"age": 99}).json()["predictions"]
    csv = "customer_id,product,amount\n4,b,1.0\n"
    by_csv = client.post(f"{url}/invocations", content=csv, headers={"content-type": "text/csv"})
    assert by_csv.json()["predictions"] == pytest.approx(answers[:1])
    inputs = [
        {"name": "customer_id", "shape": [1], "datatype": "INT64", "data": [4]},
        {"name": "product", "shape": [1], "datatype": "BYTES", "data": ["b"]},
        {"name": "amount", "shape": [1], "datatype": "FP64", "data": [1.0]},
    ]
    by_v2 = client.post(f"{url}/v2/models/churn/infer", json={"inputs": inputs})
    assert by_v2.json()["outputs"][0]["data"] == pytest.approx(answers[:1])

    unknown = ask(keyed, {"customer_id": 51, "product": "b", "amount": 1.0})
    assert unknown.status_code == 422
    assert unknown.json()["errors"] == [
        {"loc": ["instances", 1, "customer_id"], "msg": "there are no features of customer_id 51"}
    ]
    described = client.get(f"{url}/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    items = described["content"]["application/json"]["schema"]["properties"]["instances"]["items"]
    assert items["required"] == ["amount"]
    assert {"required": ["customer_id"]} in items["allOf"][0]["anyOf"]

    changed = write(tmp_path / "changed.ipynb", *CELLS[:2], CELLS[2].replace("4.0]", "5.0]"))
    home.json("deploy", changed, *named)
    last = ask(keyed, headers={"x-request-id": "last"})
    assert last.status_code == 200

    def records():
        lines = home.json("logs", "churn")
        found = {line["role"]: line for line in lines if line["request_id"] == "last"}
        return found if len(found) == 2 else None

    for record in until(records).values():
        assert json.loads(json.dumps(record["inputs"])) == [complete], "the features without the keys"

    require_same_answers_in_batches(home, tmp_path, answers[:1])

    database.stop()
    places = ["--source", tmp_path / "rows.csv", "--sink", tmp_path / "later"]
    failed = home.run("batch", "churn", *places, check=False)
    assert "db cannot be connected" in failed.stderr
    assert "the same command goes on" in failed.stderr
    away = until(lambda: answer if (answer := ask(keyed)).status_code == 503 else None)
    assert int(away.headers["retry-after"]) >= 1
    assert ask(complete).status_code == 200, "a complete row needs no database"
    database.start()
    until(lambda: ask(keyed).status_code == 200)
    home.run("batch", "churn", *places, "--max-errors", "3")
    assert len(pd.read_parquet(next((tmp_path / "later").glob("part-*")))) == 1
