"""A notebook runs again in a clean environment from the lock: equal answers, or the reported differences."""

import json
import os

import pytest

from tests import notebooks
from tests.conftest import make_home
from tests.contract.images.test_isolated import write_wheel
from tests.e2e.images.test_isolated import notebooks_environment

# What it deploys by is left out when it runs again; what stands below was not executed when it was deployed.
CELLS = (
    "import pathlib, tiny_flower\n%load_ext jupyter_deploy",
    "rate = int(pathlib.Path('rate.txt').read_text())",
    "def priced(x):\n    return x * rate / 10",
    "%deploy priced --name price --example 3",
    "rate = 0\npriced = None",
)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A notebook that deployed in a kernel of its own environment; its home, its file and the release's tag."""
    folder = tmp_path_factory.mktemp("reproduce")
    home = make_home(folder / "home")
    write_wheel(folder / "wheels", "1.0")
    python = notebooks_environment(folder / "venv", folder / "wheels")
    home.environment["PIP_FIND_LINKS"] = f"{os.environ.get('PIP_FIND_LINKS', '')} {folder / 'wheels'}".strip()
    (folder / "rate.txt").write_text("15")
    notebook = notebooks.write(folder / "prices.ipynb", *CELLS)
    kernel = folder / "data" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    # By hand, since it must run in the kernel next to tiny_flower.
    notebooks.run(notebook, home.environment | {"JUPYTER_PATH": str(folder / "data"), "JUPYTER_PREFER_ENV_PATH": "0"})
    yield home, notebook, home.json("describe", "price")["releases"][0]["tag"]
    home.down()


@pytest.fixture
def reproduce(deployed):
    """``nbdeploy reproduce`` of the release: exit code and JSON document."""
    home, _, tag = deployed

    def run():
        ended = home.run("reproduce", tag, "-o", "json", check=False)
        assert ended.returncode in (0, 1), ended.stderr
        return ended.returncode, json.loads(ended.stdout)

    return run


def test_a_notebook_that_makes_the_same_model_in_a_clean_environment_is_reproduced(deployed, reproduce):
    home, _, _ = deployed
    code, found = reproduce()
    assert (code, found["outcome"], found["differences"], found["changed"]) == (0, "reproduced", [], [])
    assert (found["ran"], found["instances"]) == ("notebook", 1)
    assert len(home.json("history", "price")) == 1  # its own %deploy was left out


def test_a_changed_cell_or_file_is_reported_with_the_different_answers(deployed, reproduce):
    _, notebook, _ = deployed
    changed = (*CELLS[:2], "def priced(x):\n    return x * rate / 20", *CELLS[3:])
    try:
        notebooks.write(notebook, *changed)
        code, found = reproduce()
    finally:
        notebooks.write(notebook, *CELLS)
    assert (code, found["outcome"]) == (1, "differs")
    assert found["differences"] == ["row 0: expected 4.5, got 2.25"]
    assert found["changed"] == [
        "cell 3 was not executed as it stands now: def priced(x):",
        "In [3] is not in the notebook now: def priced(x):",
    ]


def test_where_the_notebook_is_gone_the_executed_cells_run_instead(deployed, reproduce):
    _, notebook, _ = deployed
    aside = notebook.rename(notebook.with_suffix(".aside"))
    try:
        code, found = reproduce()
    finally:
        aside.rename(notebook)
    assert (code, found["ran"], found["changed"]) == (0, "executed cells", [])


def test_a_notebook_that_raises_now_names_the_cell(deployed):
    home, notebook, tag = deployed
    aside = (notebook.parent / "rate.txt").rename(notebook.parent / "aside.txt")
    try:
        ended = home.run("reproduce", tag, check=False)
    finally:
        aside.rename(notebook.parent / "rate.txt")
    assert ended.returncode == 1
    assert "NOT reproduced" in ended.stdout
    assert "cell 2 raised FileNotFoundError" in ended.stdout
