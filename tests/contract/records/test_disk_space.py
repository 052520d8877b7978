"""A model that does not fit onto a disk is refused before anything is written."""

import tempfile

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.disk_space import estimate
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import StoreError
from tests.contract.capturing import live
from tests.disks import small_disk

MILLION = np.zeros(1_000_000, "uint8")


class Holds:
    def __init__(self, weights):
        self.weights = weights

    def predict(self, rows):
        return [1 for _ in rows]


@pytest.mark.parametrize("place", ["temporary folder", "model store"])
def test_a_model_that_is_larger_than_a_disk_is_refused_with_both_figures_and_nothing_is_written(
    tmp_path, monkeypatch, place
):
    with small_disk(tmp_path / "disk", "5m") as disk:
        if place == "temporary folder":
            monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
        store = tmp_path / "bentoml" if place == "temporary folder" else disk.path / "bentoml"
        capturer = ModelCapturer(store, Tolerance(), replay_timeout=120)
        weights = [np.zeros(1_000_000, "uint8") for _ in range(10)]
        with pytest.raises(StoreError, match=r"needs at least 10 MB, and the disk of .*disk.* has 5 MB free"):
            capturer.stage(live(Holds(weights), np.ones((2, 2))), "large")
        assert list(disk.path.rglob("*")) == []
        # What is there ten times is written once.
        staged = capturer.stage(live(Holds([weights[0]] * 10), np.ones((2, 2))), "small")
        capturer.discard(staged)
        assert [path for path in disk.path.rglob("*") if path.is_file()] == []


class Dot(dict):
    __getattr__ = dict.__getitem__


class Named(np.ndarray):
    pass


LINEAR = torch.nn.Linear(500, 500)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (torch.nn.Sequential(LINEAR, torch.nn.ReLU(), LINEAR), 500 * 500 * 4 + 500 * 4),
        ([LINEAR.weight.detach(), LINEAR.weight.detach().view(-1)], 500 * 500 * 4),
        (KNeighborsClassifier().fit(np.ones((1000, 20)), np.arange(1000) % 2), 1000 * 20 * 8),
        ({"a": [MILLION[:10], {"b": MILLION}]}, 1_000_010),
        (pd.DataFrame({"a": np.arange(100_000.0)}), 800_000),
        (lambda x: MILLION, 1_000_000),
        (np.array(["x" * 1000, "y" * 1000], dtype=object), 2000),
        (b"x" * 5000, 5000),
        (Dot(a=Dot(b=MILLION)), 1_000_000),
        (MILLION.view(Named), 1_000_000),
    ],
    ids=[
        "tied tensors",
        "views of a tensor",
        "estimator",
        "nested",
        "table",
        "global of a function",
        "objects",
        "bytes",
        "dict by attributes",
        "kind of array",
    ],
)
def test_what_is_written_is_estimated_from_below(value, size):
    import cloudpickle

    found = estimate(value)
    assert size <= found <= size * 1.2
    assert found <= len(cloudpickle.dumps(value))
