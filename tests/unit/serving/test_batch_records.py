"""The records of a batch: a bounded sample, the same rows of each release, as the endpoint's mode says."""

import io
import json

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from jupyter_deploy.serving.batch.recording import ROWS, BatchRecords, place_of
from jupyter_deploy.serving.batch.scoring import Scored
from jupyter_deploy.serving.batch.worker import serve

TABLE = pa.table({"age": list(range(5000)), "name": [f"n{number}" for number in range(5000)]})
PLACE = place_of({"source": "/data/1.parquet", "changed": [1, 2], "row_groups": None}, 0)


class Predictor:
    """Has the features of the table."""

    features = ("age", "name")

    def recorded(self, table):
        return table.to_pylist()


@pytest.fixture
def recorded(tmp_path):
    """Record answers in a mode; the lines of the record log."""

    def run(answered=range(5000), *, release="churn:a", place=PLACE, kept="full", sample=1.0, redact=()):
        folder = tmp_path / release.replace(":", "-") / kept / str(sample) / str(len(redact))
        settings = {"folder": folder, "endpoint": "churn", "release": release, "role": "stable"}
        records = BatchRecords(Predictor(), settings | {"kept": kept, "sample": sample, "redact": redact})
        answers = pa.table({"prediction": [2 * row for row in answered]}) if answered else None
        records.write(place, Scored(answers=answers, rows=list(answered), inputs=TABLE), 2.5)
        records.close()
        return [json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]

    return run


def test_a_record_has_a_sample_of_the_rows_with_their_answers(recorded):
    (record,) = recorded()
    assert (record["endpoint"], record["release"], record["role"], record["status"]) == (
        "churn", "churn:a", "stable", 200,
    )  # fmt: skip
    assert record["rows"] == len(record["inputs"]) == len(record["outputs"]) == ROWS
    assert all(answer == 2 * row["age"] for row, answer in zip(record["inputs"], record["outputs"], strict=True))
    assert max(row["age"] for row in record["inputs"]) > 4000, "a sample of all rows, not the first ones"
    assert record["latency_ms"] == pytest.approx(500)


def test_releases_record_the_same_rows_under_one_pair_id(recorded):
    (one,), (two,) = recorded(), recorded(release="churn:b")
    assert (one["pair_id"], one["inputs"]) == (two["pair_id"], two["inputs"])
    (other,) = recorded(place=PLACE.replace("1.parquet", "2.parquet"), release="churn:c")
    assert other["pair_id"] != one["pair_id"]
    assert other["inputs"] != one["inputs"]


def test_refused_rows_have_no_answer_in_the_record(recorded):
    (record,) = recorded(range(0, 5000, 2))
    assert all(row["age"] % 2 == 0 for row in record["inputs"])
    assert record["rows"] == len(record["outputs"]) < ROWS
    assert recorded((), release="churn:none") == []


def test_the_mode_of_the_endpoint_holds(recorded):
    (meta,) = recorded(kept="meta")
    assert (meta["inputs"], meta["outputs"], meta["rows"]) == (None, None, ROWS)
    (redacted,) = recorded(redact=("name",))
    assert {name for row in redacted["inputs"] for name in row} == {"age"}
    assert recorded(kept="off") == []
    places = [place_of({"source": f"/{number}", "changed": None, "row_groups": None}, 0) for number in range(60)]
    kept = sum(bool(recorded(place=place, sample=0.5, release=f"churn:{n}")) for n, place in enumerate(places))
    assert 0 < kept < 60


class Doubling(Predictor):
    """Answers twice the age."""

    schemas = {"age": {"type": "integer"}, "name": {"type": "string"}}
    looks_up = False

    def __init__(self, _model, _role):
        pass

    def columns(self, _names):
        return list(self.features)

    def missing(self, _names):
        return {}

    def completed(self, _table, *, texts):
        return None

    def answer(self, table):
        return pa.table({"prediction": [2 * age for age in table["age"].to_pylist()]})

    def empty(self):
        return pa.table({"prediction": pa.array([], pa.int64())})


def test_a_worker_records_what_it_writes_and_a_repetition_has_the_same_ids(tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.serving.snapshot.load", lambda *_: None)
    monkeypatch.setattr("jupyter_deploy.serving.table_predictor.TablePredictor", Doubling)
    (tmp_path / "source").mkdir()
    pq.write_table(TABLE.slice(0, 300), tmp_path / "source" / "1.parquet", row_group_size=100)

    def run(release):
        records = {"folder": tmp_path / release, "endpoint": "churn", "release": f"churn:{release}", "role": "stable"}
        settings = {
            "snapshot": "", "digest": release, "tag": f"churn:{release}", "source": str(tmp_path / "source"),
            "sink": str(tmp_path / f"sink-{release}"), "keep": [], "suffix": ".parquet", "rows": 100,
            "records": records | {"kept": "full", "sample": 1.0, "redact": []},
        }  # fmt: skip
        plan = json.loads(served([settings, {"op": "plan", "write": False}])[-1])["result"]["partitions"]
        steps = [settings, {"op": "plan", "write": True}]
        assert len(plan) == 3
        keys = [one["key"] for one in plan]
        steps += [{"op": "score", "partition": one} for one in plan]
        answers = served([*steps, {"op": "commit", "keys": keys, "planned": keys}])
        assert not [line for line in answers if "error" in json.loads(line)]
        lines = [line for file in (tmp_path / release).glob("*.jsonl") for line in file.read_text().splitlines()]
        return {(one["request_id"], one["pair_id"], one["rows"]) for one in map(json.loads, lines)}

    first = run("a")
    assert len(first) == 3
    assert {rows for *_, rows in first} == {100}
    assert pa.dataset.dataset(tmp_path / "sink-a").to_table()["prediction"].to_pylist().count(2) == 1
    assert run("b") == first, "another release records the same rows under the same ids"


def served(steps):
    """The lines of a worker that gets these requests."""
    channel = io.StringIO()
    serve(io.StringIO("".join(f"{json.dumps(step, default=str)}\n" for step in steps)), channel)
    return channel.getvalue().splitlines()
