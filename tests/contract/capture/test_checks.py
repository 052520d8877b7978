"""Checks of columns, environments and secrets on real models, and their effect on a deploy."""

import json
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.checks.candidate import Candidate, ProvedCandidate
from jupyter_deploy.capture.checks.environment import (
    dirty_tree,
    local_distribution,
    lock_mismatch,
    undistributed,
)
from jupyter_deploy.capture.checks.features import compare_columns
from jupyter_deploy.capture.checks.lockfiles import nearest_lock
from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import InvalidExample
from tests.contract.capturing import FRAME, NUMBERS, live
from tests.contract.check_candidates import LABELS, found, staged


@pytest.fixture(scope="module")
def capturer(tmp_path_factory):
    return ModelCapturer(tmp_path_factory.mktemp("store") / "bentoml", Tolerance(), replay_timeout=120)


# Put together here, so that no scanner takes them for real ones.


def columns(model, example, training=None):
    return list(compare_columns(model, framework_of(model), example, training))


class ByPosition:
    """As a booster of LightGBM: it knows the names and goes by position."""

    feature_names_in_ = np.array(["age", "weight"], dtype=object)

    def predict(self, rows):
        return rows.to_numpy()[:, 0].astype(float)


def test_a_column_of_the_fit_that_the_example_lacks_is_an_error():
    (finding,) = columns(ByPosition(), FRAME[["age", "sex"]].drop(columns="sex"))
    assert (finding.check, finding.severity) == ("features", "error")
    assert "fitted on column 'weight', which the example lacks" in finding.message


def test_a_column_that_the_fit_did_not_have_is_a_warning():
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["age", "weight"])), LogisticRegression()
    ).fit(NUMBERS, LABELS)  # fmt: skip
    (finding,) = columns(model, FRAME)
    assert finding.severity == "warning"
    assert "column 'sex', which the fit lacks" in finding.message


def test_columns_in_another_order_are_an_error_unless_the_model_chooses_them_by_name(capturer):
    turned = NUMBERS[["weight", "age"]]
    (finding,) = columns(ByPosition(), turned)
    assert finding.severity == "error"
    assert "number 1 is 'weight' and was 'age', and ByPosition takes columns by their position" in finding.message
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["age", "weight"])), LogisticRegression()
    ).fit(NUMBERS, LABELS)  # fmt: skip
    assert [f.severity for f in columns(model, turned)] == ["note"]
    assert [f.severity for f in found(staged(capturer, ByPosition(), turned), "features")] == ["error"]


def test_types_that_the_training_table_did_not_have_are_a_warning():
    training = FRAME.assign(sex=FRAME["sex"].astype("category"), when=pd.Timestamp("2026-01-01"))
    example = FRAME.assign(weight=FRAME["weight"].astype(str), when=pd.Timestamp("2026-02-01"), age=FRAME["age"] * 1.5)
    (finding,) = columns(ByPosition(), example, training)[1:]  # the first one is of columns that the fit did not have
    assert finding.severity == "warning"
    assert "'weight' is text and was number" in finding.message
    assert "'sex' is text and was one of the 2 categories f, m" in finding.message
    assert "'age'" not in finding.message, "whole or not does not matter"
    assert "'when'" not in finding.message


def test_the_same_columns_are_no_finding(capturer):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, LABELS)
    assert columns(model, NUMBERS[:2], NUMBERS) == []
    manifest = staged(capturer, model, NUMBERS[:2])
    assert found(manifest, "features") == []
    assert found(manifest, "secrets") == []
    assert columns(LogisticRegression().fit(NUMBERS.to_numpy(), LABELS), FRAME) == [], "it knows no names"


def test_an_array_with_another_number_of_columns_is_an_error(capturer):
    class Cut(LogisticRegression):
        def predict(self, rows):
            return super().predict(rows[:, :2])

    model = Cut().fit(NUMBERS.to_numpy(), LABELS)
    (finding,) = found(staged(capturer, model, np.ones((2, 3))), "features")
    assert finding.message == "the model was fitted on 2 columns, but the example has 3"


