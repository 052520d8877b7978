"""The sketch of the training table in a snapshot: what it is made of, what it never holds, and its identity."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.reference_sketch import write_reference
from jupyter_deploy.capture.tables import table_of
from jupyter_deploy.capture.training_table import TrainingTable, TrainingUnknown
from jupyter_deploy.domain.capture.artifacts import REFERENCE, Source
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.drift.sketch import ReferenceSketch

DICE = np.random.default_rng(1)
X = pd.DataFrame({"age": DICE.normal(45, 10, 20_000), "income": DICE.gamma(2, 30, 20_000)})
CLF = LogisticRegression().fit(X, X["age"] > 50)


def made(folder, model, example, training, **given):
    live = Live(model, example, Source(), **given)
    table = TrainingTable(table_of(training), training)
    digests = write_reference(live, inspect_model(model, example, None), table, folder)
    return ReferenceSketch.model_validate_json((folder / REFERENCE).read_bytes()) if digests else None


def test_a_frame_is_sampled_and_answered_and_the_same_capture_has_the_same_bytes(tmp_path):
    sketch = made(tmp_path, CLF, X[:5], X)
    first = (tmp_path / REFERENCE).read_bytes()
    assert sketch.origin == {
        "inputs": "10,000 of 20,000 rows of the training table",
        "answers": "the model's answers on 10,000 rows of the training table",
    }
    assert {(one.group, one.name) for one in sketch.features} == {
        ("inputs", "age"), ("inputs", "income"), ("answers", "answer"),
    }  # fmt: skip
    made(tmp_path, CLF, X[:5], X)
    assert (tmp_path / REFERENCE).read_bytes() == first
    assert len(first) < 5_000


def test_redacted_columns_and_columns_of_other_tables_are_left_out(tmp_path):
    sketch = made(tmp_path, CLF, X[:5], X.assign(target=1), redact=("income",))
    assert {one.name for one in sketch.features if one.group == "inputs"} == {"age"}
    assert "income" not in json.dumps(sketch.model_dump(mode="json"))


def test_an_array_and_texts_are_read_as_requests_are(tmp_path):
    sketch = made(tmp_path, LogisticRegression().fit(X.to_numpy(), X["age"] > 50), X.to_numpy()[:3], X)
    assert {one.name for one in sketch.features if one.group == "inputs"} == {"0", "1"}


def test_a_functions_arguments_are_columns_and_it_is_not_called(tmp_path):
    calls = []

    def price(age, income):
        calls.append(age)
        return age + income

    sketch = made(tmp_path, price, {"age": 30.0, "income": 10.0}, X)
    assert {one.name for one in sketch.features} == {"age", "income"}
    assert calls == [30.0]


@pytest.mark.parametrize(
    "training", [X[["age"]], X[:10], np.ones((100, 7))], ids=["a column lacks", "too few rows", "another form"]
)
def test_an_unusable_table_gives_no_sketch(tmp_path, training):
    assert made(tmp_path, CLF, X[:5], training) is None
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_table_and_a_model_that_raises_prevent_no_deploy(tmp_path):
    live = Live(CLF, X[:5], Source())
    assert write_reference(live, inspect_model(CLF, X[:5], None), TrainingUnknown("why"), tmp_path) == {}

    class Fussy:
        def predict(self, rows):
            if len(rows) > 5:
                raise ValueError("too many")
            return [1] * len(rows)

    sketch = made(tmp_path, Fussy(), X[:5], X)
    assert set(sketch.columns) == {"inputs"}
    assert "raises" in sketch.notes[0]


@pytest.mark.parametrize("form", ["column", "index", "zone"])
def test_the_times_of_a_frames_rows_are_their_hours(tmp_path, form):
    times = pd.date_range("2026-01-05", periods=len(X), freq="5min", tz="Europe/Berlin" if form == "zone" else None)
    table = X.set_axis(times) if form == "index" else X.assign(at=times)
    sketch = made(tmp_path, CLF, X[:5], table)
    name = "its index" if form == "index" else "'at'"
    assert sketch.origin["inputs"] == f"10,000 of 20,000 rows of the training table, with the times of {name}"
    assert sketch.hourly == "hour of the week"
    age = next(one for one in sketch.features if one.name == "age")
    assert sum(map(sum, age.hours.values())) == sum(age.counts)
    assert len(age.hours) == 168


def test_times_that_are_several_missing_or_redacted_are_not_used(tmp_path):
    times = pd.Series(pd.date_range("2026-01-05", periods=len(X), freq="5min"))
    for table in (X.assign(at=times, until=times), X.assign(at=times.where(times.index > 9_999))):
        assert made(tmp_path, CLF, X[:5], table).hourly is None
    assert made(tmp_path, CLF, X[:5], X.assign(at=times), redact=["at"]).hourly is None
