"""Features by key, from PostgreSQL and from Redis: answers, records, a shadow's own values, and outages."""

import json

import httpx
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
    """PostgreSQL and Redis with the features, which the notebook's variables name."""
    with postgres() as database, running(RedisServer, tmp_path / "redis") as cache:
        database.execute("CREATE TABLE customers (id int PRIMARY KEY, age int, income float8)")
        database.execute("INSERT INTO customers VALUES (%s, %s, %s)", CUSTOMERS)
        client = redis.Redis(port=cache.port)
        client.hset("product:a", mapping={"price": "2.5"})
        client.hset("product:b", mapping={"price": "5"})
        home.environment |= {"DB_URL": database.url, "CACHE_URL": f"{cache.url}/0"}
        yield database, client


@pytest.mark.timeout(480)  # two runs of a notebook on a busy machine
def test_a_request_brings_keys_and_the_release_looks_the_features_up(home, resources, tmp_path):
    database, _ = resources
    named = ["--name", "churn", "--model", "model", "--example", "rows", "--lookup", "[customers, products]"]
    notebook = write(tmp_path / "train.ipynb", *CELLS)
    secrets = ["--secret", "DB_URL=env:DB_URL", "--secret", "CACHE_URL=env:CACHE_URL"]
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

    database.stop()
    away = until(lambda: answer if (answer := ask(keyed)).status_code == 503 else None)
    assert int(away.headers["retry-after"]) >= 1
    assert ask(complete).status_code == 200, "a complete row needs no database"
    database.start()
    until(lambda: ask(keyed).status_code == 200)
