"""The dialog's first guess in a notebook that ran in a real kernel."""

from __future__ import annotations

import ast
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import run_sync
from nbclient import NotebookClient

from .labels import Tutorial

_SECONDS = 300
_REPORT = "__import__('jupyter_deploy.faces.kernel.lab_bridge', fromlist=['found']).found()"


@dataclass(frozen=True)
class Guess:
    """The fields as the dialog fills them in; empty: it leaves the choice to the user."""

    tutorial: Tutorial
    model: str
    example: str
    ranked: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether model and example are right."""
        return self.model in self.tutorial.models and bool(_names(self.example) & set(self.tutorial.examples))


def guess(tutorial: Tutorial) -> Guess:
    """Run the notebook in a kernel as a user does, and return what the dialog selects then.

    A cell that fails stays as it is, and the next one runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(tutorial.path, folder))
        models = _report(path)["models"]
    best = models[0] if models and not models[0]["unusual"] else None
    return Guess(
        tutorial,
        best["variable"] if best else "",
        best["examples"][0]["expression"] if best and best["examples"] else "",
        tuple(model["variable"] for model in models),
    )


def _report(path: Path) -> dict[str, Any]:
    """Return the kernel's report after all cells."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=_SECONDS, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                client.execute_cell(cell, number, store_history=True)
        ask = run_sync(client.kc.execute_interactive)
        reply = ask("", silent=True, user_expressions={"report": _REPORT}, timeout=_SECONDS)
    said = reply["content"]["user_expressions"]["report"]
    if said["status"] != "ok":
        raise RuntimeError(f"{path.name}: {said['ename']}: {said['evalue']}")
    report: dict[str, Any] = said["data"]["application/json"]
    return report


def _names(expression: str) -> set[str]:
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError:
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
