"""One notebook's model on demand, by a schedule over a bucket, and on a stream: moved by one line of its document."""

import json

import httpx
import pandas as pd
import pytest
import yaml

from tests import notebooks
from tests.brokers import NatsServer, running
from tests.e2e.conftest import TRAIN, deploy_notebook, until
from tests.e2e.validation.test_validate import write
from tests.s3 import Store

MOMENT = 300
"""Seconds until a schedule of each minute has surely begun, and ended, a run on a busy machine, or a stream answers."""

ROWS = [{"age": age, "weight": 70.5} for age in range(20, 80)]
BATCH = {
    "source": "s3://tables/rows/day=*/*.parquet",
    "sink": "s3://tables/scores",
    "schedule": "* * * * *",
    "keep": ["id"],
    "validate": ["checks.ipynb"],
    "gate": ["share_of_yes <= 0.95"],
}
CHECKS = """
import pandas as pd
from jupyter_deploy import metric
metric("share_of_yes", rows=pd.read_parquet(sink)["prediction"] == "yes")
"""


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


class Document:
    """The endpoint's document, of which a person edits the line ``serve``."""

    def __init__(self, home, file):
        self._home, self._file = home, file
        whole = yaml.safe_load(home.run("describe", "churn", "-o", "yaml").stdout)
        assert whole.pop("serve") == {"http": {}, "batch": None, "stream": None}
        file.write_text(yaml.safe_dump(whole) + "serve: {}\n")

    def edit(self, **serve):
        """Write the line, and apply the file; the changes in words, as ``plan`` said."""
        *rest, _ = self._file.read_text().splitlines()
        self._file.write_text("\n".join([*rest, f"serve: {json.dumps(serve)}\n"]))
        planned = self._changes("plan")
        assert self._changes("apply") == planned
        assert self._changes("plan") == []
        return planned

    def _changes(self, verb):
        return [one["change"] for one in self._home.json(verb, self._file, check=False)[0]["changes"]]


def put(system, day, rows):
    """Write a day's table."""
    with system.open(f"tables/rows/day={day}/rows.parquet", "wb") as file:
        pd.DataFrame(rows).assign(id=range(len(rows))).to_parquet(file, index=False)


def scored(system):
    """The answers in the bucket, in the order of the rows."""
    names = system.glob("tables/scores/part-*.parquet")
    return pd.concat([pd.read_parquet(system.open(name)) for name in names]).sort_values("id") if names else ()


@pytest.mark.timeout(900)  # of a machine that others use; up to a minute of it waits for the schedule's moment
def test_one_line_moves_a_model_between_http_a_schedule_and_a_stream(home, bucket, broker, tmp_path):
    deployed = json.loads(deploy_notebook(home, notebooks.write(tmp_path / "train.ipynb", TRAIN % 1.0)).stdout)
    document = Document(home, tmp_path / "churn.yaml")

    def ask(request_id):
        body = {"instances": ROWS}
        headers = {"x-request-id": request_id}
        answer = httpx.post(f"{deployed['url']}/predict", json=body, headers=headers, trust_env=False, timeout=60)
        assert (answer.status_code, answer.headers["x-model-version"]) == (200, deployed["release"])
        return answer.json()["predictions"]

    answers = ask("at first")
    assert set(answers) == {"yes", "no"}

    write(tmp_path / "checks.ipynb", 'sink = "scores"', CHECKS)
    put(bucket, 1, ROWS)
    (began,) = document.edit(batch=BATCH)
    assert began.startswith("batch: s3://tables/rows/day=*/*.parquet → s3://tables/scores")
    until(lambda: len(scored(bucket)) == len(ROWS), timeout=MOMENT)
    assert list(scored(bucket)["prediction"]) == answers
    run = until(lambda: (runs := home.json("batch", "churn")["state"]["runs"]) and runs[0]["ended"] and runs[0])
    assert (run["release"], run["rows"], run["problem"]) == (deployed["release"], len(ROWS), "")
    assert run["validation"]["verdict"] == "pass", run["validation"]
    assert any(check["part"] == "batch-churn" and check["state"] == "ok" for check in home.json("doctor")["checks"])

    stream = {"source": f"{broker.url}/rows", "sink": f"{broker.url}/scores"}
    changed = document.edit(stream=stream)
    assert [one.split(" ")[:2] for one in changed] == [["end", "the"], ["stream:", stream["source"]]]
    assert home.json("batch", "churn")["spec"] is None
    messages = broker.publish([json.dumps(row).encode() for row in ROWS])
    until(lambda: broker.count("scores") == len(ROWS), timeout=MOMENT)
    by_id = {one.headers["x-request-id"]: json.loads(one.data)["predictions"] for one in broker.messages("scores")}
    assert [by_id[one] for one in messages] == [[answer] for answer in answers]

    document.edit(http={})
    assert home.json("stream", "churn")["spec"] is None
    assert ask("at last") == answers

    found = [one for one in home.json("logs", "churn", "--limit", "1000") if one["role"] != "probe"]
    assert {(one["endpoint"], one["release"], one["role"]) for one in found} == {
        ("churn", deployed["release"], "stable")
    }
    rows = {one["request_id"]: one["rows"] for one in found}
    assert len(rows) == len(found), "each once"
    (batch,) = [one for one in rows if one.startswith("batch-")]
    assert rows == {"at first": 60, batch: 60, **dict.fromkeys(messages, 1), "at last": 60}
    drift = home.json("drift", "churn")
    assert (drift["state"], drift["origin"]["inputs"]) == ("watching", "200 of 200 rows of the training table")
    assert (drift["requests"], drift["rows"]) == (len(rows), sum(rows.values()))
    (release,) = home.json("describe", "churn")["releases"]
    assert release["tag"] == deployed["release"], "no new capture"
