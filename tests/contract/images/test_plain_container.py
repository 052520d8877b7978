"""The program of an image that holds a translation: it needs neither BentoML nor a library of the notebook's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from tests.contract.capturing import live
from tests.contract.contained import container

pytestmark = pytest.mark.usefixtures("forked_replays")

BLOCKED = ("bentoml", "joblib", "pandas", "pyarrow", "scipy", "sklearn", "torch")
CHANCE = np.random.default_rng(3)
PEOPLE = pd.DataFrame(
    {
        "age": CHANCE.integers(18, 80, 200),
        "income": CHANCE.normal(3000, 900, 200),
        "region": CHANCE.choice(["north", "south", "west"], 200),
    }
)
PAID = np.where(PEOPLE["age"] > 45, "yes", "no")


def _by_column():
    hot = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("n", StandardScaler(), ["age", "income"]), ("t", hot, ["region"])])
    return make_pipeline(columns, LogisticRegression())


MODELS = {
    "table": (_by_column(), PEOPLE, "predict_proba"),
    "numbers": (RandomForestClassifier(5, random_state=0), PEOPLE[["age", "income"]], "predict"),
    "array": (RandomForestClassifier(5, random_state=0), PEOPLE[["age", "income"]].to_numpy(), "predict_proba"),
}


@pytest.fixture(scope="module", params=MODELS)
def translated(request, tmp_path_factory):
    """A snapshot of a translation, and its bento."""
    model, table, method = MODELS[request.param]
    home = tmp_path_factory.mktemp("plain")
    capturer = ModelCapturer(home, Tolerance(), 120)
    handed_over = replace(live(model.fit(table, PAID), table[:10], method), engine="onnx")
    staged = capturer.replay(capturer.stage(handed_over, request.param), handed_over)
    snapshot = capturer.keep(staged, lambda _: None)
    return snapshot, BentoBuilder(home).build(snapshot)


@pytest.fixture(scope="module")
def variables(translated, tmp_path_factory):
    """Variables of an image, and modules that cannot be imported."""
    snapshot, _ = translated
    blocked = tmp_path_factory.mktemp("blocked")
    for name in BLOCKED:
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is not installed here')\n")
    return {"NBDEPLOY_SNAPSHOT": f"{snapshot.path}@{snapshot.digest}", "PYTHONPATH": str(blocked)}


def test_it_answers_the_example_without_bentoml_and_pandas(translated, variables, tmp_path):
    snapshot, bento = translated
    manifest = snapshot.manifest
    with container(bento, tmp_path, **variables) as running:
        answer = running.predict(*manifest.instances)
        assert answer.status_code == 200, answer.text
        expected = manifest.predictions
        same = np.array_equal if isinstance(expected[0], str) else np.allclose
        assert same(answer.json()["predictions"], expected)
        assert answer.headers["x-model-version"] == snapshot.tag
        assert running.get("/livez").status_code == 200
        assert "nbdeploy_requests_total" in running.get("/metrics").text
        assert running.get("/nothing").status_code == 404
        wrong = running.predict({"age": "old"})
        assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")


def test_several_workers_share_it_and_sum_their_metrics(translated, variables, tmp_path):
    snapshot, bento = translated
    with container(bento, tmp_path, **variables, NBDEPLOY_WORKERS="2") as running:
        for _ in range(6):
            running.predict(*snapshot.manifest.instances[:1]).raise_for_status()
        text = running.get("/metrics").text
        counts = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("nbdeploy_requests_total{")]
        assert sum(counts) >= 6


def test_the_lock_of_an_image_has_neither_bentoml_nor_the_notebooks_libraries(translated):
    snapshot, _ = translated
    environment = snapshot.manifest.environment
    held = {name.lower() for name in environment.in_image.distributions}
    assert {"numpy", "onnxruntime", "msgspec", "uvicorn"} <= held
    assert not held & {"bentoml", "pandas", "scikit-learn", "scipy", "pyarrow", "starlette"}
    assert "bentoml" in {name.lower() for name in environment.distributions}