def test_a_model_that_raises_for_its_columns_says_which(capturer):
    model = LogisticRegression().fit(NUMBERS, LABELS)
    with pytest.raises(InvalidExample, match="fitted on column 'weight', which the example lacks"):
        staged(capturer, model, NUMBERS[["age"]])
    with pytest.raises(InvalidExample, match="number 1 is 'weight' and was 'age'"):
        staged(capturer, model, NUMBERS[["weight", "age"]])


# Secrets


def git(folder, *arguments):
    command = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.org", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True)


def test_uncommitted_changes_are_a_note_and_of_the_notebook_itself_a_warning(tmp_path):
    notebook, other = tmp_path / "a b.ipynb", tmp_path / "readme.md"
    notebook.write_text("{}")
    other.write_text("x")
    candidate = Candidate(Live(None, None, Source(notebook=str(notebook)), project=tmp_path), None, None, tmp_path)
    assert list(dirty_tree(candidate)) == [], "no repository"
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "begin")
    assert list(dirty_tree(candidate)) == []
    other.write_text("y")
    (finding,) = dirty_tree(candidate)
    assert (finding.severity, finding.message) == ("note", "the project has uncommitted changes: readme.md")
    git(tmp_path, "mv", "readme.md", "moved.md")
    notebook.write_text("{} ")
    (finding,) = dirty_tree(candidate)
    assert finding.severity == "warning"
    assert finding.message.endswith("uncommitted changes: a b.ipynb")


def test_a_notebook_that_only_ran_is_as_committed(tmp_path):
    path = tmp_path / "n.ipynb"

    def write(source, **ran):
        path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source, **ran}]}))

    write("a = 1", id="x")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "begin")
    candidate = Candidate(Live(None, None, Source(notebook=str(path)), project=tmp_path), None, None, tmp_path)
    write(["a = ", "1"], id="y", execution_count=3, outputs=[{"text": "1"}])
    assert list(dirty_tree(candidate)) == []
    write("a = 2")
    assert [finding.severity for finding in dirty_tree(candidate)] == ["warning"]


LOCKS = {
    "requirements.txt": "--hash x\nnumpy==1.2.3 \\\n --hash=sha256:0\npandas>=1\nscipy==9; python_version<'3'\n# x\n",
    "uv.lock": '[[package]]\nname = "NumPy"\nversion = "1.2.3"\n[[package]]\nname = "mine"\nsource = {virtual = "."}\n',
    "poetry.lock": '[[package]]\nname = "numpy"\nversion = "1.2.3"\n',
    "pdm.lock": '[[package]]\nname = "numpy"\nversion = "1.2.3"\n',
    "pylock.toml": 'lock-version = "1.0"\n[[packages]]\nname = "numpy"\nversion = "1.2.3"\n',
    "Pipfile.lock": json.dumps({"default": {"numpy": {"version": "==1.2.3"}, "x": {"path": "."}}}),
    "environment.yml": "dependencies:\n- conda-forge::numpy=1.2.3=py311_0\n- python=3.11\n- pip:\n  - pandas==0.1\n",
}


@pytest.mark.parametrize("name", LOCKS)
def test_the_versions_of_each_kind_of_lock_are_read(tmp_path, name):
    (tmp_path / name).write_text(LOCKS[name])
    (tmp_path / "notebooks").mkdir()
    lock = nearest_lock(tmp_path / "notebooks", tmp_path)
    assert lock.unreadable == ""
    assert not lock.allows("numpy", "2.0.0")
    assert lock.allows("numpy", "1.2.3")
    assert lock.allows("scipy", "1.0")
    assert nearest_lock(tmp_path / "notebooks", tmp_path / "notebooks") is None, "what is above is not the project's"


