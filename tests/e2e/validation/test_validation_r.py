"""Validation notebooks in R's kernel, and in one that has nothing of this package: documents and HTTP are enough."""

import json
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.exhaustive

UNRECORDED = ["latency_p95_ms <= 60000", "error_rate <= 0.5", "agreement >= 0.1"]
PARAMETERS = {"tags": ["parameters"]}

IN_R = [
    ("n <- 3\nlabel <- 'none'", PARAMETERS),
    ('source(Sys.getenv("NBDEPLOY_R", "nbdeploy.R"))\nset.seed(1)', {}),
    ("X <- data.frame(age = rep(c(20L, 70L), n / 2), weight = rep(c(50.5, 271/3), n / 2))\n"
     "p <- model_predict(X)\ny <- rep(c('no', 'yes'), n / 2)", {}),
    ("metric('accuracy', rows = p == y)\n"
     "metric('accuracy', rows = (p == y)[1], group = list(sex = 'F'))\n"
     "metric('share', 1/3, n = 300, share = TRUE)\n"
     "metric('rmse', rows = c(0.1, 1/3, 12345.678901234), statistic = 'rms')", {}),
    ("check('as many answers as rows', length(p) == nrow(X))\n"
     "check(label, nchar(label) > 3, 'a text of the parameters')", {}),
]  # fmt: skip

# As in a kernel of any language: HTTP, and a display with a MIME type.
BARE = [
    ("n = 2\nlabel = 'none'", PARAMETERS),
    ("import sys\nsys.modules['jupyter_deploy'] = None  # nothing of it can be imported\n"
     "import json, os, urllib.request\nfrom IPython.display import display\n"
     "body = json.dumps({'instances': [{'age': 70, 'weight': 90.0}] * n}).encode()\n"
     "asked = urllib.request.Request(os.environ['NBDEPLOY_MODEL_URL'] + '/predict', body,\n"
     "                               {'content-type': 'application/json'})\n"
     "answers = json.load(urllib.request.urlopen(asked))['predictions']", {}),
    ("MIME = 'application/vnd.nbdeploy.metric+json'\n"
     "display({MIME: {'kind': 'metric', 'name': 'yes', 'rows': [a == 'yes' for a in answers]}}, raw=True)\n"
     "display({MIME: {'kind': 'check', 'name': 'all', 'passed': len(answers) == n}}, raw=True)", {}),
]  # fmt: skip


def write(path, cells, kernel, gates):
    """A notebook of these cells, by a kernel and with gates of its own."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata=about) for source, about in cells],
        metadata={"kernelspec": kernel, "nbdeploy": {"gates": gates}},
    )
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def runs(churn_home, tmp_path_factory):
    """Both notebooks, validated in one go; by their kernels' names."""
    folder = tmp_path_factory.mktemp("notebooks")
    r = {"name": "ir", "display_name": "R", "language": "R"}
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    names = [
        write(folder / "in_r.ipynb", IN_R, r, [*UNRECORDED, "share >= 0.2"]),
        write(folder / "bare.ipynb", BARE, python, ["yes >= 0.1"]),
    ]
    done = churn_home.run(
        "validate", *names, "--snapshot", "churn", "-p", "n=20", "-p", "label=given", "-o", "json", check=False
    )
    assert done.returncode in (0, 4), done.stderr
    return {run["kernel"]: run for run in json.loads(done.stdout)["runs"]}


def test_a_notebook_in_r_is_given_parameters_asks_the_model_and_records(runs, snapshots):
    run = runs["ir"]
    assert (run["status"], run["error"], run["detail"]) == ("done", None, "")
    figures = {(m["name"], *m["group"].values()): (m["value"], m["n"]) for m in run["metrics"]}
    assert figures["accuracy",] == (1.0, 20)
    assert figures["accuracy", "F"] == (1.0, 1)
    assert figures["share",] == (1 / 3, 300)  # R's kernel would have rounded it to 0.3333
    exact = (0.1**2 + (1 / 3) ** 2 + 12345.678901234**2) / 3
    assert figures["rmse",] == (pytest.approx(exact**0.5, rel=1e-14), 3)
    assert [(check["name"], check["passed"]) for check in run["checks"]] == [
        ("as many answers as rows", True), ("given", True)
    ]  # fmt: skip
    assert figures["agreement",][1] == 20
    assert figures["latency_p95_ms",][1] == figures["error_rate",][1] == 4  # requests of 5 rows


def test_what_its_servers_saw_is_judged_without_a_line_in_the_notebook(runs):
    judged = {gate["expression"]: gate for gate in runs["ir"]["gates"]}
    assert judged["share >= 0.2"]["verdict"] == "pass"
    for expression in UNRECORDED:
        assert judged[expression]["value"] is not None, judged[expression]["sentence"]
    assert {metric["name"] for metric in runs["ir"]["stable_metrics"]} >= {"accuracy", "latency_p95_ms"}


def test_a_kernel_without_this_package_needs_no_more_than_http_and_a_display(runs):
    run = runs["python3"]
    assert (run["status"], run["error"]) == ("done", None)
    assert {m["name"]: m["value"] for m in run["metrics"]}["yes"] == 1.0
    assert [(check["name"], check["passed"]) for check in run["checks"]] == [("all", True)]
    assert run["gates"][0]["verdict"] == "pass"


def test_no_secret_is_in_the_executed_notebook(runs):
    for run in runs.values():
        text = Path(run["executed"]).read_text("utf-8")
        assert "NBDEPLOY_MODEL_URL" in text or run["kernel"] == "ir"
        assert "http://127.0.0.1:" not in text
