"""The identity of captures, and forged or changed snapshots in the store."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from jupyter_deploy.artifacts import snapshots
from jupyter_deploy.artifacts.fingerprints import fingerprint
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.pickling import write_pickle
from jupyter_deploy.capture.project_code import ProjectCode
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidExample, NotCapturable, ReplayFailed, Untrusted
from jupyter_deploy.environments.environment import interpreter
from tests.contract.capturing import NUMBERS, capture, live

pytestmark = pytest.mark.usefixtures("forked_replays")


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


def test_what_is_named_and_measured_later_is_known_of_a_model_that_is_stored_already(capturer):
    def halved(n):
        return n / 2

    def kept(**more):
        handed_over = replace(live(halved, 3), **more)
        staged = capturer.stage(handed_over, "churn")
        try:
            return capturer.keep(staged, lambda _: None)
        finally:
            capturer.discard(staged)

    first = kept()
    later = kept(training=NUMBERS, namespace={"test_auc": 0.75})
    assert (later.tag, later.digest) == (first.tag, first.digest)
    assert (later.manifest.training.rows, later.manifest.metrics) == (4, {"test_auc": 0.75})


def fingerprint_of(value, path):
    write_pickle(value, path, name="value", code=ProjectCode())
    return fingerprint(path)


def test_values_with_similar_bytes_have_different_fingerprints(tmp_path):
    assert fingerprint_of(65535, tmp_path / "a") != fingerprint_of(265535, tmp_path / "a")
    assert fingerprint_of("a.churn:202511251200", tmp_path / "a") != fingerprint_of(
        "a.churn:202511261200", tmp_path / "a"
    )
    assert fingerprint_of({1, 2}, tmp_path / "a") != fingerprint_of({1, 3}, tmp_path / "a")
    assert fingerprint_of(["ab", "c"], tmp_path / "a") != fingerprint_of(["a", "bc"], tmp_path / "a")


@pytest.mark.parametrize("address", ["4820112", "840138576", "94333917790688"])
def test_the_address_of_a_class_in_pydantics_schemas_is_no_content_whatever_its_length(tmp_path, address):
    # 4 MiB is the lowest of an interpreter that is linked to a fixed address, as Debian's.
    found = {
        fingerprint_of({"ref": f"__main__.Person:{one}"}, tmp_path / "a")
        for one in (address, f"9{address}", address[::-1])
    }
    assert len(found) == 1


def test_the_name_that_the_interpreter_was_started_by_is_no_content(tmp_path, monkeypatch):
    base, other = tmp_path / "base", tmp_path / "other"
    for file in (base, other):
        file.touch()
    bin_ = tmp_path / "venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "python3").symlink_to(base)
    monkeypatch.setattr("sys.executable", str(bin_ / "python3"))
    assert interpreter().interpreter == str(bin_ / "python3"), "there is no other"
    (bin_ / "python").symlink_to(other)
    assert interpreter().interpreter == str(bin_ / "python3"), "'python' is another one"
    (bin_ / "python").unlink()
    (bin_ / "python").symlink_to("python3")
    (bin_ / "python3.11").symlink_to("python3")
    found = set()
    for name in ("python", "python3", "python3.11"):
        monkeypatch.setattr("sys.executable", str(bin_ / name))
        found.add(interpreter().interpreter)
    assert found == {str(bin_ / "python")}


SETS = """
import enum, functools, sys
from pydantic import BaseModel
from pathlib import Path
from jupyter_deploy.artifacts.fingerprints import fingerprint
from jupyter_deploy.capture.pickling import write_pickle
from jupyter_deploy.capture.project_code import ProjectCode
def f(x):
    return x in {"red", "green", "blue", "black"}
class Person(BaseModel):
    age: int
    names: set[str] = {"ada", "bob", "eve"}
@functools.lru_cache
def older(x):
    return Person(age=x + 1).age
STOP, WEIGHTS = {"the", "of", "and", "in"}, {"the": 1, "of": 2, "and": 3}
def weighted(x):
    return [WEIGHTS[w] for w in x if w in STOP]
class Colour(enum.Enum):
    RED, GREEN, BLUE = "r", "g", "b"
class Size(enum.Enum):
    LOW, HIGH = "l", "h"
