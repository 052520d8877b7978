"""``nbdeploy init``: its files run in a clean environment, as on GitHub and in pre-commit."""

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
import yaml

from jupyter_deploy.environments.installer import pips_settings, uvs_settings
from tests import notebooks
from tests.conftest import free_port

pytestmark = [pytest.mark.timeout(600), pytest.mark.exhaustive]  # a whole CI job runs for all of these tests

ROOT = Path(__file__).parents[3]

DATA = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.integers(20, 80, 600), "weight": rng.normal(70, 10, 600).round(1)})
y = pd.Series(np.where(X["age"] + X["weight"] + rng.normal(0, 3, 600) > 120, "yes", "no"))
X_train, y_train, X_test, y_test = X[:300], y[:300], X[300:], y[300:]
"""
MODEL = "model = LogisticRegression(C=%s).fit(X_train, y_train)"
SHUFFLED = "model = LogisticRegression().fit(X_train, y_train.sample(frac=1, random_state=0).to_numpy())"
DEPLOY = '%load_ext jupyter_deploy\n%deploy model --name churn --example "X_test[:5]"'


def train(folder, model):
    return notebooks.write(folder / "train.ipynb", DATA, model, DEPLOY)


@functools.cache
def uv():
    """The variables that stand in for pip's settings, which uv does not read."""
    return uvs_settings(pips_settings())


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=ada", "-c", "user.email=ada@example.org", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@dataclass
class Runner:
    """What a workflow's job sees: a checkout, a fresh home, an environment with Python alone, files to write to."""

    checkout: Path
    folder: Path
    variables: dict = field(default_factory=dict)

    def __post_init__(self):
        self.folder.mkdir()
        for name in ("home", "temp", "bin"):
            (self.folder / name).mkdir()
        for name in ("environment", "summary"):
            (self.folder / name).touch()
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, self.folder / "venv"], check=True)
        # As pip, but from uv's cache: seconds instead of a minute.
        pip = self.folder / "bin" / "pip"
        pip.write_text(f'#!/bin/sh\nexec "{shutil.which("uv")}" pip "$@"\n')
        pip.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NBDEPLOY", "BENTOML", "PYTHON", "JUPYTER"))}
        cache = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
        self.variables = {
            **kept,
            **uv(),
            "HOME": str(self.folder / "home"),
            "PATH": f"{self.folder}/venv/bin:{self.folder}/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": str(self.folder / "venv"),
            "UV_CACHE_DIR": cache,
            "NBDEPLOY_PORT": str(free_port()),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.checkout),
            "GITHUB_BASE_REF": "main",
            "GITHUB_ENV": str(self.folder / "environment"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder / "temp"),
        }

    def run(self, *names):
        """The ``run:`` steps (of these names), as a pull request's job runs them; exit codes and output by name."""
        document = yaml.safe_load((self.checkout / ".github/workflows/nbdeploy.yml").read_text("utf-8"))
        ended = {}
        for step in document["jobs"]["validate"]["steps"]:
            if "run" not in step or (names and step["name"] not in names):
                continue
            assert step.get("if") in (None, "always()", "github.event_name == 'pull_request'")
            if any(e.returncode for e in ended.values()) and step.get("if") != "always()":
                continue
            ended[step["name"]] = self.shell(step["run"])
        return ended

    def shell(self, script):
        """As in GitHub's default shell; variables in GITHUB_ENV hold from then on."""
        ended = subprocess.run(
            ["bash", "-e", "-c", script], cwd=self.checkout, env=self.variables, capture_output=True, text=True,
            timeout=220, check=False,
        )  # fmt: skip
        lines = (self.folder / "environment").read_text().splitlines()
        self.variables |= dict(line.split("=", 1) for line in lines)
        return ended


VALIDATE = "Validate"
TRAIN = "Train, and prove that the models answer elsewhere as they do in their notebooks"
BASE = "Train the models of the branch that this goes into"


