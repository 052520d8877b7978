"""Notebooks in the style of the libraries' own tutorials, deployed as they are.

Two of them in CI, for time; NBDEPLOY_TUTORIALS=all takes all of them.
"""

import os
import shutil
from pathlib import Path

import httpx
import nbformat
import pytest

from jupyter_deploy.serving.agreement import differences

pytestmark = pytest.mark.exhaustive

FOLDER = Path(__file__).parents[1] / "tutorials"

# Variable that holds the model, and an example, in the words of the notebook.
TUTORIALS = {
    "xgboost-train": ("bst", "X_test[:5]"),
    "statsmodels-formula": ("affair_mod", "dta[:5]"),
    "sklearn-mixed-types": ("search_cv", "X_test[:5]"),
    "lightgbm-categories": ("gbm", "test[features].iloc[:5]"),
    "torch-digits": ("model", "X[1400:1405]"),
}
CHOSEN = list(TUTORIALS) if os.environ.get("NBDEPLOY_TUTORIALS") == "all" else list(TUTORIALS)[:2]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_tutorials_model_answers_through_the_gateway_as_in_its_notebook(shared_home, name):
    model, example = TUTORIALS[name]
    folder = shared_home.path / name
    folder.mkdir()
    notebook = Path(shutil.copy(FOLDER / f"{name}.ipynb", folder))
    done = shared_home.json("deploy", notebook, "--name", name, "--model", model, "--example", example, cwd="/")
    captured = done["captured"]
    answer = httpx.post(f"{done['url']}/predict", json={"instances": captured["instances"]})
    assert answer.status_code == 200, answer.text
    assert differences(captured["predictions"], answer.json()["predictions"], rtol=1e-4, atol=1e-6) == []
    assert "side-effects" not in [finding["check"] for finding in captured["findings"]]
    assert nbformat.read(notebook, 4) == nbformat.read(FOLDER / notebook.name, 4), "its code is untouched"
