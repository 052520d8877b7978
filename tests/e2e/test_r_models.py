"""A notebook of R from its cells to a served release, next to a model of Python that answers the same requests."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from tests import notebooks
from tests.conftest import make_home
from tests.e2e.conftest import until

CELLS = (
    "cars <- transform(mtcars, cyl = factor(cyl))\nlimit <- 97",
    "fit <- lm(mpg ~ wt + cyl, cars)",
    "guarded <- function(df) {\n"
    "  if (any(df$wt > limit)) tools::pskill(Sys.getpid(), 9)\n"
    "  round(unname(predict(fit, df)), 2)\n"
    "}",
)
DOCUMENT = "---\ntitle: Cars\n---\n" + "".join(f"\nSome words.\n\n```{{r}}\n{cell}\n```\n" for cell in CELLS)
EXAMPLE = "cars[c(1, 3, 5, 7), c('wt', 'cyl')]"

PACKAGE = Path(__file__).parents[2] / "r"

PYTHON = (
    "import pandas as pd\n"
    "X = pd.DataFrame({'wt': [2.62, 2.32, 3.44], 'cyl': pd.Categorical(['6', '4', '8'], ['4', '6', '8'])})\n"
    "class Fit:\n"
    "    def predict(self, X):\n"
    "        shift = X['cyl'].map({'4': 0.0, '6': -4.255582, '8': -6.070860}).astype(float)\n"
    "        return (33.990794 - 3.205613 * X['wt'] + shift).round(2).to_numpy()\n"
    "fit = Fit()",
)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """An endpoint ``cars`` whose stable release is Python's and whose shadow is R's, with what the deploy printed."""
    folder = tmp_path_factory.mktemp("r")
    home = make_home(folder / "home")
    python = notebooks.write(folder / "python.ipynb", *PYTHON)
    r = folder / "train.qmd"
    r.write_text(DOCUMENT)
    url = home.json("deploy", python, "--name", "cars", "--model", "fit", "--example", "X")["url"]
    shown = home.run("deploy", r, "--name", "cars", "--model", "guarded", "--example", EXAMPLE)
    yield home, url, r, shown
    home.down()


def ask(url, *rows):
    return httpx.post(f"{url}/predict", json={"instances": list(rows)}, trust_env=False, timeout=60)


def test_a_model_of_r_shadows_one_of_python_and_is_promoted(endpoint):
    home, url, _, shown = endpoint
    assert "shadow" in shown.stdout
    assert "R 4." in shown.stdout
    releases = home.json("describe", "cars")["releases"]
    assert [release["role"] for release in releases] == ["stable", "shadow"]
    for number in range(20):
        ask(url, {"wt": 2 + number / 10, "cyl": "468"[number % 3]}).raise_for_status()
    until(lambda: home.json("compare", "cars")["pairs"] >= 20)
    compared = home.json("compare", "cars")
    assert (compared["coverage"]["value"], compared["agreement"]["value"]) == (1.0, 1.0), compared["flips"]
    home.json("promote", "cars", "--force", "--reason", "R is the original")
    answer = ask(url, {"wt": 2.62, "cyl": "6"}, {"wt": 2.32, "cyl": "4"})
    assert answer.json()["predictions"] == pytest.approx([21.34, 26.55])

    refused = ask(url, {"wt": 2.62, "cyl": "5"})
    assert (refused.status_code, refused.json()["errors"][0]["msg"]) == (
        422,
        'must be one of "4", "6", "8", not the string "5"',
    ), refused.text
    assert ask(url, {"wt": "heavy", "cyl": "6"}).status_code == 422
    assert ask(url, {"wt": None, "cyl": "6"}).status_code == 422
    crashed = ask(url, {"wt": 98, "cyl": "6"})
    assert crashed.status_code == 500
    assert ask(url, {"wt": 2.62, "cyl": "6"}).json()["predictions"] == pytest.approx([21.34])


def test_bad_requests_are_refused_before_the_notebook_runs(endpoint):
    home, _, notebook, _ = endpoint
    deploy = ("deploy", notebook, "--name", "other")
    refusals = {
        "which variable": (),
        "a model of R needs an example": ("--model", "fit"),
        "--signature is for models of Python": ("--model", "fit", "--example", EXAMPLE, "--signature", "Row"),
    }
    for words, options in refusals.items():
        ended = home.run(*deploy, *options, check=False)
        assert (ended.returncode, words in ended.stderr) == (2, True), ended.stderr
        assert "cell 1" not in ended.stderr


def test_where_r_is_missing_it_is_named_and_no_traceback_is_shown(endpoint, tmp_path):
    home, _, notebook, _ = endpoint
    for program in ("bash", "sh", "env", "git"):
        (tmp_path / program).symlink_to(shutil.which(program))
    path = os.pathsep.join([str(Path(sys.executable).parent), str(tmp_path)])
    without = replace(home, environment={**home.environment, "PATH": path})
    ended = without.run("deploy", notebook, "--name", "none", "--model", "fit", "--example", EXAMPLE, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "train.qmd needs the kernel 'ir', and there is no program 'R', which starts it" in ended.stderr
    assert "install R, or put the folder of its program on the search path" in ended.stderr
    releases = home.json("describe", "cars")["releases"]
    (tag,) = (one["tag"] for one in releases if one["source"]["notebook"] == str(notebook))
    ended = without.run("deploy", tag, "--name", "none", check=False)
    assert ended.returncode == 3, ended.stderr
    assert re.search(r"R: captured 4\.\S+, not installed; install R", ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr
    assert ".py" not in ended.stderr


def test_a_translated_model_of_r_answers_and_refuses_as_r_does(endpoint):
    home, url, notebook, _ = endpoint
    deploy = ("deploy", notebook, "--name", "fast", "--example", EXAMPLE, "--engine", "onnx")
    ended = home.run(*deploy, "--model", "guarded", check=False)
    assert (ended.returncode, "a function of R is not translated" in ended.stderr) == (2, True), ended.stderr
    shown = home.run(*deploy, "--model", "fit")
    assert "onnx, equal on " in shown.stdout, shown.stdout
    fast = home.json("describe", "fast")["url"]
    rows = ({"wt": 2.62, "cyl": "6"}, {"wt": 2.32, "cyl": "4"})
    assert ask(fast, *rows).json()["predictions"] == pytest.approx([21.336504, 26.553772])
    for row in ({"wt": 2.62, "cyl": "5"}, {"wt": None, "cyl": "6"}, {"wt": 1, "cyl": "6", "hp": 2}):
        refused, expected = ask(fast, row), ask(url, row)
        assert (refused.status_code, refused.json()["errors"]) == (422, expected.json()["errors"])


def test_a_translated_forest_answers_probabilities_by_class(endpoint, tmp_path):
    home = endpoint[0]
    forest = "fit <- ranger::ranger(Species ~ ., iris, probability = TRUE, num.trees = 20, seed = 1)"
    notebook = notebooks.write(tmp_path / "forest.ipynb", forest, kernel=notebooks.R)
    options = ("--model", "fit", "--example", "iris[c(1, 107), 1:4]", "--engine", "onnx")
    shown = home.run("deploy", notebook, "--name", "forest", *options)
    assert "onnx, equal on " in shown.stdout, shown.stdout
    row = dict(zip(("Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"), (5.1, 3.5, 1.4, 0.2), strict=True))
    (answer,) = ask(home.json("describe", "forest")["url"], row).json()["predictions"]
    assert answer == {"setosa": 1, "versicolor": 0, "virginica": 0}
    refused = ask(home.json("describe", "forest")["url"], row | {"Petal.Width": "wide"})
    assert refused.status_code == 422, refused.text


def test_a_cell_that_fails_and_an_expression_that_fails_are_named(endpoint, tmp_path):
    home = endpoint[0]
    notebook = notebooks.write(tmp_path / "faulty.ipynb", "x <- 1", "lm(nothing)", kernel=notebooks.R)
    ended = home.run("deploy", notebook, "--name", "other", "--model", "x", "--example", "x", check=False)
    assert (ended.returncode, "cell 2 of faulty.ipynb raises" in ended.stderr) == (3, True), ended.stderr
    notebook = notebooks.write(tmp_path / "fine.ipynb", *CELLS, kernel=notebooks.R)
    ended = home.run("deploy", notebook, "--name", "other", "--model", "fitt", "--example", "x", check=False)
    assert (ended.returncode, "'fitt' fails in the notebook's kernel" in ended.stderr) == (2, True), ended.stderr


def test_a_cell_of_r_deploys_the_kernels_model(endpoint, tmp_path):
    home, *_ = endpoint
    library = tmp_path / "library"
    library.mkdir()
    subprocess.run(["R", "CMD", "INSTALL", "--no-docs", f"--library={library}", PACKAGE], check=True, timeout=300)
    notebook = notebooks.write(
        tmp_path / "session.ipynb",
        f"library(nbdeploy, lib.loc = '{library}')\n"
        f"options(nbdeploy.command = '{Path(sys.executable).with_name('nbdeploy')}')\n"
        "fit <- lm(mpg ~ wt, mtcars)",
        "deploy(fit, name = 'session', example = head(mtcars['wt'], 3), label = 'of a cell')",
        "tryCatch(deploy(fitt, name = 'session', example = mtcars), error = function(e) cat(conditionMessage(e)))",
        kernel=notebooks.R,
    )
    document = nbformat.read(notebook, as_version=4)
    NotebookClient(document, timeout=300).execute(
        env={**home.environment, "JPY_SESSION_NAME": str(notebook)}, cwd=str(tmp_path)
    )
    deployed, refused = ("".join(output.text for output in cell.outputs) for cell in document.cells[1:3])
    assert "is stable behind" in deployed, deployed
    assert "'fitt' fails in the notebook's kernel" in refused, refused
    assert "the deploy failed" in refused
    described = home.json("describe", "session")
    release = described["releases"][0]
    assert (release["label"], release["source"]) == ("of a cell", {"notebook": str(notebook), "variable": "fit"})
    assert ask(described["url"], {"wt": 2.62}).json()["predictions"] == pytest.approx([23.282611])


@pytest.mark.exhaustive
def test_the_package_of_r_passes_its_check(tmp_path):
    subprocess.run(["R", "CMD", "build", PACKAGE], cwd=tmp_path, check=True, timeout=300)
    (archive,) = tmp_path.glob("nbdeploy_*.tar.gz")
    # No manual, which needs LaTeX; no look at remote indexes.
    checked = subprocess.run(
        ["R", "CMD", "check", "--no-manual", archive.name],
        cwd=tmp_path,
        env={**os.environ, "_R_CHECK_CRAN_INCOMING_": "false", "R_DEFAULT_INTERNET_TIMEOUT": "5"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert "Status: OK" in checked.stdout, checked.stdout
