"""Notebooks that nbdeploy itself runs, in real kernels."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotebookFailed
from jupyter_deploy.domain.progress import PROGRESS, PROGRESS_MIME
from jupyter_deploy.environments.environment import loaded_in_notebook
from jupyter_deploy.environments.module_origins import LocalDistribution
from jupyter_deploy.notebooks.papermill import PapermillRunner
from tests import notebooks
from tests.contract.capturing import capture

OWN_DEPLOYS = (
    "%load_ext jupyter_deploy\nimport jupyter_deploy\nx = 2",
    "%%deploy --name twice --example 3\ndef doubled(n):\n    return n * x",
    "%deploy doubled --name again --example 3\n%deploy_describe again",
    "jupyter_deploy.deploy(doubled, name='third', example=3)\njupyter_deploy.down()",
)


def test_a_notebooks_own_deploys_are_skipped_and_the_statements_below_them_run(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    notebook = notebooks.write(tmp_path / "own.ipynb", *OWN_DEPLOYS)
    told = []
    asking = "from IPython.display import display\ndisplay({'text/plain': str(doubled(4))}, raw=True)"
    assert PapermillRunner().run(notebook, asking, told.append)["text/plain"] == "8"
    assert told == [*(f"cell {number} of 4" for number in range(1, 5)), "calling the model in its kernel"]
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "bentoml").exists()


STEPS = """
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.faces.render.progress import reporter
with reporter() as report:
    report(Step(number=1, total=2, title="candidate 1 of 2: <a> (onnx)"))
    report(Step(number=2, total=2, title="candidate 2 of 2:\\nb (onnx)"))
