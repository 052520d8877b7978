"""diff over real snapshots in a real store: names, and answers without common instances."""

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.frameworks.parameters import as_json
from jupyter_deploy.capture.frameworks.sklearn import Sklearn
from jupyter_deploy.capture.metrics import metrics_of
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.capture.requests import DiffRequest
from jupyter_deploy.domain.errors import InvalidInput, NoCandidate, UnknownEndpoint, UnknownRelease, UnknownSource
from jupyter_deploy.domain.release.endpoint import Changes, Endpoint
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.verbs.capture import load_snapshot
from jupyter_deploy.verbs.difference import changes_since, diff, exact_tag
from tests.contract.capturing import HERE
from tests.releases import release

pytestmark = pytest.mark.usefixtures("forked_replays")

TABLE = pd.DataFrame({"age": [30, 40, 50, 60, 70, 80], "weight": [60.5, 70.0, 80.25, 90.0, 71.5, 62.0]})
LABELS = np.array(["no", "no", "no", "yes", "yes", "yes"])


def fitted(labels=LABELS, **options):
    return LogisticRegression(**options).fit(TABLE, labels)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A store that captured three models of one notebook, and an endpoint with the first."""
    folder = tmp_path_factory.mktemp("difference")
    capturer = ModelCapturer(folder / "bentoml", Tolerance(), replay_timeout=120)
    store = SqliteStore(folder / "home", "ada")
    ports = SimpleNamespace(capturer=capturer, store=store)

    def captured(model, example, cells, **namespace):
        live = Live(model, example, Source(variable="clf"), None, cells, HERE, namespace)
        staged = capturer.stage(live, "churn")
        return capturer.keep(capturer.replay(staged, live), store.remember)

    cells = ("X = table()", "clf = LogisticRegression(C={}).fit(X, y)")
    one = captured(fitted(), TABLE[:3], (cells[0], cells[1].format(1.0)), acc=0.75, score=np.float64(0.5), n=3)
    other = fitted(LABELS[::-1], C=0.5)
    two = captured(other, TABLE[:4], (cells[0], cells[1].format(0.5)), acc=torch.tensor(0.875))
    apart = captured(other, TABLE[4:], (cells[0], cells[1].format(0.5)))
    endpoint = Endpoint.first(release(one.tag.partition(":")[2], name="churn"))
    store.save(endpoint, based_on=0, reason="", change="")
    again = captured(fitted(), TABLE[:3], (cells[0], "acc = 1"), acc=0.75, score=0.25)
    return SimpleNamespace(
        bentoml=folder / "bentoml", ports=ports, again=again, one=one, two=two, apart=apart, endpoint=endpoint
    )


def ask(world, a, b=None, told=None):
    steps = []
    found = diff(DiffRequest(a=a, b=b), world.ports, steps.append)
    if told is not None:
        told += steps
    return found


def test_two_captures_of_one_notebook_are_compared(world):
    found = ask(world, world.one.tag, world.two.tag)
    assert {c.name: (c.before, c.after) for c in found.hyperparameters} == {"C": (1.0, 0.5)}
    assert {c.name: (c.before, c.after) for c in found.metrics} == {"acc": (0.75, 0.875), "score": (0.25, None)}
    assert [(c.name, c.added, c.removed) for c in found.cells] == [("In [2] -> In [2]", 1, 1)]
    assert (found.answers.compared, found.answers.differ) == (3, 3)
    assert found.answers.basis == "the instances that both examples hold"
    assert [(c.before, c.after) for c in found.answers.changes] == [("no", "yes")] * 3
    assert found.words == ("C 1.0 -> 0.5", "acc 0.75 -> 0.875", "1 more metric changed", "1 cell changed",
                           "3 of 3 common answers differ")  # fmt: skip


def test_the_notebooks_own_figures_are_no_part_of_a_snapshots_identity(world):
    assert (world.again.tag, world.again.digest) == (world.one.tag, world.one.digest)


def test_without_a_common_instance_b_answers_its_example_in_a_clean_process(world):
    steps = []
    found = ask(world, world.one.tag, world.apart.tag, told=steps).answers
    assert [(c.instance["age"], c.before, c.after) for c in found.changes] == [(a, "no", "yes") for a in (30, 40, 50)]
    assert found.basis == f"the example of {world.one.tag}, answered by {world.apart.tag} in a clean process"
    assert [step.title for step in steps] == [
        f"replaying the example of {world.one.tag} on {world.apart.tag} in a clean process"
    ]


def test_what_this_store_did_not_capture_is_compared_and_not_run(world, tmp_path):
    stranger = SimpleNamespace(capturer=world.ports.capturer, store=SqliteStore(tmp_path, "eve"))
    found = diff(DiffRequest(a=world.one.tag, b=world.apart.tag), stranger, print)
    assert "C 1.0 -> 0.5" in found.words
    assert "not captured by this store" in found.answers.problem


def test_a_changed_snapshot_is_not_unpickled_for_a_comparison(world, tmp_path):
    pickle = Path(world.apart.path) / "model.pkl"
    whole = pickle.read_bytes()
    try:
        pickle.write_bytes(f"cos\nsystem\n(S'touch {tmp_path}/ran'\ntR.".encode())
        found = ask(world, world.one.tag, world.apart.tag)
    finally:
        pickle.write_bytes(whole)
    assert "SnapshotChanged" in found.answers.problem
    assert list(tmp_path.iterdir()) == []
    assert "C 1.0 -> 0.5" in found.words


def test_a_name_selects_a_release(world):
    store, tags = world.ports.store, [world.one.tag, world.two.tag]
    assert (ask(world, "churn", world.two.tag).a, ask(world, "churn", world.two.tag.partition(":")[2]).b) == tuple(tags)
    with pytest.raises(NoCandidate, match="churn has no candidate"):
        ask(world, "churn")
    with pytest.raises(InvalidInput, match="no predecessor"):
        ask(world, world.one.tag)
    for wrong, error in (("chum", UnknownEndpoint), ("churn:", UnknownSource), ("churn:000000000000", UnknownSource)):
        with pytest.raises(error):
            ask(world, wrong, world.one.tag)
    changes = changes_since(world.endpoint, world.two, world.ports)
    assert changes.predecessor == world.one.tag
    assert "C 1.0 -> 0.5" in changes.words
    successor = release(world.two.tag.partition(":")[2], name="churn", changes=changes)
    shadowed = world.endpoint.with_release(successor)
    assert changes_since(shadowed, world.two, world.ports) == changes
    store.save(shadowed, based_on=1, reason="", change="")
    try:
        for asked in ("churn", world.two.tag, world.two.tag[:10]):
            assert (ask(world, asked).a, ask(world, asked).b) == tuple(tags)
    finally:
        store.save(world.endpoint.model_copy(update={"revision": 3}), based_on=2, reason="", change="")


def test_a_beginning_that_several_releases_share_names_them(world):
    endpoint = Endpoint.first(release("1a2b", name="twins")).with_release(release("1a2c", name="twins"))
    world.ports.store.save(endpoint, based_on=0, reason="", change="")
    with pytest.raises(UnknownRelease, match="several") as raised:
        ask(world, "twins:1a2", world.one.tag)
    assert raised.value.remedy == "name one of: twins:1a2b, twins:1a2c"


def test_a_promoted_release_keeps_what_it_had_that_its_predecessor_had_not(world):
    changes = Changes(predecessor="churn:before", words=("1 cell changed",))
    endpoint = Endpoint.first(release("aaa", name="churn")).with_release(release("bbb", name="churn", changes=changes))
    assert endpoint.promoted().release("bbb").changes == changes


def test_the_projects_own_sources_in_a_snapshot_are_read_and_verified(world, tmp_path):
    (tmp_path / "code" / "helpers").mkdir(parents=True)
    texts = {"code/helpers/clean.py": b"a = 1\n", "code/changed.py": b"b = 1\n", "code/photo.png": b"\xff\xfe"}
    files = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()} | {"code/gone.py": "0"}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    (tmp_path / "code/changed.py").write_bytes(b"b = 2\n")
    manifest = world.one.manifest.model_copy(update={"files": files})
    made = world.one.model_copy(update={"path": str(tmp_path), "manifest": manifest})
    assert world.ports.capturer.sources(made) == {"code/helpers/clean.py": "a = 1\n"}


def test_hyperparameters_of_nested_estimators_and_of_what_a_search_chose():
    columns = ColumnTransformer(
        [("scale", StandardScaler(), ["age"]), ("log", FunctionTransformer(np.log1p), ["weight"])]
    )
    pipeline = Pipeline([("columns", columns), ("clf", LogisticRegression(C=np.float64(0.1), class_weight={"no": 2}))])
    search = GridSearchCV(pipeline, {"clf__C": [0.1, 1.0]}, cv=2).fit(TABLE, LABELS)
    found = Sklearn().hyperparameters(search)
    assert found["estimator__clf__C"] == 0.1
    assert found["estimator__clf__class_weight"] == {"no": 2}
    assert found["estimator__columns__log__func"] == "numpy.log1p"
    assert found["estimator__columns__transformers"][0] == ["scale", "StandardScaler", ["age"]]
    assert found["best_params_"] == {"clf__C": search.best_params_["clf__C"]}
    assert found == Sklearn().hyperparameters(search)


class Stubborn(LogisticRegression):
    def __init__(self, *options):
        super().__init__()


def test_an_estimator_with_a_failing_get_params_does_not_prevent_a_capture():
    assert Sklearn().hyperparameters(Stubborn()) == {}


def test_values_without_a_json_form_are_texts_that_are_equal_in_each_process():
    assert as_json(float("inf")) == "inf"
    assert as_json({3, 1, 2}) == [1, 2, 3]
    assert as_json(np.arange(3)) == [0, 1, 2]
    assert as_json(np.zeros((20, 20))).startswith("ndarray of 20x20 float64, ")
    assert as_json(np.zeros((20, 20))) != as_json(np.ones((20, 20)))
    assert as_json(object()) == "<object object>"
    assert as_json("x" * 1000).startswith("str of 1000 characters, ")


def test_figures_are_finite_numbers_in_variables_that_say_a_metric():
    seen = {
        "acc": 0.9, "test_roc_auc": np.float32(0.5), "f1_macro": np.array(0.25), "R2": 1, "val_loss": torch.tensor(0.5),
        "max_error": 3.0, "score_threshold": 0.5, "loss": "hinge", "ACC": True, "mae": float("nan"), "scores": [1.0],
        "accessed": 3, "mse": torch.zeros(2), "_acc": 0.1, "n_errors": 2, "min_loss": 0.1,
    }  # fmt: skip
    assert metrics_of(seen) == {
        "acc": 0.9, "test_roc_auc": 0.5, "f1_macro": 0.25, "R2": 1.0, "val_loss": 0.5, "max_error": 3.0,
    }  # fmt: skip


def test_a_store_of_models_that_was_moved_is_read_where_it_lies_now(world, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(world.bentoml, moved)
    store = SqliteStore(tmp_path / "home", "ada")
    for snapshot in (world.one, world.two, world.apart):
        store.remember(snapshot.model_copy(update={"path": snapshot.path.replace(str(world.bentoml), "/gone")}))
    ports = SimpleNamespace(capturer=ModelCapturer(moved, Tolerance(), replay_timeout=120), store=store)
    found = load_snapshot(world.one.tag, trust=False, ports=ports)
    assert (Path(found.path).is_relative_to(moved), found.manifest) == (True, world.one.manifest)
    compared = diff(DiffRequest(a=world.one.tag, b=world.apart.tag), ports, lambda _: None)
    assert compared.answers.basis.endswith("in a clean process")


def test_what_is_named_after_a_setting_is_no_metric():
    settings = ("error_code", "seed_rand", "loss_fn", "score_col", "iou_thresh", "best_alpha_score", "rand", "ap")
    assert metrics_of(dict.fromkeys(settings, 1)) == {}
    assert set(metrics_of({"error_rate": 0.1, "rand_score": 1.0})) == {"error_rate", "rand_score"}


def test_reproduce_takes_what_diff_takes(world):
    version = world.one.tag.partition(":")[2]
    assert exact_tag("churn", world.ports) == exact_tag(f"churn:{version[:6]}", world.ports) == world.one.tag