@pytest.fixture(scope="module")
def project(tmp_path_factory, shared_home):
    """A repository with a training notebook and the files of ``init``; a branch with another model."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "-q", "-b", "main")
    train(folder, MODEL % "1.0")
    inner = folder / "inner"
    inner.mkdir()
    done = shared_home.json("init", inner)
    assert done["folder"] == str(folder.resolve()), "the repository's top"
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a model and its validation")
    git(folder, "checkout", "-qb", "better")
    train(folder, MODEL % "0.5")
    git(folder, "commit", "-qam", "another model")
    return folder, done


@pytest.fixture(scope="module")
def job(project, tmp_path_factory):
    """The workflow of a pull request, run to its end."""
    folder = tmp_path_factory.mktemp("github")
    build = ["uv", "build", "-q", "--wheel", "--out-dir", folder / "wheels", ROOT]
    subprocess.run(build, check=True, env={**os.environ, **uv()})
    git(folder, "clone", "-q", str(project[0]), "checkout")
    runner = Runner(folder / "checkout", folder / "runner")
    runner.variables["UV_FIND_LINKS"] = ",".join(filter(None, (str(folder / "wheels"), uv().get("UV_FIND_LINKS"))))
    yield runner, runner.run()
    runner.shell("nbdeploy down")


def test_the_workflows_steps_run_in_a_clean_environment_from_install_to_report(job):
    runner, ended = job
    assert {name: e.returncode for name, e in ended.items()} == dict.fromkeys(ended, 0), said(ended)
    assert list(ended) == ["Install", "A store of this run's own", BASE, TRAIN, VALIDATE, "Stop what answered"]
    assert "is stable behind" in ended[BASE].stdout
    assert "is shadow at 100 %" in ended[TRAIN].stdout
    assert "PASS" in ended[VALIDATE].stdout
    assert "compared with" in ended[VALIDATE].stdout
    report = runner.checkout / "report"
    assert "accuracy" in (report / "junit.xml").read_text("utf-8")
    assert [path.name for path in report.glob("*.html")]
    assert (report / "notebooks" / "validate_churn.ipynb").is_file()
    assert "accuracy" in (runner.folder / "summary").read_text("utf-8")
    assert not (runner.folder / "home" / "bentoml").exists(), "the store is the run's own"


def test_a_model_trained_on_shuffled_labels_fails_the_job_with_the_gates_sentence(job):
    runner, _ = job
    train(runner.checkout, SHUFFLED)
    ended = runner.run(TRAIN, VALIDATE)
    assert ended[TRAIN].returncode == 0, said(ended)
    assert ended[VALIDATE].returncode == 1, said(ended)
    assert "≥ stable" in ended[VALIDATE].stdout
    assert ": fail" in ended[VALIDATE].stdout
    git(runner.checkout, "checkout", "-q", "train.ipynb")


def said(ended):
    return "\n".join(f"--- {name}: {e.returncode}\n{e.stdout[-3000:]}\n{e.stderr[-3000:]}" for name, e in ended.items())


def test_pre_commit_runs_the_hook_which_lets_a_good_change_in_and_keeps_a_bad_one_out(job):
    """The store holds the shuffled candidate: its other properties stay, and its accuracy fails."""
    runner, _ = job
    path = runner.checkout / "validate_churn.ipynb"
    runner.variables["PATH"] += f":{Path(sys.executable).parent}"  # pre-commit itself is nobody's requirement
    runner.variables |= {f"GIT_{who}_{what}": "ada" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    assert runner.shell("pre-commit install").returncode == 0
    (runner.checkout / "README.md").write_text("nothing to validate")
    ended = runner.shell("git add README.md && git commit -m 'a text'")
    assert ended.returncode == 0, ended.stderr
    assert "Skipped" in ended.stdout + ended.stderr
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell('check("one more", True)'))
    nbformat.write(notebook, path)
    ended = runner.shell("git add validate_churn.ipynb && git commit -m 'one more check'")
    assert ended.returncode == 1
    assert ": fail" in ended.stdout + ended.stderr
    settings = runner.checkout / "nbdeploy.yaml"
    settings.write_text(settings.read_text().replace("accuracy >= stable - 0.05", "accuracy >= 0"))
    ended = runner.shell("git add nbdeploy.yaml && git commit -m 'no gate to speak of'")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_what_is_there_stays_and_what_to_add_is_shown(project, shared_home, tmp_path):
    folder, done = project
    assert {file["state"] for file in done["files"]} == {"written"}
    hooks = tmp_path / ".pre-commit-config.yaml"
    hooks.write_text("repos:\n  - repo: local\n    hooks: []\n")
    (tmp_path / "nbdeploy.yaml").write_text("port: 9000\n")
    (tmp_path / "requirements.txt").write_text("pandas\n")
    shutil.copy(folder / "train.ipynb", tmp_path)
    dry = shared_home.run("init", tmp_path, "--dry-run").stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [".pre-commit-config.yaml", "nbdeploy.yaml", "requirements.txt", "train.ipynb"]
    )
    assert "runs-on: ubuntu-latest" in dry
    shown = shared_home.run("init", tmp_path).stdout
    assert (tmp_path / "nbdeploy.yaml").read_text() == "port: 9000\n"
    assert "hooks: []" in hooks.read_text()
    assert "entry: nbdeploy validate --changed-since HEAD" in shown
    assert "- notebook: validate_churn.ipynb" in shown
    assert "is no git repository yet" in shown
    assert 'nbdeploy deploy train.ipynb --name churn --model model --example "X_test[:5]"' in shown
    again = shared_home.json("init", tmp_path)
    states = {file["path"]: file["state"] for file in again["files"]}
    assert states[".github/workflows/nbdeploy.yml"] == "unchanged"
    assert "written" not in states.values()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["missing"], "there is no folder"),
        ([".", "--name", "x"], "need a notebook"),
        ([".", "--notebook", "none.ipynb"], "is no notebook of"),
        ([".", "--notebook", "other.ipynb"], "names no model to deploy"),
        (["."], "no notebook deploys a model, and none or several fit one: more.ipynb, other.ipynb"),
    ],
)
def test_a_value_that_cannot_be_guessed_is_required_and_nothing_is_written(shared_home, tmp_path, options, words):
    for name in ("more", "other"):
        notebooks.write(tmp_path / f"{name}.ipynb", "x = 1")
    (tmp_path / "broken.ipynb").write_text("{")
    ended = shared_home.run("init", *options, cwd=tmp_path, check=False)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.ipynb", "more.ipynb", "other.ipynb"]


def test_a_model_without_hints_in_its_notebook_is_named_by_its_endpoint(job):
    """As after ``nbdeploy deploy train.ipynb`` or a click: name, variable and example are those of the deploy."""
    runner, _ = job
    base = runner.folder / "temp" / "base"  # where stable came from
    notebooks.write(base / "train.ipynb", DATA, MODEL % "1.0")
    done = json.loads(runner.shell(f"nbdeploy init {base} --dry-run -o json").stdout)
    trained = [(one["name"], one["model"], one["example"], one["guessed"]) for one in done["trained"]]
    assert trained == [("churn", "model", "X_test[:5]", False)]
    assert not any("does not deploy its model" in note for note in done["notes"])
