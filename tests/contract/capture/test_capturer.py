"""Capture of live objects, with the real clean process and BentoML's real model store."""

import json
import math
import random
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import (
    DeployError,
    InvalidExample,
    InvalidInput,
    NotCapturable,
    ReplayFailed,
    StoreError,
    UnknownSource,
    Untrusted,
)
from tests.contract.capturing import FRAME, NUMBERS, capture

pytestmark = pytest.mark.usefixtures("forked_replays")


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


def classifier():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, ["no", "yes", "no", "yes"])


def test_an_estimator_on_a_frame_becomes_a_snapshot_that_tells_everything(capturer, tmp_path):
    model = classifier()
    snapshot = capture(capturer, model, NUMBERS[:2])
    manifest = snapshot.manifest
    assert manifest.signature.container == "frame"
    assert manifest.signature.instance_schema["properties"]["age"]["type"] == "integer"
    assert manifest.signature.instance_schema["properties"]["weight"] == {
        "type": "number",
        "x-seen": {"count": 2, "minimum": 60.5, "maximum": 70.0},
    }
    assert manifest.instances == [{"age": 30, "weight": 60.5}, {"age": 40, "weight": 70.0}]
    assert manifest.predictions == list(model.predict(NUMBERS[:2]))
    assert manifest.method == "predict"
    assert manifest.framework == "sklearn"
    assert manifest.provenance.cells == ("a = 1",)
    lock = manifest.environment
    assert Path(lock.interpreter).samefile(sys.executable)
    assert Path(lock.interpreter).parent == Path(sys.executable).parent, "the virtual environment's own"
    assert {"scikit-learn", "scipy", "pandas", "numpy", "bentoml", "cloudpickle"} <= set(lock.distributions)
    assert "torch" not in lock.distributions, "what the model does not need is not locked"
    assert "nbdeploy" not in lock.distributions


def test_bentoml_lists_the_snapshot_in_the_users_own_store(capturer, tmp_path):
    import os

    snapshot = capture(capturer, classifier(), NUMBERS[:2])
    listed = subprocess.run(
        [sys.executable, "-m", "bentoml", "models", "list", "-o", "json"],
        env=os.environ | {"BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert snapshot.tag in [model["tag"] for model in json.loads(listed.stdout)]


def test_the_same_model_captured_again_is_the_same_snapshot(capturer):
    model = classifier()
    first, again = capture(capturer, model, NUMBERS[:2]), capture(capturer, model, NUMBERS[:2])
    assert first == again
    assert capture(capturer, model, NUMBERS[:3]).tag != first.tag
    other = make_pipeline(StandardScaler(), LogisticRegression(C=9)).fit(NUMBERS, ["no", "yes", "no", "yes"])
    assert capture(capturer, other, NUMBERS[:2]).tag != first.tag


def test_a_tensor_goes_to_a_torch_module_in_eval_mode_and_its_mode_is_given_back(capturer):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2))
    assert module.training
    snapshot = capture(capturer, module, torch.ones(2, 3))
    assert module.training
    assert not snapshot.manifest.stochastic
    assert snapshot.manifest.signature.container == "tensor"
    assert snapshot.manifest.signature.answer_dtype == "float32"
    assert any("eval mode" in note for note in snapshot.manifest.notes)
    assert "torch" in snapshot.manifest.environment.distributions


def bmi(weight: float, height: float = 1.7):
    return {"bmi": weight / height**2, "heavy": weight > 100}


def scaled(values):
    return [value / max(values) for value in values]


@pytest.mark.parametrize(
    ("model", "example", "container", "instances"),
    [
        (bmi, {"weight": 70}, "call", [{"weight": 70}]),
        (bmi, {"weight": 70, "height": 1.8}, "call", [{"weight": 70, "height": 1.8}]),
        (bmi, (70, 1.8), "call", [{"weight": 70, "height": 1.8}]),
        (bmi, 70.5, "call", [{"weight": 70.5}]),
        (scaled, [1, 2, 4], "call", [[1, 2, 4]]),
        (scaled, np.array([1.0, 2.0]), "call", [[1.0, 2.0]]),
        (math.sqrt, 4.0, "call", None),
        (lambda frame: frame["age"] > 35, FRAME, "frame", FRAME.to_dict("records")),
        (lambda rows: rows.sum(axis=1), np.ones((2, 3), "float32"), "array", [[1.0] * 3] * 2),
        (LinearRegression().fit([[1], [2]], [1, 2]), [[1.5], [2.5]], "list", [[1.5], [2.5]]),
    ],
    ids=["keyword", "keywords", "tuple", "value", "list", "vector", "builtin", "frame", "array", "rows"],
)
def test_the_example_decides_how_the_model_is_called(capturer, model, example, container, instances):
    if instances is None:
        with pytest.raises(InvalidInput, match="positional-only"):
            capture(capturer, model, example)
        return
    snapshot = capture(capturer, model, example)
    assert snapshot.manifest.signature.container == container
    assert snapshot.manifest.instances == instances


