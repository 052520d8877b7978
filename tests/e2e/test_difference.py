"""What changed since the release before, on every face, from two models of one notebook in a real kernel."""

import json

import pytest

from tests import notebooks

CELLS = (
    """
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
%load_ext jupyter_deploy
""",
    """
rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.integers(20, 80, 200), "weight": rng.normal(70, 10, 200).round(1)})
y = np.where(X["age"] + X["weight"] > 120, "yes", "no")
""",
    "clf = make_pipeline(StandardScaler(), LogisticRegression(C=1.0)).fit(X, y)",
    "acc = clf.score(X, y)",
    '%deploy clf --name churn --example "X[:5]"',
    """
def weighed(y):
    return y[::-1]

clf = make_pipeline(StandardScaler(), LogisticRegression(C=0.001)).fit(X, weighed(y))
""",
    "acc = clf.score(X, y)",
    '%deploy clf --name churn --example "X[:5]"',
    "import jupyter_deploy\njupyter_deploy.diff('churn')",
    "%deploy_diff churn -o json",
    "%deploy_describe churn",
)


@pytest.fixture(scope="module")
def executed(shared_home):
    """The notebook after it ran, with a home in which the endpoint runs."""
    path = notebooks.write(shared_home.path / "train.ipynb", *CELLS)
    return shared_home, notebooks.run(path, shared_home.environment)


def test_a_notebook_shows_what_changed_in_the_deploy_in_diff_and_in_describe(executed):
    _, notebook = executed
    first, second, compared, document, described = (notebooks.texts(notebook)[place] for place in (4, 7, 8, 9, 10))
    assert "metrics" in first
    assert "since churn:" not in first
    short = "logisticregression__C 1.0 -> 0.001"
    assert short in second
    assert "nbdeploy diff churn:" in second
    assert short in compared
    assert "+clf = make_pipeline(StandardScaler(), LogisticRegression(C=0.001)).fit(X, weighed(y))" in compared
    assert "logisticregression__C" in document
    assert short in " ".join(described.split())
    html = notebook.cells[8].outputs[-1].data["text/html"]
    assert "<summary>cell In [3] -&gt; In [6] changed (+4 -1)</summary>" in html


def test_the_command_line_says_the_same_of_candidate_and_stable_as_text_and_as_json(executed):
    home, _ = executed
    described = home.json("describe", "churn")
    stable, shadow = (next(r for r in described["releases"] if r["role"] == role) for role in ("stable", "shadow"))
    assert stable["changes"] is None
    assert shadow["changes"]["predecessor"] == stable["tag"]
    found = home.json("diff", "churn")
    assert (found["a"], found["b"]) == (stable["tag"], shadow["tag"])
    assert found["words"] == shadow["changes"]["words"]
    assert {c["name"] for c in found["hyperparameters"]} == {"logisticregression__C"}
    assert [c["name"] for c in found["cells"]] == ["In [3] -> In [6]"]
    assert {c["name"] for c in found["metrics"]} == {"acc"}
    assert found["answers"]["compared"] == 5
    assert found["answers"]["differ"] == len(found["answers"]["changes"]) > 0
    assert home.json("diff", shadow["tag"][: len("churn:") + 6]) == found
    said = home.run("diff", stable["tag"], shadow["tag"]).stdout
    assert said.startswith(f"{shadow['tag']} against {stable['tag']}")
    assert "+def weighed(y):" in said


def test_an_unknown_release_has_exit_code_2(executed):
    home, _ = executed
    for wrong in (("chum",), ("churn:000000000000", "churn")):
        ended = home.run("diff", *wrong, "-o", "json", check=False)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert json.loads(ended.stderr.splitlines()[-1])["error"]["remedy"]
