"""Headless runs of notebooks by Papermill with an additional last cell."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import InvalidInput, KernelDied, NotebookFailed
from jupyter_deploy.domain.progress import PROGRESS
from jupyter_deploy.environments.module_origins import local_distributions
from jupyter_deploy.masking.masking import masked, masked_cells
from jupyter_deploy.notebooks.rerun import ANSWERS_MIME, VARIABLE
from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.system.clean_process import SERVING_FOLDER, copy_serving
from jupyter_deploy.system.temp import scratch_folder

from .kernels.launch import Launch
from .reader import code_cells, kernel_of, read_notebook
from .skipped_deploys import ErrorsOfSkippedDeploys, is_skipped


class PapermillRunner:
    """The NotebookRunner port."""

    def cells(self, notebook: Path) -> tuple[str, ...]:
        """Return the sources of the code cells."""
        return tuple(cell.source for cell in code_cells(read_notebook(str(notebook))))

    def masked(self, cells: Sequence[str]) -> tuple[str, ...]:
        """Return the cells as a snapshot stores them."""
        return masked_cells(cells)

    def run(
        self,
        notebook: Path,
        last_cell: str,
        on_progress: Callable[[str], None],
        expressions: Sequence[str] = (),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> Mapping[str, Any]:
        """Run all cells and then ``last_cell`` in the notebook's folder; the notebook's file is not written."""
        document = read_notebook(str(notebook))
        kernel, _ = kernel_of(document, notebook.name)
        excuses = ErrorsOfSkippedDeploys([cell.source for cell in code_cells(document)], expressions)
        environment = {**os.environ, **variables, VARIABLE: "1", PROGRESS: "1"}
        folder = notebook.resolve().parent
        run_environment = RunEnvironment(notebook.name, folder, kernel, environment, excuses=excuses)
        return _displayed(_run(document, last_cell, on_progress, run_environment)[-1])

    def execute(
        self, notebook: Path, text: str, last_cell: str, on_progress: Callable[[str], None]
    ) -> Mapping[str, Any]:
        """Write a notebook, run it for real, and save it with the outputs of its own cells."""
        import nbformat

        document = nbformat.reads(text, as_version=4)
        kernel, _ = kernel_of(document, notebook.name)
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        environment |= {"NBDEPLOY_NOTEBOOK": str(notebook.resolve()), PROGRESS: "1"}
        try:
            notebook.write_text(text, "utf-8")
            run_environment = RunEnvironment(notebook.name, notebook.resolve().parent, kernel, environment)
            executed = _executed(document, last_cell, on_progress, run_environment)
            last = executed.cells.pop()
            notebook.write_text(nbformat.writes(executed) + "\n", "utf-8")
        except OSError as error:
            raise InvalidInput(
                f"{notebook} cannot be written: {error.strerror}", "name another one: --notebook"
            ) from error
        return _displayed(last)

    def predict_again(
        self,
        snapshot: Snapshot,
        cells: Sequence[str],
        on_progress: Callable[[str], None],
        *,
        folder: Path,
        interpreter: str,
    ) -> Mapping[str, Any]:
        """Run cells in a kernel of another environment, with the modules that ``rerun`` needs."""
        source = snapshot.manifest.provenance.source
        arguments = f"{source.variable!r}, {snapshot.path!r}, {snapshot.digest!r}"
        last_cell = f"from jupyter_deploy.notebooks.rerun import display_answers\ndisplay_answers({arguments})"
        import nbformat

        tags = {"tags": ["raises-exception"]}  # the next cells run in any case
        document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell, metadata=tags) for cell in cells])
        with scratch_folder("code") as code:
            _copy_rerun(code)
            kept = {name: value for name, value in os.environ.items() if name not in _OTHERS}
            environment = {**kept, VARIABLE: "1", "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
            command: tuple[str, ...] = (interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}")
            if own := list(map(str, _own_code(snapshot))):
                command = (*command, f"--IPKernelApp.exec_lines=__import__('sys').path.extend({own!r})")
            name = Path(source.notebook).name if source.notebook else "cells.ipynb"
            ran = _run(document, last_cell, on_progress, RunEnvironment(name, folder, "python3", environment, command))
        shown = _displayed(ran[-1])
        if ANSWERS_MIME not in shown:
            raise NotebookFailed(
                f"{name} ran, but its kernel gave no answers", "check its cells for changes of 'sys.modules'"
            )
        return {**shown[ANSWERS_MIME], "raised": _raised(ran[:-1])}


# They would lead the clean environment's interpreter to another environment's modules.
_OTHERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")


def _own_code(snapshot: Snapshot) -> list[Path]:
    """Return the folders of project code without an index: editable installs here, else the snapshot's copy.

    The notebook's own folder comes before both.
    """
    editable = [one for one in local_distributions() if one.editable and one.name != "nbdeploy"]
    sources = [one.source for one in editable if one.source.is_dir()]
    folders = [source / "src" if (source / "src").is_dir() else source for source in sources]
    packed = Path(snapshot.path) / FOLDER
    return [*folders, *([packed] if packed.is_dir() else [])]


_RERUN = ("notebooks/__init__.py", "notebooks/rerun.py")


def _copy_rerun(into: Path) -> None:
    """Copy the part of this package that needs only the standard library and a lock."""
    package = into / "jupyter_deploy"
    here = SERVING_FOLDER.parent
    for name in (
        "__init__.py",
        "notebooks/__init__.py",
        "notebooks/rerun.py",
        "verbs/__init__.py",
        "verbs/operation.py",
        "domain/__init__.py",
        "domain/errors.py",
    ):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here / name, package / name)
    copy_serving(package)


@dataclass(frozen=True)
class RunEnvironment:
    """The environment of a run: the notebook's name, and the launch of its kernel (see ``kernels.Launch``).

    ``excuses`` decides which cells may raise, since they only miss a deploy's result.
    """

    name: str
    folder: Path
    kernel: str
    environment: Mapping[str, str]
    command: tuple[str, ...] | None = None
    excuses: ErrorsOfSkippedDeploys | None = None


def _run(
    document: Any, last_cell: str, on_progress: Callable[[str], None], run_environment: RunEnvironment
) -> list[Any]:
    """Return the executed code cells with the last one."""
    return code_cells(_executed(document, last_cell, on_progress, run_environment))


def _executed(
    document: Any, last_cell: str, on_progress: Callable[[str], None], run_environment: RunEnvironment
) -> Any:
    """Return the executed notebook, with the last cell at its end."""
    import nbformat

    from .execution import Execution, execute

    document.cells.append(nbformat.v4.new_code_cell(last_cell))
    last, count = len(document.cells) - 1, len(code_cells(document)) - 1

    def begins(number: int, index: int) -> None:
        on_progress("calling the model in its kernel" if index == last else f"cell {number} of {count}")

    def steps(number: int, title: str) -> None:
        words, _ = masked(title)
        on_progress(words if number > count else f"cell {number} of {count}: {words}")

    def is_excused(number: int, index: int, source: str, kind: str, message: str) -> bool:
        if (
            index == last
            or run_environment.excuses is None
            or not run_environment.excuses.may_raise(source, kind, message)
        ):
            return False
        on_progress(f"cell {number} is skipped, since deploys are skipped: {message}")
        return True

    with scratch_folder("run") as scratch:
        executed = execute(
            Execution(
                document,
                Launch(
                    run_environment.kernel,
                    run_environment.environment,
                    run_environment.folder,
                    scratch,
                    run_environment.command,
                ),
                on_cell=begins,
                on_step=steps,
                is_excused=is_excused,
            )
        )
    failure = executed.failure
    if executed.status == "died":
        raise KernelDied(
            f"the kernel died while it ran {run_environment.name}",
            "check whether it runs out of memory or ends the process",
            details=executed.detail,
        )
    if failure is not None:
        raise NotebookFailed(
            f"cell {failure.cell} of {run_environment.name} raises {failure.ename}: {failure.evalue}",
            "the model needs that cell: deploy it with %deploy in the open notebook"
            if is_skipped(failure.evalue)
            else "run the notebook from the top in a fresh kernel and fix that cell",
            details=failure.traceback[-2000:],
        )
    return executed.document


def _displayed(cell: Any) -> dict[str, Any]:
    """Return a cell's displayed output by MIME type."""
    shown: dict[str, Any] = {}
    for item in cell.get("outputs", []):
        shown.update(item.get("data", {}))
    return shown


def _raised(cells: Sequence[Any]) -> list[str]:
    """Describe the exceptions of cells."""
    outputs = ((n, item) for n, cell in enumerate(cells, 1) for item in cell.get("outputs", []))
    errors = [f"cell {n} raised {item.ename}: {item.evalue}" for n, item in outputs if item.output_type == "error"]
    return [masked(words)[0] for words in errors]
