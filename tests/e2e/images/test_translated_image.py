"""The image of a translation, run by podman with no rights at all: without BentoML, pandas and scikit-learn."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.images.images import labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from tests.conftest import free_port
from tests.contract.capturing import live

# A Debian is fetched, a whole environment is installed, compiled and packed.
pytestmark = [pytest.mark.timeout(1500), pytest.mark.exhaustive]

ABSENT = ("bentoml", "pandas", "sklearn", "scipy", "pyarrow", "torch")
TABLE = pd.DataFrame({"age": np.arange(20.0, 80), "region": ["north", "south", "west"] * 20})


@pytest.fixture
def plan(base, tmp_path):
    columns = [("n", StandardScaler(), ["age"]), ("t", OneHotEncoder(handle_unknown="ignore"), ["region"])]
    model = make_pipeline(ColumnTransformer(columns), LogisticRegression()).fit(TABLE, TABLE["age"] > 50)
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), 240)
    handed_over = replace(live(model, TABLE[:6], "predict_proba"), engine="onnx")
    staged = capturer.replay(capturer.stage(handed_over, "paid"), handed_over)
    snapshot = capturer.keep(staged, lambda _: None)
    bento = BentoBuilder(tmp_path / "bentoml").build(snapshot)
    return ImagePlan(snapshot, bento, base, labels_of(snapshot))


def test_it_answers_without_bentoml_pandas_and_rights(plan, engine, tmp_path):
    store = ImageFolder(tmp_path / "images")
    builder = DaemonlessBuilder(store)
    builder.check(plan)
    image = builder.build(plan, print)
    names = set()
    for layer in image.layers:
        if layer.kind != "base":
            with tarfile.open(store.blob(layer.digest)) as tar:
                names.update(tar.getnames())
    assert [name for name in names if name.endswith("site-packages/onnxruntime/__init__.py")]
    assert not [name for name in names for absent in ABSENT if name.endswith(f"site-packages/{absent}/__init__.py")]

    manifest, port = plan.snapshot.manifest, free_port()
    url = f"http://127.0.0.1:{port}"
    rights = ["--read-only", "--read-only-tmpfs=false", "--user", "65532", "--cap-drop", "ALL"]
    with engine.container(*rights, "--env", f"PORT={port}", engine.pull(store.folder, image.digest)) as name:
        engine.wait_until_ready(name, url)
        answer = httpx.post(f"{url}/predict", json={"instances": manifest.instances}, trust_env=False)
        assert np.allclose(answer.json()["predictions"], manifest.predictions, rtol=1e-9)
        assert answer.headers["x-model-version"] == image.snapshot
        arrow = {"content-type": "application/vnd.apache.arrow.stream"}
        assert httpx.post(f"{url}/predict", content=b"", headers=arrow, trust_env=False).status_code == 415
        table = "age,region\n30,north\n70,elsewhere\n"
        rows = httpx.post(f"{url}/invocations", content=table, headers={"content-type": "text/csv"}, trust_env=False)
        assert rows.status_code == 200, rows.text
        refused = httpx.post(f"{url}/predict", json={"instances": [{"age": 1}]}, trust_env=False)
        assert (refused.status_code, "region" in refused.text) == (422, True)
