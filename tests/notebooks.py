"""Notebooks that tests write and run in real kernels."""

import json
import os
import sys
from contextlib import contextmanager

import nbformat
from nbclient import NotebookClient

PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
R = {"name": "ir", "display_name": "R", "language": "R"}


def kernelspec(data, name, program, language="python"):
    """A kernel that ``program`` is, in a folder of JUPYTER_PATH; as `write` takes it."""
    folder = data / "kernels" / name
    folder.mkdir(parents=True)
    (folder / "start.py").write_text(program)
    argv = [sys.executable, str(folder / "start.py"), "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": name, "language": language}))
    return {"name": name, "display_name": name, "language": language}


def write(path, *cells, kernel=PYTHON):
    """A notebook of code cells at ``path``."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": kernel},
    )
    nbformat.write(notebook, path)
    return path


def run(path, environment, *, allow_errors=False):
    """Run a notebook in a real kernel in its own folder; the executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    with _environ(environment | {"NBDEPLOY_NOTEBOOK": str(path)}):
        client = NotebookClient(
            notebook, timeout=240, allow_errors=allow_errors, resources={"metadata": {"path": str(path.parent)}}
        )
        client.execute()
    return notebook


def texts(notebook):
    """What each code cell printed, returned or raised, as text."""
    return ["\n".join(_words(output) for output in cell.get("outputs", [])) for cell in notebook.cells]


def _words(output):
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return output.data.get("text/plain", "")


@contextmanager
def _environ(environment):
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
