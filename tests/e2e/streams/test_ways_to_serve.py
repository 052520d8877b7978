"""One model on demand, by a schedule over a bucket, and on a stream: moved by one line of its document."""

import httpx
import pandas as pd
import pytest
import yaml

from tests.brokers import NatsServer, running
from tests.e2e.conftest import ROW, until
from tests.s3 import Store

from .test_stream import row

MOMENT = 300
"""Seconds until a schedule of each minute has surely begun, and ended, a run on a busy machine, or a stream answers."""


@pytest.fixture
def bucket(home):
    """A server of S3 with two folders, whose keys are in the environment of commands; its file system."""
    import s3fs

    store = Store()
    store.start()
    home.environment |= store.variables
    variables = store.variables
    system = s3fs.S3FileSystem(
        key=variables["AWS_ACCESS_KEY_ID"],
        secret=variables["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        skip_instance_cache=True,
    )
    system.mkdir("tables")
    yield system
    store.end()


@pytest.fixture
def broker(tmp_path):
    with running(NatsServer, tmp_path / "broker") as server:
        server.prepare()
        yield server


def put(system, day, ages):
    """Write a day's table."""
    with system.open(f"tables/rows/day={day}/rows.parquet", "wb") as file:
        pd.DataFrame({"id": range(len(ages)), "age": ages, "weight": 70.5}).to_parquet(file, index=False)


def scored(system):
    """The answers in the bucket."""
    names = system.glob("tables/scores/part-*.parquet")
    return pd.concat([pd.read_parquet(system.open(name)) for name in names]) if names else pd.DataFrame()


def expected(ages):
    return ["yes" if age + 70.5 > 120 else "no" for age in ages]


@pytest.mark.timeout(1800)  # of a machine that others use; two minutes of it wait for moments
def test_one_line_moves_a_model_between_http_a_schedule_and_a_stream(deploy, home, bucket, broker, tmp_path):
    deploy(1.0)
    document = yaml.safe_load(home.run("describe", "churn", "-o", "yaml").stdout)
    assert document["serve"] == {"http": {}, "batch": None, "stream": None}
    (stable,) = document["releases"]
    file = tmp_path / "churn.yaml"

    def changes(verb, serve):
        file.write_text(yaml.safe_dump(document | {"serve": serve}))
        return [one["change"] for one in home.json(verb, file, check=False)[0]["changes"]]

    def records():
        return home.json("logs", "churn", "--limit", "1000")

    def runs():
        return home.json("batch", "churn")["state"]["runs"]

    def ask():
        url = home.json("describe", "churn")["url"]
        answer = httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False, timeout=60)
        assert (answer.status_code, answer.headers["x-model-version"]) == (200, stable["tag"])

    ask()

    put(bucket, 1, range(20, 80))
    batch = {"source": "s3://tables/rows/day=*/*.parquet", "sink": "s3://tables/scores", "schedule": "* * * * *"}
    planned = changes("plan", {"batch": batch | {"keep": ["id"]}})
    assert planned[0].startswith("batch: s3://tables/rows/day=*/*.parquet → s3://tables/scores")
    assert changes("apply", {"batch": batch | {"keep": ["id"]}}) == planned
    assert changes("plan", {"batch": batch | {"keep": ["id"]}}) == []
    until(lambda: len(scored(bucket)) == 60, timeout=MOMENT)
    assert sorted(scored(bucket)["prediction"]) == sorted(expected(range(20, 80)))
    put(bucket, 2, range(30, 50))
    until(lambda: len(scored(bucket)) == 80, timeout=MOMENT)
    run = until(lambda: next((one for one in runs() if one["rows"] == 20), None), timeout=MOMENT)
    assert (run["release"], run["problem"], run["refused"]) == (stable["tag"], "", 0)
    assert any(check["part"] == "batch-churn" and check["state"] == "ok" for check in home.json("doctor")["checks"])
    written = yaml.safe_load(home.run("describe", "churn", "-o", "yaml").stdout)
    assert written["serve"]["batch"]["schedule"] == "* * * * *"
    ask()

    stream = {"source": f"{broker.url}/rows", "sink": f"{broker.url}/scores"}
    planned = changes("plan", {"stream": stream})
    assert [one.split(" ")[:2] for one in planned] == [["end", "the"], ["stream:", stream["source"]]]
    changes("apply", {"stream": stream})
    assert home.json("batch", "churn")["spec"] is None
    broker.publish([row(age) for age in (20, 30, 60)])
    until(lambda: broker.count("scores") == 3, timeout=MOMENT)

    changes("apply", {"http": {}})
    assert home.json("stream", "churn")["spec"] is None
    ask()

    found = until(lambda: (log := records()) and sum(one["rows"] for one in log) >= 3 + 80 + 3 and log, timeout=MOMENT)
    by_way = {one["request_id"].partition("-")[0] for one in found}
    assert "batch" in by_way
    assert {one["release"] for one in found} == {stable["tag"]}
    assert {one["role"] for one in found} == {"stable"}
    assert [one["tag"] for one in home.json("describe", "churn")["releases"]] == [stable["tag"]], "no new capture"