def test_conda_and_torch_versions_are_compared_as_their_tools_do(tmp_path):
    (tmp_path / "environment.yml").write_text("dependencies: [numpy=1.26, torch==2.9.1]")
    lock = nearest_lock(tmp_path, tmp_path)
    assert lock.allows("numpy", "1.26.4")
    assert lock.allows("torch", "2.9.1+cpu")
    assert not lock.allows("numpy", "1.2")


@pytest.fixture(scope="module")
def proved(capturer):
    model = LogisticRegression().fit(NUMBERS, LABELS)
    handed = live(model, NUMBERS)
    made = capturer.stage(handed, "churn")
    ready = capturer.replay(made, handed)
    capturer.discard(made)
    return ready.manifest


def test_a_locked_version_that_is_not_installed_is_a_warning_with_both(proved, tmp_path):
    (tmp_path / "requirements.txt").write_text("numpy==1.2.3\nnot-needed-by-the-model==1\n")
    handed = Live(None, None, Source(notebook=str(tmp_path / "n.ipynb")), project=tmp_path)
    (finding,) = lock_mismatch(ProvedCandidate(handed, proved, tmp_path, ()))
    installed = proved.environment.distributions["numpy"]
    assert finding.severity == "warning"
    assert finding.message.endswith(f"numpy {installed} (requirements.txt: 1.2.3)")
    (tmp_path / "uv.lock").write_text("[[pack")
    (finding,) = lock_mismatch(ProvedCandidate(handed, proved, tmp_path, ()))
    assert finding.severity == "note"
    assert "uv.lock cannot be read" in finding.message


def test_an_editable_distribution_and_one_from_a_file_are_warnings(proved, tmp_path, monkeypatch):
    for name, origin, installer in (
        ("mine", {"url": "file:///home/ada/mine", "dir_info": {"editable": True}}, "pip"),
        ("filed", {"url": "file:///home/ada/filed-1-py3-none-any.whl", "archive_info": {}}, "uv"),
        ("condas", {"url": "file:///croot/condas", "dir_info": {}}, "conda"),
        ("fetched", {"url": "https://example.org/x.git", "vcs_info": {"vcs": "git"}}, "pip"),
    ):
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (folder / "direct_url.json").write_text(json.dumps(origin))
        (folder / "INSTALLER").write_text(installer)
    monkeypatch.syspath_prepend(str(tmp_path))
    lock = dict.fromkeys(("mine", "filed", "condas", "fetched", "numpy", "gone"), "1")
    manifest = proved.model_copy(
        update={"environment": proved.environment.model_copy(update={"distributions": lock})}
    )  # fmt: skip
    filed, editable = local_distribution(ProvedCandidate(live(None, None), manifest, tmp_path, ()))
    assert "mine 1 is installed as editable from /home/ada/mine" in editable.message
    assert "filed 1 was installed from /home/ada/filed-1-py3-none-any.whl" in filed.message


def test_a_module_of_no_distribution_is_a_warning_and_those_of_the_replay_are_none(proved, tmp_path, monkeypatch):
    modules = ("numpy", "sklearn", "json", "serving", "_distutils_hack", "strayed", "encodings", "pkg_resources")
    (tmp_path / "strayed.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    paths = {"purelib": str(tmp_path), "platlib": str(tmp_path)}
    assert list(undistributed(ProvedCandidate(live(None, None), proved, tmp_path, modules))) == []
    monkeypatch.setattr("sysconfig.get_paths", lambda: paths)
    (finding,) = undistributed(ProvedCandidate(live(None, None), proved, tmp_path, modules))
    assert f"without an installed distribution: strayed ({tmp_path / 'strayed.py'})" in finding.message


def test_a_plain_model_in_a_plain_environment_has_no_finding(proved):
    apart = ("dirty-tree", "outdated-data")  # of this repository; and nothing was fitted in a cell here
    assert [f for f in proved.findings if f.check not in apart] == []
