"""The example validation notebooks, by ``init``'s workflow, by pytest and by hand; each gate is made to fail."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import yaml

from tests import notebooks

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.exhaustive,
]  # five models are trained, proved and started for all of these tests at once

EXAMPLES = Path(__file__).parents[3] / "notebooks" / "validation"

NAMES = ("classification", "regression", "text", "image", "timeseries")

# In one process, as in five kernels: each training notebook's cells, and its model once more, fitted to shuffled
# labels; that one is captured.
TRAIN = r"""
import json, re, sys
from pathlib import Path
import nbformat, numpy
from jupyter_deploy.validation.scaffold.deploys import deploys_in
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.capture import capture
from jupyter_deploy.wiring import Wiring

def shuffled(labels):
    return numpy.random.default_rng(0).permutation(numpy.asarray(labels))

ports, found = Wiring().ports, {}
for name in sys.argv[1:]:
    path = Path(f"train_{name}.ipynb").absolute()
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    trained, = deploys_in(path.name, cells)
    for cell in cells[:-1]:
        exec(cell, globals())
    method = trained.options[1] if trained.options else None
    options = {"method": method} if method else {}
    example = eval(trained.example)
    fit = next(cell for cell in cells if ".fit(" in cell)
    exec(re.sub(r"\.fit\((.+), (.+)\)", r".fit(\1, shuffled(\2))", fit), globals())
    live = Live(model, example, Source(), project=Path.cwd(), method=method)
    bad = capture(live, trained.name, DeployRequest(**options), ports, lambda *_: None)
    found[name] = {"endpoint": trained.name, "bad": bad.tag}
print(json.dumps(found))
"""

# In one process too; what it prints is what each gate came to: by notebook, parameters and gate.
JUDGE = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import jupyter_deploy
def judged(asked):
    validation = jupyter_deploy.validate(**asked)
    return [[r.parameters, r.status, {g.expression: [g.verdict, g.sentence] for g in r.gates}] for r in validation.runs]
with ThreadPoolExecutor(2) as pool:
    print(json.dumps(list(pool.map(judged, json.loads(sys.stdin.read())))))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    copy = tmp_path_factory.mktemp("examples") / "validation"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns(".*"))
    return copy


def python(home, folder, *arguments, stdin=""):
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)], env=home.environment, cwd=folder, input=stdin, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return ended.stdout


@pytest.fixture(scope="module")
def workflow(shared_home, folder):
    """What the workflow that ``init`` writes for them runs, by the steps' names."""
    shared_home.json("init", folder)
    document = yaml.safe_load((folder / ".github" / "workflows" / "nbdeploy.yml").read_text("utf-8"))
    return {step["name"]: step["run"] for step in document["jobs"]["validate"]["steps"] if "run" in step}


def shell(home, folder, script):
    path = f"{Path(sys.executable).parent}:{home.environment['PATH']}"
    ended = subprocess.run(
        ["bash", "-e", "-c", script], env={**home.environment, "PATH": path}, cwd=folder, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return ended.stdout


@pytest.fixture(scope="module")
def trained(shared_home, folder, workflow):
    """The five models behind their endpoints, by the workflow's steps, and five that learned nothing, as snapshots."""
    script = folder.parent / "train.py"
    script.write_text(TRAIN)

    def train(names):
        return json.loads(python(shared_home, folder, script, *names).splitlines()[-1])

    (step,) = (run for name, run in workflow.items() if name.startswith("Train, and prove"))
    commands = step.splitlines()
    assert len(commands) == len(NAMES)
    with ThreadPoolExecutor(2) as pool:
        deployed = [pool.submit(shell, shared_home, folder, command) for command in commands]
        first, second = pool.map(train, (NAMES[:2], NAMES[2:]))
        assert all("is stable" in one.result() for one in deployed)
    return first | second


@pytest.fixture(scope="module")
def by_workflow(shared_home, folder, trained, workflow):
    """What the workflow's steps that validate print, side by side."""
    steps = {name: run for name, run in workflow.items() if name.startswith("Validate ")}
    assert sorted(steps) == sorted(f"Validate {one['endpoint']}" for one in trained.values())
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(steps, pool.map(lambda run: shell(shared_home, folder, run), steps.values()), strict=True))


@pytest.fixture(scope="module")
def by_pytest(shared_home, folder, by_workflow):
    """``pytest --nbdeploy`` over the folder, side by side: names of what passed, and each one's properties.

    The notebooks as they ran by the workflow lie in the folder too, and are none of them.
    """
    assert by_workflow
    out = folder.parent / "junit.xml"
    options = ("--nbdeploy", "-n", "2", "-p", "no:cacheprovider", "--junitxml", out)
    python(shared_home, folder, "-m", "pytest", "-q", *options, ".")
    cases = list(ET.parse(out).iter("testcase"))
    assert all(not list(case.iter("failure")) for case in cases)
    return {c.get("name"): {p.get("name"): p.get("value") for p in c.iter("property")} for c in cases}


