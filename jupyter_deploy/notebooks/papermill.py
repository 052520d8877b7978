"""Notebooks run headless by papermill, with one more cell at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import KernelDied, NotebookFailed
from jupyter_deploy.environments.module_origins import local_distributions
from jupyter_deploy.masking.masking import masked, masked_cells
from jupyter_deploy.notebooks.rerun import ANSWERS_MIME, VARIABLE
from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.system.clean_process import SERVING_FOLDER, copy_serving
from jupyter_deploy.system.temp import scratch_folder

from .kernels.launch import Launch
from .reader import code_cells, kernel_of, read_notebook
from .skipped_deploys import Excuses, is_left_out


class PapermillRunner:
    """The NotebookRunner port."""

    def cells(self, notebook: Path) -> tuple[str, ...]:
        """Source of its cells of code."""
        return tuple(cell.source for cell in code_cells(read_notebook(str(notebook))))

    def masked(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The cells as a snapshot keeps them."""
        return masked_cells(cells)

    def run(
        self, notebook: Path, last_cell: str, on_cell: Callable[[str], None], expressions: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """Run all cells and then ``last_cell``, in the notebook's own folder; the notebook itself is not written."""
        document = read_notebook(str(notebook))
        kernel, _ = kernel_of(document, notebook.name)
        excuses = Excuses([cell.source for cell in code_cells(document)], expressions)
        place = Place(notebook.name, notebook.resolve().parent, kernel, {**os.environ, VARIABLE: "1"}, excuses=excuses)
        return _shown(_run(document, last_cell, on_cell, place)[-1])

    def ask_again(
        self,
        snapshot: Snapshot,
        cells: Sequence[str],
        on_cell: Callable[[str], None],
        *,
        folder: Path,
        interpreter: str,
    ) -> Mapping[str, Any]:
        """Run cells in a kernel of another environment, which finds what ``rerun`` needs all the same."""
        source = snapshot.manifest.provenance.source
        arguments = f"{source.variable!r}, {snapshot.path!r}, {snapshot.digest!r}"
        asking = f"from jupyter_deploy.notebooks.rerun import ask\nask({arguments})"
        import nbformat

        tags = {"tags": ["raises-exception"]}  # the next cells run all the same
        document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell, metadata=tags) for cell in cells])
        with scratch_folder("code") as code:
            _copy_rerun(code)
            kept = {name: value for name, value in os.environ.items() if name not in _OTHERS}
            environment = {**kept, VARIABLE: "1", "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
            command: tuple[str, ...] = (interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}")
            if own := list(map(str, _own_code(snapshot))):
                command = (*command, f"--IPKernelApp.exec_lines=__import__('sys').path.extend({own!r})")
            name = Path(source.notebook).name if source.notebook else "cells.ipynb"
            ran = _run(document, asking, on_cell, Place(name, folder, "python3", environment, command))
        shown = _shown(ran[-1])
        if ANSWERS_MIME not in shown:
            raise NotebookFailed(
                f"{name} ran, but its kernel gave no answers", "do its cells change 'sys.modules' or how things show?"
            )
        return {**shown[ANSWERS_MIME], "raised": _raised(ran[:-1])}


# They would lead the clean environment's interpreter to the modules of another one.
_OTHERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")


def _own_code(snapshot: Snapshot) -> list[Path]:
    """Where the project's code is that no index has: in what is installed here to be edited, else in the snapshot.

    What lies in the notebook's folder comes before both.
    """
    editable = [one for one in local_distributions() if one.editable and one.name != "nbdeploy"]
    sources = [one.source for one in editable if one.source.is_dir()]
    folders = [source / "src" if (source / "src").is_dir() else source for source in sources]
    packed = Path(snapshot.path) / FOLDER
    return [*folders, *([packed] if packed.is_dir() else [])]


_RERUN = ("notebooks/__init__.py", "notebooks/rerun.py")


def _copy_rerun(into: Path) -> None:
    """As much of this package as the standard library and a lock can run."""
    package = into / "jupyter_deploy"
    here = SERVING_FOLDER.parent
    for name in (
        "__init__.py",
        "notebooks/__init__.py",
        "notebooks/rerun.py",
        "verbs/__init__.py",
        "domain/__init__.py",
        "domain/errors.py",
    ):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here / name, package / name)
    copy_serving(package)


@dataclass(frozen=True)
class Place:
    """Where cells run: the notebook's name, and how its kernel is started (see ``kernels.Launch``).

    ``excuses``: which cells may raise, since they only miss what a deploy returns.
    """

    name: str
    folder: Path
    kernel: str
    environment: Mapping[str, str]
    command: tuple[str, ...] | None = None
    excuses: Excuses | None = None


def _run(document: Any, last_cell: str, on_cell: Callable[[str], None], place: Place) -> list[Any]:
    """The cells of code as they have run, the last one too."""
    import nbformat  # half a second that only headless runs need

    from .execution import Execution, execute

    document.cells.append(nbformat.v4.new_code_cell(last_cell))
    last, count = len(document.cells) - 1, len(code_cells(document)) - 1

    def begins(number: int, index: int) -> None:
        on_cell("asking the model in its kernel" if index == last else f"cell {number} of {count}")

    def is_excused(number: int, index: int, source: str, kind: str, message: str) -> bool:
        if index == last or place.excuses is None or not place.excuses.excused(source, kind, message):
            return False
        on_cell(f"cell {number} is passed over, since deploys are left out: {message}")
        return True

    with scratch_folder("run") as scratch:
        executed = execute(
            Execution(
                document,
                Launch(place.kernel, place.environment, place.folder, scratch, place.command),
                on_cell=begins,
                is_excused=is_excused,
            )
        )
    failure = executed.failure
    if executed.status == "died":
        raise KernelDied(
            f"the kernel died while it ran {place.name}",
            "does it run out of memory, or end the process?",
            details=executed.detail,
        )
    if failure is not None:
        raise NotebookFailed(
            f"cell {failure.cell} of {place.name} raises {failure.ename}: {failure.evalue}",
            "the model needs that cell: deploy it from the open notebook, with %deploy"
            if is_left_out(failure.evalue)
            else "run the notebook from the top in a fresh kernel and mend that cell",
            details=failure.traceback[-2000:],
        )
    return code_cells(executed.document)


def _shown(cell: Any) -> dict[str, Any]:
    """What a cell displayed, by MIME type."""
    shown: dict[str, Any] = {}
    for item in cell.get("outputs", []):
        shown.update(item.get("data", {}))
    return shown


def _raised(cells: Sequence[Any]) -> list[str]:
    """In words, which cells raised what."""
    found = ((n, item) for n, cell in enumerate(cells, 1) for item in cell.get("outputs", []))
    said = [f"cell {n} raised {item.ename}: {item.evalue}" for n, item in found if item.output_type == "error"]
    return [masked(words)[0] for words in said]