"""


def test_the_steps_of_an_operation_are_told_and_leave_nothing_in_the_executed_notebook(tmp_path):
    notebook = notebooks.write(tmp_path / "steps.ipynb", "1", STEPS)
    told = []
    shown = PapermillRunner().execute(notebook, notebook.read_text(), STEPS, told.append)
    steps = ["candidate 1 of 2: <a> (onnx)", "candidate 2 of 2: b (onnx)"]
    cells = ["cell 1 of 2", "cell 2 of 2", *(f"cell 2 of 2: {title}" for title in steps)]
    assert told == [*cells, "calling the model in its kernel", *steps]
    assert PROGRESS_MIME not in notebook.read_text()
    assert "nbdeploy: done" in notebook.read_text()
    assert set(shown) == {"text/html", "text/plain"}


def test_a_document_of_progress_of_any_form_is_taken_out_of_a_cells_output(tmp_path):
    cell = f"from IPython.display import display\ndisplay({{{PROGRESS_MIME!r}: ['x']}}, raw=True)"
    notebook = notebooks.write(tmp_path / "steps.ipynb", "1")
    told = []
    assert PapermillRunner().execute(notebook, notebook.read_text(), cell, told.append) == {}
    assert told[-1] == ""


def test_a_kernel_without_a_runner_displays_no_document_of_progress(tmp_path, monkeypatch):
    monkeypatch.delenv(PROGRESS, raising=False)
    cell = f"import os\nos.environ.pop({PROGRESS!r})\n{STEPS}"
    notebook = notebooks.write(tmp_path / "steps.ipynb", "1")
    told = []
    PapermillRunner().execute(notebook, notebook.read_text(), cell, told.append)
    assert told == ["cell 1 of 1", "calling the model in its kernel"]


def test_a_kernels_key_lies_in_a_folder_that_is_swept(tmp_path, monkeypatch):
    notebook = notebooks.write(tmp_path / "key.ipynb", "import ipykernel")
    asking = "from IPython.display import display\ndisplay({'text/plain': ipykernel.get_connection_file()}, raw=True)"
    where = Path(PapermillRunner().run(notebook, asking, lambda _: None)["text/plain"])
    assert where.parent.name.startswith("nbdeploy-run-")


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


def test_repeated_cells_make_the_compared_model_and_those_that_raise_are_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    snapshot = capture(ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120), halved, 3)

    def ask(*cells):
        return PapermillRunner().predict_again(
            snapshot, cells, lambda _: None, folder=tmp_path, interpreter=sys.executable
        )

    own = "%load_ext jupyter_deploy\nfirst = %deploy model --name halved --example 3\nfirst.url"
    found = ask("1 / 0", "def model(n):\n    return n / 2", own)
    assert (found["error"], found["differences"]) == (None, [])
    assert found["raised"] == [
        "cell 1 raised ZeroDivisionError: division by zero",
        "cell 3 raised AttributeError: %deploy is skipped: nbdeploy runs this notebook itself, "
        "so its result has no 'url'",
    ]
    assert ask("def model(n):\n    return n / 3")["differences"] == ["row 0: expected 1.5, got 1.0"]
    assert ask("other = 1")["error"]["missing"] == {"kind": "global", "name": "model"}


def test_the_notebooks_own_modules_answer_when_they_run_again_and_not_those_of_the_snapshot(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "pricing.py").write_text("def priced(n):\n    return n * 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    pricing = importlib.import_module("pricing")
    monkeypatch.setitem(sys.modules, "pricing", pricing)  # and forgotten afterwards
    kept = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    snapshot = capture(kept, pricing.priced, 3, project=tmp_path)
    assert "code/pricing.py" in snapshot.manifest.files

    def ask(folder=tmp_path):
        cells, python = ["import pricing\nmodel = pricing.priced"], sys.executable
        found = PapermillRunner().predict_again(snapshot, cells, lambda _: None, folder=folder, interpreter=python)
        return found["error"], found["differences"]

    assert ask() == (None, [])
    (tmp_path / "pricing.py").write_text("def priced(n):\n    return n * 3\n")
    assert ask() == (None, ["row 0: expected 6, got 9"])
    # Installed to be edited, its source answers; where that is not here, what the snapshot has of it.
    (elsewhere := tmp_path / "notebooks").mkdir()
    assert ask(elsewhere) == (None, [])
    editable = [LocalDistribution("pricing", "1", tmp_path, editable=True)]
    monkeypatch.setattr("jupyter_deploy.notebooks.papermill.local_distributions", lambda: editable)
    assert ask(elsewhere) == (None, ["row 0: expected 6, got 9"])


USES = (
    "%load_ext jupyter_deploy\nx = 2",
    "def doubled(n):\n    return n * x",
    "first = %deploy doubled --name again --example 3",
    "import json\ndef ask(rows, url=first.url):\n    return url\nclient = 1",
    "answers = [ask(x)]\nclient",
    "comparison = %deploy_compare again\ncomparison['rows']",
)


def test_cells_that_only_need_the_result_of_a_deploy_are_skipped_and_reported(tmp_path):
    told = []
    asking = "from IPython.display import display\ndisplay({'text/plain': str(doubled(4))}, raw=True)"
    notebook = notebooks.write(tmp_path / "uses.ipynb", *USES)
    assert PapermillRunner().run(notebook, asking, told.append, ["doubled", "x"])["text/plain"] == "8"
    assert [words.partition(",")[0] for words in told if "skipped" in words] == [
        "cell 4 is skipped", "cell 5 is skipped", "cell 6 is skipped"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x = first.percent", "cell 4 of needs\\.ipynb raises AttributeError"),  # another x would be another model
        ("y = unknown", "cell 4 of needs\\.ipynb raises NameError"),
    ],
)
def test_a_cell_that_the_model_needs_or_that_fails_by_itself_is_not_passed_over(tmp_path, cell, message):
    notebook = notebooks.write(tmp_path / "needs.ipynb", *USES[:3], cell, "1 / 0")
    with pytest.raises(NotebookFailed, match=message) as failed:
        PapermillRunner().run(notebook, "1", lambda _: None, ["doubled"])
    assert ("%deploy" in failed.value.remedy) == ("first" in cell)


def test_a_clean_environment_requests_only_what_an_index_has(monkeypatch):
    assert "pydantic" in loaded_in_notebook(["import pydantic"])
    local = [LocalDistribution("Pydantic", "1", Path("/src"), editable=True)]
    monkeypatch.setattr("jupyter_deploy.environments.environment.local_distributions", lambda: local)
    assert "pydantic" not in loaded_in_notebook(["import pydantic"])
