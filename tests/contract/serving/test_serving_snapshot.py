"""Verification of a snapshot's folder before anything is unpickled."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import torch

from jupyter_deploy.artifacts.snapshots import write_manifest
from jupyter_deploy.domain.capture.artifacts import Manifest
from jupyter_deploy.domain.capture.signature import infer_schema
from jupyter_deploy.serving import environment
from jupyter_deploy.serving.snapshot import EnvironmentChanged, SnapshotChanged, current, load
from jupyter_deploy.serving.values.codec import instances_of, to_json


def write_snapshot(
    folder, native, example, predictions, container, *, parameters=(), framework="python", method=None, prototype=None
):
    """Write a snapshot's folder; return the digest of its manifest."""
    folder.mkdir(parents=True)
    content = {"example": example, "answers": predictions, "prototype": prototype}
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(native))
    (folder / "example.pkl").write_bytes(cloudpickle.dumps(content))
    instances = instances_of(example, container, parameters)
    signature = {
        "container": container,
        "parameters": parameters,
        "instance_schema": infer_schema(instances, fixed_lengths=container in ("array", "tensor")),
        "answer_schema": infer_schema(to_json(predictions)),
        "answer_dtype": "float64",
    }
    manifest = Manifest.model_validate(
        {
            "name": folder.parent.name,
            "method": method,
            "kind": f"{type(native).__module__}.{type(native).__qualname__}",
            "framework": framework,
            "signature": signature,
            "instances": instances,
            "predictions": to_json(predictions),
            "stochastic": False,
            "environment": {
                "interpreter": sys.executable,
                "python": environment.platform.python_version(),
                "platform": environment.sysconfig.get_platform(),
                "distributions": {name: metadata.version(name) for name in ("numpy", "bentoml")},
            },
            "provenance": {
                "source": {"notebook": "/home/ada/models/tumour.ipynb", "variable": "model"},
                "path": "models/tumour.ipynb",
                "notebook_sha256": "ab" * 32,
                "git": {"commit": "c0ffee", "dirty": False},
                "user": "ada",
                "captured_at": "2026-11-25T12:00:00Z",
            },
            "data_fingerprint": "cd" * 32,
            "files": {
                name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.pkl", "example.pkl")
            },
        }
    )
    write_manifest(manifest, folder)
    return "sha256:" + hashlib.sha256((folder / "snapshot.json").read_bytes()).hexdigest()


def double(rows):
    return [row * 2 for row in rows]


@pytest.fixture
def snapshot(tmp_path):
    folder = tmp_path / "models" / "tumour" / "1a2b"
    return folder, write_snapshot(folder, double, [1, 2], [2, 4], "list")


def test_a_snapshot_is_loaded_once_and_front_uses_it(snapshot):
    folder, digest = snapshot
    model = load(folder, digest)
    assert model.tag == "tumour:1a2b"
    assert model.answer([5]) == [10]
    assert model.answer([]) == []
    assert load(str(folder), digest) is model
    assert current() is model


def test_the_example_is_replayed_natively(snapshot):
    assert load(*snapshot).replay_example() == [2, 4]


def test_a_changed_manifest_is_refused(snapshot):
    folder, digest = snapshot
    (folder / "snapshot.json").write_text((folder / "snapshot.json").read_text() + " ")
    with pytest.raises(SnapshotChanged, match=r"snapshot\.json changed after it was captured"):
        load(folder, digest)


@pytest.mark.parametrize("name", ["model.pkl", "example.pkl"])
def test_a_changed_pickle_is_refused_before_anything_is_unpickled(snapshot, name, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "unpickled",)

    folder, digest = snapshot
    (folder / name).write_bytes(cloudpickle.dumps(Trap()))
    with pytest.raises(SnapshotChanged, match=f"{name} changed after it was captured"):
        load(folder, digest)
    assert not (tmp_path / "unpickled").exists()


def test_a_missing_file_is_reported(snapshot):
    (snapshot[0] / "model.pkl").unlink()
    with pytest.raises(SnapshotChanged, match=r"model\.pkl is missing"):
        load(*snapshot)


