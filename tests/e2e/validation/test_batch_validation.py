"""Validation notebooks judge what a batch has written: real kernels, and one endpoint for all."""

import json
from pathlib import Path

import pandas as pd
import pytest

from .test_validate import write

CHECKS = """
import pandas as pd
from jupyter_deploy import check, metric
answers = pd.read_parquet(sink)
metric("share_of_yes", rows=answers["prediction"] == "yes")
check("each row has an answer", len(answers) == 400)
"""
ASKS = """
import pandas as pd
from jupyter_deploy import metric, model
answers = pd.read_parquet(sink)
again = model().predict(answers[["age", "weight"]])
metric("agrees", rows=again == answers["prediction"])
"""


@pytest.fixture(scope="module")
def table(served):
    """A table of which the model says "yes" to a quarter of the rows."""
    home, _ = served
    path = home.path / "rows.parquet"
    pd.DataFrame({"age": [60, 20, 21, 22] * 100, "weight": 70.5}).to_parquet(path, index=False)
    return path


@pytest.fixture
def batch(served, table, tmp_path):
    """Run the batch with validation notebooks into a new folder; the exit code and the result."""
    home, _ = served

    def run(*options, table=table):
        places = ("--source", table, "--sink", tmp_path / "scores", "--keep", "age", "--keep", "weight")
        done = home.run("batch", "churn", *places, *options, "-o", "json", check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    return run


@pytest.fixture
def checks(tmp_path):
    return write(
        tmp_path / "checks.ipynb", 'sink = "scores"', CHECKS, gates=["share_of_yes >= 0.1", "share_of_yes <= 0.4"]
    )


def test_gates_are_judged_on_the_answers_and_the_exit_code_is_theirs(served, batch, checks, tmp_path):
    home, deployed = served
    asks = write(tmp_path / "asks.ipynb", 'sink = "scores"', ASKS, gates=["agrees >= 0.95"])
    code, result = batch("--validate", checks, "--validate", asks)
    assert (code, result["state"], result["rows"]) == (0, "complete", 400), result
    validation = result["validation"]
    assert (validation["verdict"], validation["trigger"], validation["snapshot"]) == (
        "pass", "batch", deployed["release"],
    )  # fmt: skip
    assert [run["parameters"]["sink"] for run in validation["runs"]] == [str(tmp_path / "scores")] * 2
    assert validation["runs"][0]["metrics"][0]["value"] == 0.25
    assert Path(validation["report"]).exists()

    # Nothing is left to score; the answers are judged again, and a failed gate takes none of them away.
    for _ in range(2):
        code, result = batch("--validate", checks, "--gate", "share_of_yes <= 0.1")
        assert (code, result["scored"], result["validation"]["verdict"]) == (1, 0, "fail")
        (failed,) = (gate for gate in result["validation"]["runs"][0]["gates"] if gate["verdict"] == "fail")
        assert failed["attempt"] == 1, "each night asks about other answers"
    assert len(pd.read_parquet(tmp_path / "scores")) == 400
    code, result = batch("--validate", checks, "--gate", "share_of_yes >= 0.249")
    assert (code, result["validation"]["verdict"]) == (4, "inconclusive")
    places = (
        "--source",
        home.path / "rows.parquet",
        "--sink",
        tmp_path / "scores",
        "--keep",
        "age",
        "--keep",
        "weight",
    )
    shown = home.run("batch", "churn", *places, "--validate", checks, "--gate", "share_of_yes <= 0.1", check=False)
    assert "✗ share_of_yes 0.25" in shown.stdout
    assert "has scored all of it already" in shown.stdout


def test_a_validation_that_cannot_judge_is_refused_before_a_row_is_scored(batch, checks, tmp_path):
    without = write(tmp_path / "without.ipynb", "place = 1", CHECKS)
    for options, words in {
        ("--validate", without): "has no parameter 'sink'",
        ("--validate", tmp_path / "nothing.ipynb"): "nothing.ipynb",
        ("--validate", checks, "--gate", "share_of_yes >= stable"): "a batch has the answers of one release",
        ("--gate", "share_of_yes <= 0.4"): "--gate needs a notebook",
        ("--validate", checks, "--gate", "share_of_yes <"): "share_of_yes <",
    }.items():
        code, told = batch(*options)
        assert code == 2, told
        assert words in told
    assert not (tmp_path / "scores").exists()


def test_an_incomplete_batch_is_not_judged_and_a_notebook_that_raises_fails_it(batch, checks, table, tmp_path):
    code, result = batch("--validate", checks, "--dry-run")
    assert (code, result["state"], result["validation"]) == (0, "planned", None)
    few = pd.read_parquet(table).head(3)
    few.to_parquet(tmp_path / "few.parquet", index=False)
    raises = write(tmp_path / "raises.ipynb", 'sink = "scores"', "1 / 0")
    code, result = batch("--validate", raises, "--validate", checks, table=tmp_path / "few.parquet")
    assert (code, result["rows"]) == (1, 3)
    first, second = result["validation"]["runs"]
    assert first["error"]["ename"] == "ZeroDivisionError"
    assert [check["passed"] for check in second["checks"]] == [False]
