"""Notebooks that nbdeploy itself runs, in real kernels."""

import json
import sys

import pytest

from jupyter_deploy.adapters.capturer import ModelCapturer
from jupyter_deploy.adapters.notebook import PapermillRunner
from jupyter_deploy.domain.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotebookFailed
from tests import notebooks
from tests.contract.capturing import capture

OWN_DEPLOYS = (
    "%load_ext jupyter_deploy\nimport jupyter_deploy\nx = 2",
    "%%deploy --name twice --example 3\ndef doubled(n):\n    return n * x",
    "%deploy doubled --name again --example 3\n%deploy_describe again",
    "jupyter_deploy.deploy(doubled, name='third', example=3)\njupyter_deploy.down()",
)


def test_a_notebooks_own_deploys_are_left_out_and_what_stands_under_them_still_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    notebook = notebooks.write(tmp_path / "own.ipynb", *OWN_DEPLOYS)
    told = []
    asking = "from IPython.display import display\ndisplay({'text/plain': str(doubled(4))}, raw=True)"
    assert PapermillRunner().run(notebook, asking, told.append)["text/plain"] == "8"
    assert told == [*(f"cell {number} of 4" for number in range(1, 5)), "asking the model in its kernel"]
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "bentoml").exists()


def test_a_cell_that_raises_is_named(tmp_path):
    notebook = notebooks.write(tmp_path / "bad.ipynb", "1", "1 / 0")
    with pytest.raises(NotebookFailed, match=r"cell 2 of bad\.ipynb raises ZeroDivisionError"):
        PapermillRunner().run(notebook, "2", lambda _: None)


def test_the_cells_of_a_notebook_are_those_of_code(tmp_path):
    path = notebooks.write(tmp_path / "two.ipynb", "a = 1", "b = 2")
    document = json.loads(path.read_text())
    document["cells"].insert(1, {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# words"})
    path.write_text(json.dumps(document))
    assert PapermillRunner().cells(path) == ("a = 1", "b = 2")


def halved(n):
    return n / 2


def test_executed_cells_of_which_one_raises_still_make_the_model_and_answers_are_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    snapshot = capture(ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120), halved, 3)

    def ask(*cells, forgiving=True):
        here = {"folder": tmp_path, "interpreter": sys.executable, "forgiving": forgiving}
        return PapermillRunner().ask_again(snapshot, cells, lambda _: None, **here)

    found = ask("1 / 0", "def model(n):\n    return n / 2", "no_such_name")
    assert (found["error"], found["differences"]) == (None, [])
    assert ask("def model(n):\n    return n / 3")["differences"] == ["row 0: expected 1.5, got 1.0"]
    assert ask("other = 1")["error"]["missing"] == {"kind": "global", "name": "model"}
    with pytest.raises(NotebookFailed, match="raises ZeroDivisionError"):
        ask("1 / 0", forgiving=False)