def test_all_examples_pass_by_the_steps_of_the_workflow_that_init_writes(by_workflow, folder):
    for name, shown in by_workflow.items():
        assert shown.startswith("PASS"), name
    reports = [path.parent.name for path in (folder / "report").glob("*/junit.xml")]
    assert len(reports) == len(NAMES)


def test_all_examples_pass_under_pytest_with_two_workers_each_asking_its_own_endpoint(by_pytest):
    assert set(by_pytest) == set(NAMES), "the training notebooks are none of them"
    assert float(by_pytest["classification"]["accuracy"]) > 0.95
    assert float(by_pytest["classification"]["accuracy[size=large]"]) > 0.95
    assert float(by_pytest["regression"]["skill"]) > 0.3


# What a model that was fitted to shuffled labels fails; then what is wrong otherwise, by parameters.
FAIL = {
    "classification": {
        "accuracy >= 0.92", "sensitivity >= 0.85", "accuracy[size=large] >= 0.9", "accuracy_noisy >= 0.9",
        "accuracy >= stable - 0.05",
    },
    "regression": {"mae <= 52", "rmse <= 65", "mae[sex=2] <= 56", "skill >= 0.15", "mae <= stable + 5"},
    "text": {
        "accuracy >= 0.8", "accuracy[length=short] >= 0.7", "auc >= 0.9", "log_loss <= 0.4", "right_alone >= 0.88",
        "log_loss <= stable + 0.1",
    },
    "image": {
        "accuracy >= 0.96", "accuracy[digit=8] >= 0.8", "accuracy_dirty >= 0.93", "accuracy_shifted >= 0.4",
        "accuracy >= stable - 0.02",
    },
    "timeseries": {
        "mae <= 22", "mae[activity=high] <= 35", "skill >= 0.2", "skill_3 >= 0.55", "bias >= -12", "mae <= stable + 3",
    },
}  # fmt: skip
OTHERWISE = (
    ("regression", {"drift": -15}, "bias >= -15"),
    ("regression", {"drift": 15}, "bias <= 15"),
    ("text", {"sure": 0.97}, "answered_alone >= 0.5"),
)


@pytest.fixture(scope="module")
def judged(shared_home, folder, trained):
    """What each gate came to, by notebook and parameters; of snapshots that learned nothing, and of good ones."""
    asked = [{"notebooks": [f"{name}.ipynb"], "snapshot": trained[name]["bad"], "workers": 2} for name in NAMES]
    asked += [
        {"notebooks": [f"{name}.ipynb"], "snapshot": trained[name]["endpoint"], "parameter": parameters}
        for name, parameters, _ in OTHERWISE
    ]
    script = folder.parent / "judge.py"
    script.write_text(JUDGE)
    found = json.loads(python(shared_home, folder, script, stdin=json.dumps(asked)).splitlines()[-1])
    keys = [*((name, None) for name in NAMES), *((name, gate) for name, _, gate in OTHERWISE)]
    return {key: runs[0] for key, runs in zip(keys, found, strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_was_fitted_to_shuffled_labels_fails_every_gate_on_its_quality(judged, name):
    _, status, gates = judged[name, None]
    assert status == "done"
    assert {gate for gate, (verdict, _) in gates.items() if verdict == "fail"} >= FAIL[name], gates
    assert all(sentence.endswith("fail") for gate, (_, sentence) in gates.items() if gate in FAIL[name])


@pytest.mark.parametrize(("name", "parameters", "gate"), OTHERWISE, ids=[gate for *_, gate in OTHERWISE])
def test_the_other_gates_fail_where_the_world_is_other_than_it_was(judged, name, parameters, gate):
    given, status, gates = judged[name, gate]
    assert (given, status) == (parameters, "done")
    assert gates[gate][0] == "fail", gates[gate]


@pytest.mark.parametrize("name", NAMES)
def test_each_gate_of_an_example_is_made_to_fail_by_one_of_these_tests(name):
    gates = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4).metadata["nbdeploy"]["gates"]
    assert set(gates) == FAIL[name] | {gate for other, _, gate in OTHERWISE if other == name}


def test_they_run_by_hand_in_an_ordinary_kernel(shared_home, folder, trained):
    """All five in one kernel, in sequence, each without the state of the one before."""
    cells = []
    for name in NAMES:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        cells += ["%reset -f", *(cell.source for cell in notebook.cells if cell.cell_type == "code")]
    executed = notebooks.run(notebooks.write(folder / "by_hand.ipynb", *cells), shared_home.environment)
    (folder / "by_hand.ipynb").unlink()
    shown = "\n".join(notebooks.texts(executed))
    for words in ("accuracy = 0.978", "skill = 0.35", "auc = 0.98", "accuracy_dirty = 0.97", "bias = -4.1"):
        assert words in shown
    assert "✗" not in shown