def test_a_function_of_floats_takes_numbers_although_the_example_is_whole(capturer):
    schema = capture(capturer, bmi, {"weight": 70, "height": 2}).manifest.signature.instance_schema
    assert schema["properties"]["weight"]["type"] == "number"


def test_a_parameter_with_a_default_may_be_left_out_of_a_request(capturer):
    schema = capture(capturer, bmi, {"weight": 70, "height": 2}).manifest.signature.instance_schema
    assert schema["required"] == ["weight"]
    assert set(schema["properties"]) == {"weight", "height"}


def test_the_mode_that_a_module_is_in_makes_no_other_snapshot(capturer):
    module = torch.nn.Linear(2, 2)
    training = capture(capturer, module, torch.ones(1, 2))
    assert capture(capturer, module.eval(), torch.ones(1, 2)).tag == training.tag


def test_a_replay_names_the_module_that_is_missing(capturer, monkeypatch):
    made_here = ModuleType("made_here", "A module of no file.")
    monkeypatch.setitem(sys.modules, "made_here", made_here)
    exec("def f(frame):\n    return frame['age'].tolist()\n", vars(made_here))

    with pytest.raises(ReplayFailed, match="the module 'made_here' is missing"):
        capture(capturer, made_here.f, NUMBERS)


def test_a_replay_names_the_file_that_is_missing(capturer, tmp_path, monkeypatch):
    (tmp_path / "limits.txt").write_text("35")
    monkeypatch.chdir(tmp_path)

    def old(frame):
        return (frame["age"] > int(Path("limits.txt").read_text())).tolist()

    with pytest.raises(ReplayFailed, match=r"the file 'limits\.txt' is missing"):
        capture(capturer, old, NUMBERS)


def test_a_replay_names_the_global_that_is_missing(capturer):
    namespace = {}
    exec("def f(frame):\n    return eval('threshold', globals()) + frame['age']", namespace)
    namespace["threshold"] = 1
    with pytest.raises(ReplayFailed, match="the global 'threshold' is missing"):
        capture(capturer, namespace["f"], NUMBERS)


def test_answers_that_depend_on_the_process_are_refused_row_by_row(capturer):
    import os

    pid = os.getpid()

    def odd(frame):
        import os

        return [os.getpid() == pid] * len(frame)

    with pytest.raises(ReplayFailed, match="row 0: expected True, got False"):
        capture(capturer, odd, NUMBERS)


def test_a_model_that_ends_its_process_is_an_error_that_says_so(capturer):
    import os

    pid = os.getpid()

    def leave(frame):
        import os

        if os.getpid() != pid:
            os._exit(7)
        return [1] * len(frame)

    with pytest.raises(ReplayFailed, match="exit code 7"):
        capture(capturer, leave, NUMBERS)


def test_a_model_that_never_answers_in_the_clean_process_is_ended(tmp_path):
    import os

    pid = os.getpid()

    def hang(frame):
        import os
        import time

        while os.getpid() != pid:
            time.sleep(0.01)
        return [1] * len(frame)

    with pytest.raises(ReplayFailed, match="within 5 s"):
        capture(ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=5), hang, NUMBERS)


def test_a_model_that_does_not_agree_with_itself_is_called_stochastic(capturer):
    def noisy(frame):
        return [random.random() for _ in range(len(frame))]

    snapshot = capture(capturer, noisy, NUMBERS)
    assert snapshot.manifest.stochastic
    assert any("with the same input differ" in note for note in snapshot.manifest.notes)


def test_a_stochastic_model_of_another_distribution_in_the_clean_process_is_refused(capturer):
    import os

    pid = os.getpid()

    def noisy(frame):
        import os

        return [random.random() + 100 * (os.getpid() == pid) for _ in range(len(frame))]

    with pytest.raises(ReplayFailed, match="is far from"):
        capture(capturer, noisy, NUMBERS)


