"""``nbdeploy validate`` as a user runs it: real kernels, models that are served, one home for all."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.store.store import SqliteStore
from tests import notebooks
from tests.e2e.conftest import until
from tests.releases import release

DATA = """
import numpy as np, pandas as pd
from jupyter_deploy import check, metric, model
rng = np.random.default_rng(3)
X = pd.DataFrame({"age": rng.integers(20, 80, rows), "weight": rng.normal(70, 10, rows).round(1)})
y = np.where(X["age"] + X["weight"] > 120, "yes", "no")
answers = model().predict(X)
metric("accuracy", rows=answers == y)
check("two answers", set(answers) <= {"yes", "no"})
"""

# Asks no model: a kernel's start is all that it takes.
PLAIN = """
import json, os, time
from IPython.display import display
MIME = "application/vnd.nbdeploy.metric+json"
display({MIME: {"kind": "metric", "name": "level", "value": level}}, raw=True)
open(f"begun-{level}", "w").close()
time.sleep(seconds if level == 6 else 0)
for _ in range(3000):
    if level == 3 and seconds and not os.path.exists("seen"):
        time.sleep(0.02)
"""

# A model that is loaded only while the file is there that its script was given: otherwise it waits.
WAITS = """
import os, sys, time
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.capture import capture
from jupyter_deploy.wiring import Wiring
from pathlib import Path
class Waits:
    def __init__(self, ready):
        self.ready = ready
    def __setstate__(self, state):
        self.__dict__.update(state)
        while not os.path.exists(self.ready):
            time.sleep(0.02)
    def predict(self, X):
        return [len(row) for row in X]
source = Source(notebook="/home/ada/train.ipynb", variable="waits")
live = Live(Waits(sys.argv[1]), [[1.0, 2.0]], source, project=Path.cwd())
print(capture(live, "waits", DeployRequest(), Wiring().ports, lambda *_: None).tag)
"""


def write(path, parameters, *cells, gates=()):
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    made.metadata["nbdeploy"] = {"gates": list(gates)}
    made.cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    made.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(made, path)
    return path


@pytest.fixture(scope="module")
def project(shared_home, snapshots, tmp_path_factory):
    """A home with a stable release and a worse shadow, and a folder with two validation notebooks."""
    tags, shared_home.environment["BENTOML_HOME"] = snapshots
    for c in (1.0, 0.0001):
        shared_home.json("deploy", tags[c], "--trust")
    folder = tmp_path_factory.mktemp("project")
    write(folder / "checks.ipynb", "rows = 50", DATA, gates=["accuracy >= 0.5"])
    write(folder / "plain.ipynb", "level = 0\nseconds = 0.0", PLAIN)
    return shared_home, folder, {c: tags[c] for c in (1.0, 0.0001)}


@pytest.fixture
def validate(project):
    """``nbdeploy validate`` in the project's folder: how it ended, and its document where there is one."""
    home, folder, _ = project

    def run(*arguments, **environment):
        before = dict(home.environment)
        home.environment.update(environment)
        try:
            ended = home.run("validate", *arguments, "-o", "json", check=False, cwd=folder)
        finally:
            home.environment = before
        return ended, json.loads(ended.stdout) if ended.stdout else None

    return run


def outcomes(document):
    return [(run["parameters"].get("level"), run["status"]) for run in document["runs"]]


def test_the_only_endpoints_candidate_is_validated_with_stable_for_the_gates_that_name_it(project, validate):
    home, folder, tags = project
    gates = ("--gate", "accuracy >= stable - 0.01", "--gate", "agreement >= 0.999", "--gate", "accuracy >= 0.5")
    ended, found = validate(
        "checks.ipynb", "-p", "rows", "600", "-n", "2", *gates, "--junit", "out.xml", "--html", "out"
    )
    assert ended.returncode == 1, ended.stderr
    assert (found["snapshot"], found["stable"], found["endpoint"]) == (tags[0.0001], tags[1.0], "churn")
    assert found["verdict"] == "fail"
    run = found["runs"][0]
    assert run["parameters"] == {"rows": 600}
    # What stands in several places is judged once, by the first of them.
    assert [(g["expression"], g["origin"], g["verdict"]) for g in run["gates"]] == [
        ("accuracy >= 0.5", "the notebook", "pass"),
        ("accuracy >= stable - 0.01", "the command line", "fail"),
        ("agreement >= 0.999", "the command line", "fail"),
    ]
    measured = {metric["name"]: metric for metric in run["metrics"]}
    of_stable = {metric["name"]: metric for metric in run["stable_metrics"]}
    assert measured["accuracy"]["n"] == of_stable["accuracy"]["n"] == 600
    assert measured["accuracy"]["value"] < of_stable["accuracy"]["value"]
    assert "latency_p95_ms" in measured
    assert run["checks"][0]["passed"]
    assert nbformat.read(run["executed"], as_version=4).cells
    assert run["executed_stable"].endswith("checks.stable.ipynb")
    assert (folder / "out.xml").exists()
    assert (folder / "out" / "index.html").exists()
    assert ended.stderr.splitlines()[:3] == [
        "[1/2] reading the validation notebooks",
        "[2/2] starting the model's server and a kernel",
        "  checks.ipynb [rows=600] runs",
    ]
    assert ended.stderr.splitlines()[-1].startswith("✗ checks.ipynb [rows=600]: fail, ")
    store = SqliteStore(home.path / "nbdeploy", "ada")
    assert store.validations(endpoint="churn")[0].id == found["id"]