def painted(x):
    return x in ("a", frozenset({Colour.RED, Colour.GREEN, Colour.BLUE, Size.LOW, Size.HIGH}))
many = {f"word{n}" for n in range(2500)}
pairs = {("a", "x"), ("b", "x"), ("c", ("y", "a")), ("d", ("y", "b"))}
nested = {frozenset({"a", "b"}), frozenset({"b", "c"}), frozenset({("c", "d"), ("d", "a")})}
mixed = {Colour.RED, Colour.BLUE, Size.LOW, Size.HIGH}
colours = frozenset({Colour.RED, Colour.GREEN, Colour.BLUE})
others = [Colour.GREEN, ("a", "x"), sorted(many)[:5], sorted(pairs, key=repr), [Colour.BLUE, Size.HIGH]]
parts = dict(f=f, older=older, weighted=weighted, painted=painted, many=many, pairs=pairs, nested=nested, mixed=mixed)
parts |= dict(colours=colours, others=others, three={"one", "two", "three"})
for name, part in parts.items():
    write_pickle([part, "one", others], Path(sys.argv[1]), name="f", code=ProjectCode())
    print(name, fingerprint(Path(sys.argv[1])))
write_pickle(list(parts.values()), Path(sys.argv[1]), name="f", code=ProjectCode())
print(fingerprint(Path(sys.argv[1])))
"""


def test_what_each_process_has_for_itself_such_as_addresses_and_the_order_of_a_set_is_no_content(tmp_path):
    found = {
        subprocess.run(
            [sys.executable, "-c", SETS, tmp_path / "f.pkl"],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in range(4)
    }  # fmt: skip
    differing = {line.split()[0] for one in found for line in one.split("\n") if not all(line in o for o in found)}
    assert not differing


def test_a_forest_whose_parallel_sums_differ_in_the_last_bits_is_one_snapshot(capturer):
    forest = RandomForestClassifier(n_estimators=60, n_jobs=2, random_state=0).fit(NUMBERS, [0, 1, 0, 1])
    tags = {capture(capturer, forest, NUMBERS, method="predict_proba").tag for _ in range(4)}
    assert len(tags) == 1


def test_a_frozen_part_of_a_module_is_still_frozen_after_capture(capturer):
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    module[1].eval()
    capture(capturer, module, torch.ones(3, 2))
    assert (module.training, module[0].training, module[1].training) == (True, True, False)


class TwoInputs(torch.nn.Module):
    def forward(self, ids, mask):
        return (ids * mask).sum(dim=-1)


def test_a_module_of_several_inputs_is_called_by_the_names_of_forward(capturer):
    example = {"ids": torch.tensor([1.0, 2.0]), "mask": torch.tensor([1.0, 0.0])}
    manifest = capture(capturer, TwoInputs(), example).manifest
    assert manifest.signature.parameters == ("ids", "mask")
    assert manifest.predictions == [1.0]


def test_what_json_cannot_bring_back_is_refused_by_name(capturer):
    with pytest.raises(InvalidExample, match=r"the argument 'days' holds a range"):
        capture(capturer, lambda days: days[0], range(3))
    with pytest.raises(InvalidExample, match=r"changes when it is sent as JSON(.|\n)*weight"):
        capture(capturer, lambda frame: frame["age"], NUMBERS.assign(weight=float("inf")))


def test_a_model_may_change_what_is_nested_in_its_example(capturer):
    assert capture(capturer, lambda rows: [row.pop("a") for row in rows], [{"a": 1}, {"a": 2}]).manifest.predictions


def test_a_change_of_the_request_format_alone_is_reported_as_such(capturer):
    days = NUMBERS.set_index(pd.date_range("2026-01-01", periods=len(NUMBERS)))
    with pytest.raises(ReplayFailed, match="with the notebook's own example it works") as failed:
        capture(capturer, lambda frame: frame["age"] + frame.index.dayofyear, days)
    assert "a table has no index" in failed.value.remedy
    with pytest.raises(ReplayFailed, match="called with JSON, the model") as failed:
        capture(capturer, lambda frame: [str(i) for i in frame.index], NUMBERS.set_index(NUMBERS["age"] + 5))
    assert "a table has no index" in failed.value.remedy


def test_a_lock_in_a_class_or_a_default_is_named(capturer):
    class Holder:
        lock = threading.Lock()

        def predict(self, frame):
            return [1] * len(frame)

    def waits(frame, lock=threading.Lock()):  # noqa: B008
        return [1] * len(frame)

    with pytest.raises(NotCapturable, match=r"model's class\.lock is a _thread\.lock"):
        capture(capturer, Holder(), NUMBERS)
    with pytest.raises(NotCapturable, match=r"model → default 0 is a _thread\.lock"):
        capture(capturer, waits, NUMBERS)


class Holder:
    pass


def doubled(frame):
    return frame["age"] * 2


def forged(snapshot, **changes):
    path = Path(snapshot.path) / "snapshot.json"
    document = json.loads(path.read_text())
    document["environment"] |= changes
    path.write_text(json.dumps(document))


def test_a_snapshot_of_another_store_that_names_another_interpreter_is_not_adopted(capturer):
    snapshot = capture(capturer, doubled, NUMBERS)
    forged(snapshot, interpreter="/tmp/evil")
    with pytest.raises(Untrusted, match="differs from the snapshot captured now"):
        capture(capturer, doubled, NUMBERS)


def test_a_model_with_an_equal_fingerprint_but_other_answers_is_another_model(capturer, monkeypatch):
    monkeypatch.setattr(snapshots, "fingerprint", lambda *_: "0" * 64)
    snapshot = capture(capturer, doubled, NUMBERS)
    assert capture(capturer, doubled, NUMBERS).tag == snapshot.tag
    other = capture(capturer, lambda frame: frame["age"] * 2 + 1, NUMBERS)
    assert other.tag != snapshot.tag
    assert capturer.load(other.tag).manifest.predictions[0] == 61


def test_shared_objects_and_attributes_of_a_local_class_are_content(tmp_path):
    def one(x):
        return type("Inner", (), {"answer": x})

    def of(value):
        return fingerprint_of(value, tmp_path / "a")

    first, second = object.__new__(Holder), object.__new__(Holder)
    assert of([first, second, first]) != of([first, second, second])
    assert of(one(1)) == of(one(1))
    assert of(one(1)) != of(one(2))
    looped, other = ([],), ([1],)
    for loop in (looped, other):
        loop[0].append(loop)
    assert of(looped) != of(other)


@pytest.mark.parametrize("left", ["nothing", "manifest", "pickles"])
def test_what_an_interrupted_write_left_is_replaced(capturer, left):
    snapshot = capture(capturer, doubled, NUMBERS)
    for file in Path(snapshot.path).iterdir():
        if {"manifest": file.name != "snapshot.json", "pickles": file.suffix != ".pkl", "nothing": True}[left]:
            file.unlink()
    again = capture(capturer, doubled, NUMBERS)
    assert again.tag == snapshot.tag
    assert capturer.load(again.tag).manifest.predictions == [60, 80, 100, 120]


def test_two_processes_that_capture_the_same_at_once_get_the_same_snapshot(capturer):
    found, threads = [], []
    handed_over = live(doubled, NUMBERS)
    staged = [capturer.replay(capturer.stage(handed_over, "churn"), handed_over) for _ in range(3)]
    for one in staged:
        threads.append(threading.Thread(target=lambda one=one: found.append(capturer.keep(one, lambda _: None).digest)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    for one in staged:
        capturer.discard(one)
    assert len(found) == 3
    assert len(set(found)) == 1


def test_a_snapshots_files_are_readable_by_the_user_alone(capturer):
    snapshot = capture(capturer, doubled, NUMBERS)
    for name in ("model.pkl", "example.pkl", "snapshot.json"):
        assert (Path(snapshot.path) / name).stat().st_mode & 0o077 == 0


def test_a_module_of_the_project_that_has_the_name_of_one_that_bentoml_imports_is_named(tmp_path):
    (tmp_path / "schema.py").write_text("X = 1")
    program = "import schema\nfrom jupyter_deploy.artifacts.bento import quiet_bentoml\n\n"
    program += "try:\n    quiet_bentoml().__enter__()\nexcept Exception as e:\n    print(e.message, e.remedy)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "BentoML, which stores the model, cannot be imported" in done.stdout
    assert f"rename {tmp_path / 'schema.py'}" in done.stdout