def test_a_torch_module_runs_in_evaluation_mode_and_without_gradients(tmp_path):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dropout = torch.nn.Dropout(0.9)
            self.weight = torch.nn.Parameter(torch.ones(3))

        def forward(self, x):
            assert not torch.is_grad_enabled()
            return self.dropout(x * self.weight).sum(-1)

    example = torch.ones(2, 3)
    folder = tmp_path / "net" / "1"
    write_snapshot(folder, Net().train(), example, [3.0, 3.0], "tensor", framework="torch", prototype=example[:0])
    model = load(folder)
    assert model.answer([[1, 2, 3]]) == [6.0]
    assert model.replay_example() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("function", "example", "instance", "prediction"),
    [
        (lambda age, sex: f"{age}{sex}", {"age": 3, "sex": "F"}, {"sex": "M", "age": 4}, "4M"),
        (lambda text: {"length": len(text)}, {"text": "abc"}, "abcd", {"length": 4}),
        (math.sqrt, {"x": 4.0}, 9, 3.0),
    ],
)
def test_a_function_is_called_once_for_each_instance(tmp_path, function, example, instance, prediction):
    folder = tmp_path / "function" / "1"
    write_snapshot(folder, function, example, [function(*example.values())], "call", parameters=tuple(example))
    model = load(folder)
    assert model.replay_example() == model.manifest["predictions"]
    assert model.answer([instance, instance]) == [prediction, prediction]


def test_a_method_is_called_by_its_name(tmp_path):
    class Scaler:
        def transform(self, batch):
            return batch * np.float32(10)

    example = np.array([[1.0, 2.0]])
    folder = tmp_path / "scaler" / "1"
    write_snapshot(folder, Scaler(), example, [[10.0, 20.0]], "array", method="transform", prototype=example[:0])
    assert load(folder).answer([[3, 4]]) == [[30.0, 40.0]]


def manifest_with(**changes):
    installed = {
        "python": environment.platform.python_version(),
        "platform": environment.sysconfig.get_platform(),
        "distributions": {"numpy": metadata.version("numpy")},
    }
    return {"environment": installed | changes}


def test_the_same_environment_has_no_changes():
    assert environment.changes(manifest_with()) == []


def test_each_change_of_the_environment_is_one_line():
    changed = manifest_with(python="3.9.1", platform="vax", distributions={"numpy": "0.1", "no-such-thing": "1.0"})
    assert environment.changes(changed) == [
        f"python: captured 3.9.1, installed {environment.platform.python_version()}",
        f"platform: captured vax, installed {environment.sysconfig.get_platform()}",
        "no-such-thing: captured 1.0, not installed",
        f"numpy: captured 0.1, installed {np.__version__}",
    ]


@pytest.mark.parametrize(("distributions", "code"), [({}, 0), ({"no-such-thing": "1.0"}, 1)])
def test_the_environment_can_be_checked_by_a_script_that_needs_no_other_file(tmp_path, distributions, code):
    (tmp_path / "snapshot.json").write_text(json.dumps(manifest_with(distributions=distributions)))
    command = [sys.executable, "-P", environment.__file__, str(tmp_path / "snapshot.json")]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == code, ended.stderr
    assert len(json.loads(ended.stdout)) == code


def test_a_model_is_not_unpickled_in_a_changed_environment_if_it_is_checked(snapshot, monkeypatch):
    folder, _ = snapshot
    manifest = json.loads((folder / "snapshot.json").read_text())
    manifest["environment"]["distributions"]["numpy"] = "0.1"
    (folder / "snapshot.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("NBDEPLOY_CHECK_ENVIRONMENT", "1")
    with pytest.raises(EnvironmentChanged, match=r"numpy: captured 0\.1, installed"):
        load(folder)
    monkeypatch.delenv("NBDEPLOY_CHECK_ENVIRONMENT")
    assert load(folder).answer([1]) == [2]