def test_a_validation_of_stable_compares_it_with_itself_and_says_so(project, validate):
    _, _, tags = project
    beginning = tags[1.0][:-4]  # of a version, it will do
    ended, found = validate("checks.ipynb", "--snapshot", beginning, "--gate", "accuracy >= stable - 0.3")
    assert (ended.returncode, found["snapshot"], found["stable"]) == (0, tags[1.0], tags[1.0])
    assert found["runs"][0]["executed_stable"] is None
    assert "itself" in found["notes"][0]


def test_all_problems_are_reported_together_before_a_kernel_or_a_server_starts(validate):
    ended, _ = validate(
        "checks.ipynb", "missing.ipynb", "-p", "row=3", "-p", "rows", "many", "-p", "seed", "--matrix", "level=",
        "--gate", "accuracy >> 1", "--select", "a and", "--cwd", "nowhere", "--changed-since", "HEAD",
        "--snapshot", "chrun",
    )  # fmt: skip
    assert ended.returncode == 2
    said = json.loads(ended.stderr.splitlines()[-1])["error"]
    for part in (
        "missing.ipynb",
        "'row'",
        "'rows'",
        "accuracy >> 1",
        "a and",
        "nowhere",
        "no git repository",
        "chrun",
        "seed",
    ):
        assert part in said["details"]
    assert "things are wrong; nothing was started" in said["message"]


def test_an_ambiguous_endpoint_is_an_error_before_the_start(project, home):
    _, folder, _ = project
    store = SqliteStore(home.path / "nbdeploy", "ada")
    for name in ("churn", "tumour"):
        store.save(Endpoint.first(release("1", name=name)), based_on=0, reason="", change="")
    ended = home.run("validate", "checks.ipynb", cwd=folder, check=False)
    assert ended.returncode == 2
    assert "--snapshot with one of: churn, tumour" in ended.stderr


