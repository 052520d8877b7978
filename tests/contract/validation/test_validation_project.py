"""The files of validation notebooks: folders, YAML, and changes since a revision."""

import subprocess

import nbformat
import pytest

from jupyter_deploy.domain.errors import InvalidInput, UnknownSource
from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.validation.project import FolderProject
from jupyter_deploy.validation.scaffold.project import ProjectStarter

PROJECT = FolderProject()


def write(path, *cells, tag=None, **told):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = nbformat.v4.new_notebook(metadata={"nbdeploy": told} if told else {})
    made.cells = [nbformat.v4.new_code_cell(cell, metadata={"tags": [tag]} if tag else {}) for cell in cells]
    nbformat.write(made, path)
    return Notebook(path, "python3", "python", len(cells), "\n".join(cells), None)


def test_a_folder_means_its_notebooks_with_parameters_or_gates_and_no_checkpoints(tmp_path):
    write(tmp_path / "b.ipynb", "x = 1", tag="parameters")
    write(tmp_path / "deep" / "a.ipynb", "x = 1", gates=["accuracy >= 0.9"])
    write(tmp_path / "explore.ipynb", "x = 1")
    write(tmp_path / ".ipynb_checkpoints" / "b-checkpoint.ipynb", "x = 1", tag="parameters")
    write(tmp_path / "out" / "b.ipynb", "x = 1", tag="parameters")
    (tmp_path / "torn.ipynb").write_text('{"cells": [')
    found = PROJECT.notebooks(str(tmp_path), [tmp_path / "out"])
    # An unreadable one is an error.
    assert found == [str(tmp_path / name) for name in ("b.ipynb", "deep/a.ipynb", "torn.ipynb")]
    assert PROJECT.notebooks("somewhere/else.ipynb") == ["somewhere/else.ipynb"]


def test_an_executed_notebook_is_not_a_notebook_of_a_folder(tmp_path):
    write(tmp_path / "a.ipynb", "from jupyter_deploy import model\nmodel()", tag="parameters")
    made = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    made.metadata["papermill"] = {"output_path": "ran.ipynb"}
    nbformat.write(made, tmp_path / "ran.ipynb")
    made.metadata["papermill"] = {"default_parameters": {}}
    made.cells.append(nbformat.v4.new_code_cell("x = 2", metadata={"tags": ["injected-parameters"]}))
    nbformat.write(made, tmp_path / "elsewhere.ipynb")
    assert PROJECT.notebooks(str(tmp_path)) == [str(tmp_path / "a.ipynb")]
    assert not PROJECT.validates(tmp_path / "ran.ipynb")
    assert [found.path for found in ProjectStarter().notebooks(tmp_path)] == ["a.ipynb"]


def test_a_folder_without_validation_notebooks_is_refused_with_a_remedy(tmp_path):
    write(tmp_path / "explore.ipynb", "x = 1")
    with pytest.raises(UnknownSource, match="the tag 'parameters'"):
        PROJECT.notebooks(str(tmp_path))
    (tmp_path / "odd.ipynb").mkdir()
    with pytest.raises(UnknownSource, match=r"odd\.ipynb is a folder without a notebook"):
        PROJECT.notebooks(str(tmp_path / "odd.ipynb"))


def test_parameters_in_yaml_are_papermills_whose_dates_are_texts(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("rows: 200\nday: 2026-11-25\nmodels: [a, b]\n")
    assert PROJECT.parameters(str(file)) == {"rows": 200, "day": "2026-11-25", "models": ["a", "b"]}
    assert PROJECT.parsed("") == {}
    with pytest.raises(InvalidInput, match=r"'a: \[' is not YAML: line 1, character 5: .* found its end") as refused:
        PROJECT.parsed("a: [")
    assert refused.value.details == ""
    for wrong in ("- a", "a: [", "5"):
        with pytest.raises(InvalidInput, match="rows: 200"):
            PROJECT.parsed(wrong)
    with pytest.raises(InvalidInput, match=r"none\.yaml: there is no such file\n"):
        PROJECT.parameters(str(tmp_path / "none.yaml"))
    with pytest.raises(InvalidInput, match=r": it is a folder\n"):
        PROJECT.parameters(str(tmp_path))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Three notebooks, one of which imports a module that imports another; all committed."""

    def git(*arguments):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True, capture_output=True,
        )  # fmt: skip

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "clean.py").write_text("from . import deep\n")
    (tmp_path / "mine" / "deep.py").write_text("rate = 1\n")
    (tmp_path / "lonely.py").write_text("")
    found = {
        "package": write(tmp_path / "package.ipynb", "%matplotlib inline\nimport numpy\nfrom mine.clean import f"),
        "lonely": write(tmp_path / "lonely.ipynb", "def late():\n    import lonely", "not python ("),
        "alone": write(tmp_path / "it has spaces.ipynb", "import numpy"),
    }
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path, found, git


def changed(found, revision="HEAD"):
    paths = PROJECT.changed_since(revision, list(found.values()))
    return {name for name, notebook in found.items() if notebook.path in paths}


def test_a_notebook_changed_when_it_or_a_module_that_it_imports_by_way_of_others_did(repository):
    folder, found, git = repository
    assert changed(found) == set()
    (folder / "mine" / "deep.py").write_text("rate = 2\n")
    assert changed(found) == {"package"}
    git("commit", "-qam", "second")
    assert changed(found) == set()
    assert changed(found, "HEAD~1") == {"package"}
    (folder / "it has spaces.ipynb").write_text((folder / "it has spaces.ipynb").read_text() + "\n")
    (folder / "lonely.py").unlink()
    assert changed(found) == {"alone", "lonely"}


def test_untracked_files_and_changed_settings_count_too(repository):
    folder, found, _ = repository
    (folder / "numpy.py").write_text("")  # shadows the installed one
    assert changed(found) == {"package", "alone"}
    (folder / "nbdeploy.yaml").write_text("port: 8790\n")
    assert changed(found) == set(found)


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", ""])
def test_an_unknown_revision_is_refused(repository, revision):
    folder, found, _ = repository
    with pytest.raises(InvalidInput, match="git knows no revision"):
        changed(found, revision)
    assert not (folder / "x").exists()


def test_a_folder_in_no_repository_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="no git repository"):
        changed({"a": write(tmp_path / "a.ipynb", "x = 1")})