class Holder:
    def __init__(self, thing):
        self.parts = {"inner": [thing]}

    def predict(self, frame):
        return [1] * len(frame)


@pytest.mark.parametrize("kind", ["lock", "socket", "database"])
def test_what_cannot_be_captured_is_named_by_its_attribute_path(capturer, kind):
    things = {"lock": threading.Lock, "socket": socket.socket, "database": lambda: sqlite3.connect(":memory:")}
    thing = things[kind]()
    with pytest.raises(NotCapturable, match=r"model\.parts\['inner'\]\[0\] is a "):
        capture(capturer, Holder(thing), NUMBERS)
    if hasattr(thing, "close"):
        thing.close()


def test_a_lock_among_a_functions_globals_is_named(capturer):
    namespace = {"guard": threading.Lock()}
    exec("def f(frame):\n    with guard:\n        return [1] * len(frame)", namespace)
    with pytest.raises(NotCapturable, match=r"global 'guard' is a _thread.lock"):
        capture(capturer, namespace["f"], NUMBERS)


@pytest.mark.parametrize(
    ("example", "words"),
    [
        (None, "no example"),
        (NUMBERS[:0], "empty"),
        (NUMBERS.rename(columns={"age": "years"}), "raises on the example"),
        (pd.concat([NUMBERS, NUMBERS], axis=1), "several columns named"),
        (object(), "holds a object, which a JSON request cannot restore"),
    ],
)
def test_a_bad_example_is_refused_before_anything_is_written(capturer, tmp_path, example, words):
    model = classifier() if not isinstance(example, object) or example is None or hasattr(example, "iloc") else bmi
    with pytest.raises(InvalidExample, match=words):
        capture(capturer, model, example)
    assert not (tmp_path / "bentoml").exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [([1], "1 answers for 4 rows"), (1.0, "one value a row"), ([object()] * 4, "object")],
)
def test_an_answer_that_is_not_one_value_a_row_is_refused(capturer, answer, words):
    with pytest.raises(InvalidExample, match=words):
        capture(capturer, lambda frame: answer, NUMBERS)


def test_an_object_that_cannot_answer_is_refused_with_what_it_has(capturer):
    with pytest.raises(UnknownSource, match="no method 'guess'"):
        capture(capturer, classifier(), NUMBERS, method="guess")
    with pytest.raises(UnknownSource, match="is not a model"):
        capture(capturer, 42, NUMBERS)
    with pytest.raises(UnknownSource, match="is a class"):
        capture(capturer, LogisticRegression, NUMBERS)


def test_the_notebooks_example_is_not_changed_by_a_model_that_writes_into_it(capturer):
    def writes(frame):
        frame["age"] = 0
        return frame["age"]

    example = NUMBERS.copy()
    assert capture(capturer, writes, example).manifest.instances[0]["age"] == 30
    assert example["age"].tolist() == NUMBERS["age"].tolist()


def test_a_model_that_adds_to_its_input_in_place_is_not_called_stochastic(capturer):
    def older(frame):
        frame["age"] += 1
        return frame["age"]

    manifest = capture(capturer, older, NUMBERS.copy()).manifest
    assert not manifest.stochastic
    assert manifest.predictions == [31, 41, 51, 61]


def test_a_missing_value_in_the_example_makes_its_column_nullable(capturer):
    frame = FRAME.assign(weight=[60.5, math.nan, 80.0, 90.0])
    manifest = capture(capturer, lambda f: f["weight"].fillna(0), frame).manifest
    assert manifest.signature.instance_schema["properties"]["weight"]["type"] == ["number", "null"]
    assert manifest.instances[1]["weight"] is None


def test_a_changed_file_in_the_store_is_found_before_it_is_unpickled(capturer):
    snapshot = capture(capturer, classifier(), NUMBERS[:2])
    pickled = Path(snapshot.path) / "model.pkl"
    pickled.chmod(0o600)
    pickled.write_bytes(pickled.read_bytes() + b" ")
    with pytest.raises(Untrusted, match="has changed since"):
        capturer.load(snapshot.tag)


def test_a_store_that_cannot_be_written_is_an_error_and_nothing_is_left(tmp_path):
    (tmp_path / "bentoml").write_text("a file where a folder should be")
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    with pytest.raises(StoreError, match="cannot write into"):
        capture(capturer, classifier(), NUMBERS[:2])


def test_unknown_tags_are_errors(capturer):
    with pytest.raises(DeployError, match="there is no snapshot churn:1"):
        capturer.load("churn:1")