def test_a_model_that_cannot_be_served_fails_the_runs_that_ask_it_and_says_why(project, validate, tmp_path):
    elsewhere = {"BENTOML_HOME": str(tmp_path / "bentoml")}
    (ready := tmp_path / "ready").touch()
    tag = subprocess.run(
        [sys.executable, "-c", WAITS, ready], env=project[0].environment | elsewhere, cwd=tmp_path,
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    ready.unlink()
    ended, found = validate(
        "checks.ipynb", "plain.ipynb", "--snapshot", tag, NBDEPLOY_START_TIMEOUT="0.25", **elsewhere
    )
    assert ended.returncode == 1, ended.stderr
    asks, asks_not = found["runs"]
    assert asks["status"] == "raised"
    assert f"{tag} was not ready to be validated within 0.25 s" in asks["detail"]
    assert asks_not["status"] == "done"


def test_what_nbdeploy_yaml_names_runs_in_its_order_and_the_last_failed_again(project, validate):
    home, folder, _ = project
    (folder / "nbdeploy.yaml").write_text(
        "validate:\n- notebook: plain.ipynb\n  parameters: {seconds: 0}\n  matrix: {level: [1, 2, 3]}\n"
        "  gates: [level >= 3]\n"
    )
    try:
        ended, found = validate("--fail-fast")
        assert ended.returncode == 1, ended.stderr
        assert outcomes(found) == [(1, "done"), (2, "not run"), (3, "not run")]
        assert found["runs"][0]["gates"][0]["origin"] == "nbdeploy.yaml"
        assert found["runs"][2]["detail"] == "plain.ipynb [seconds=0, level=1] failed before"
        shown, code = _on_a_terminal(
            home, folder, "plain.ipynb", "--select", "level=3 and not level=1", "-p", "seconds=1"
        )
        assert code == 0
        assert "cell 2 of 2" in shown
        assert "2 of 3 runs left out, not 'level=3 and not level=1'" in shown
        # The place of the first one's notebook is taken: that run fails, and no other.
        (folder / "ex" / "plain-1.ipynb").mkdir(parents=True)
        ended, found = validate(
            "--last-failed", "--matrix", "level=0,2,3", "--executed", "ex", "-n", "2", "-p", "seconds=1"
        )
        assert outcomes(found) == [(0, "raised"), (2, "done")]
        assert "plain-1.ipynb" in found["runs"][0]["detail"]
        assert (folder / "ex" / "plain-2.ipynb").is_file()
        assert "1 of 3 runs left out, passed the last time" in found["notes"][0]
    finally:
        (folder / "nbdeploy.yaml").unlink()


def _on_a_terminal(home, folder, *arguments):
    """What a terminal shows, and the exit code."""
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "jupyter_deploy", "validate", *arguments]
    environment = {**home.environment, "TERM": "xterm", "COLUMNS": "150", "LINES": "40"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    shown = b""
    with contextlib.suppress(OSError):  # the other end has gone
        while part := os.read(outer, 65536):
            shown += part
            if b"cell 2 of 2" in shown:
                (folder / "seen").touch()  # the cell waits for it
    os.close(outer)
    return shown.decode(errors="replace"), process.wait(60)


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [("SIGINT", 130, "interrupted"), pytest.param("SIGTERM", 143, "terminated", marks=pytest.mark.exhaustive)],
)
def test_what_had_ended_is_reported_and_stored_when_it_is_stopped_impatiently_and_nothing_is_left(
    project, sent, code, said, tmp_path
):
    home, folder, _ = project
    for begun in folder.glob("begun-*"):
        begun.unlink()
    levels = "5,6,7" if sent == "SIGINT" else "6,7"
    command = [sys.executable, "-m", "jupyter_deploy", "validate", "plain.ipynb", "-p", "seconds=600.0"]
    process = subprocess.Popen(
        [*command, "--matrix", f"level={levels}", "--gate", "level >= 5", "-o", "json"],
        cwd=folder, env={**home.environment, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    until((folder / "begun-6").exists)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(getattr(signal, sent))
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        time.sleep(0.15)
        process.send_signal(again)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert errors.splitlines().count("[1/1] ending the kernels") == 1
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("nbdeploy-run-*"))
    found = json.loads(shown)
    ended = [(5, "done")] if sent == "SIGINT" else []
    assert outcomes(found) == [*ended, (6, "interrupted"), (7, "not run")]
    assert found["stopped"] == said
    assert all(gate["verdict"] == "pass" for run in found["runs"][: len(ended)] for gate in run["gates"])
    assert children
    until(lambda: not [child for child in children if child.is_running()])
    store = SqliteStore(home.path / "nbdeploy", "ada")
    assert store.validations(limit=1)[0].stopped == said


def test_nothing_changed_is_nothing_to_validate_and_no_failure(project, validate):
    _, folder, _ = project
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "*.ipynb"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    ended, found = validate("checks.ipynb", "plain.ipynb", "--changed-since", "HEAD")
    assert (ended.returncode, found["runs"], found["verdict"]) == (0, [], "pass")
    assert "2 of 2 runs left out, nothing of it changed since HEAD" in found["notes"][0]


def test_in_a_notebook_the_magic_and_the_function_show_the_verdict_with_its_colour(project):
    home, folder, _ = project
    cells = (
        "%load_ext jupyter_deploy",
        "%deploy_validate plain.ipynb -p level 3 --gate 'level >= 2' --gate 'level >= 9'",
        "import jupyter_deploy\n"
        "result = jupyter_deploy.validate('plain.ipynb', parameter={'level': 3}, gate='level >= 2')\n"
        "print(result.verdict, result)",
    )
    ran = notebooks.run(notebooks.write(folder / "by-hand.ipynb", *cells), home.environment)
    progress, shown = (output.data["text/html"] for output in ran.cells[1].outputs if "text/html" in output.data)
    assert "nbdeploy: done in" in progress
    assert "FAIL: 1 of 2 gates does not hold" in shown
    assert shown.index("#c62828") < shown.index("#2e9e4f")
    assert "pass PASS: 1 gate holds" in notebooks.texts(ran)[2]
