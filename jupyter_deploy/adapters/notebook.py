"""Notebooks run headless by papermill, with one more cell at the end."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.artifacts import Snapshot
from jupyter_deploy.domain.errors import KernelDied, NotebookFailed, UnknownSource
from jupyter_deploy.rerun import ANSWERS_MIME, VARIABLE
from jupyter_deploy.serving.project_code import FOLDER

from .guards.masking import masked, masked_cells
from .leftout import Excuses, is_left_out
from .origins import local_distributions
from .replaying import SERVING_FOLDER, copy_serving
from .scratch import scratch_folder


class PapermillRunner:
    """The NotebookRunner port."""

    def cells(self, notebook: Path) -> tuple[str, ...]:
        """Source of its cells of code."""
        return tuple(cell.source for cell in _read(notebook).cells if cell.cell_type == "code")

    def masked(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The cells as a snapshot keeps them."""
        return masked_cells(cells)

    def run(
        self, notebook: Path, last_cell: str, on_cell: Callable[[str], None], expressions: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """Run all cells and then ``last_cell``, in the notebook's own folder; the notebook itself is not written."""
        document = copy.deepcopy(_read(notebook))
        kernel = _kernel_of(document, notebook)
        environment = {**os.environ, VARIABLE: "1"}
        folder = notebook.resolve().parent
        excuses = Excuses([cell.source for cell in document.cells if cell.cell_type == "code"], expressions)
        place = Place(notebook.name, folder, kernel, _manager(environment), excuses=excuses)
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
        asking = (
            f"from jupyter_deploy.rerun import ask\nask({source.variable!r}, {snapshot.path!r}, {snapshot.digest!r})"
        )
        import nbformat  # noqa: PLC0415 - as in _run

        tags = {"tags": ["raises-exception"]}  # the next cells run all the same
        document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell, metadata=tags) for cell in cells])
        with scratch_folder("code") as code:
            _copy_rerun(code)
            kept = {name: value for name, value in os.environ.items() if name not in _OTHERS}
            environment = {**kept, VARIABLE: "1", "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
            command = [interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            if own := list(map(str, _own_code(snapshot))):
                command.append(f"--IPKernelApp.exec_lines=__import__('sys').path.extend({own!r})")
            manager = _manager(environment, command)
            name = Path(source.notebook).name if source.notebook else "cells.ipynb"
            ran = _run(document, asking, on_cell, Place(name, folder, "python3", manager, forgiving=True))
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


def _copy_rerun(into: Path) -> None:
    """As much of this package as the standard library and a lock can run."""
    package = into / "jupyter_deploy"
    (package / "domain").mkdir(parents=True)
    here = SERVING_FOLDER.parent
    for name in ("__init__.py", "rerun.py", "domain/__init__.py", "domain/errors.py"):
        shutil.copy(here / name, package / name)
    copy_serving(package)


def _manager(environment: Mapping[str, str], command: list[str] | None = None) -> type[Any]:
    """A class of kernel managers that start kernels with these variables, and by this command."""
    from jupyter_client.kernelspec import KernelSpec  # noqa: PLC0415 - as in _run
    from jupyter_client.manager import AsyncKernelManager  # noqa: PLC0415

    class Manager(AsyncKernelManager):
        @property
        def kernel_spec(self) -> Any:
            if command is None:
                return super().kernel_spec
            return KernelSpec(argv=command, display_name="Python", language="python")

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # as in its own base
            await super().start_kernel(**options, env=dict(environment))

    return Manager


def _keeping_to(folder: Path, manager: type[Any]) -> type[Any]:
    """Kernel managers whose connection file, with the kernel's key, goes with a folder, if need be by a sweep."""

    class Keeping(manager):  # type: ignore[misc]  # a class made at run time
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.connection_file = str(folder / "connection.json")

    return Keeping


@dataclass(frozen=True)
class Place:
    """Where cells run: the notebook's name, the working directory, the kernel's name and the class that starts it.

    ``forgiving``: a cell that raises stops nothing; ``excuses``: one that only misses what a deploy returns.
    """

    name: str
    folder: Path
    kernel: str
    manager: type[Any]
    forgiving: bool = False
    excuses: Excuses | None = None


def _run(document: Any, last_cell: str, on_cell: Callable[[str], None], place: Place) -> list[Any]:
    """The cells of code as they have run, the last one too."""
    import nbformat  # noqa: PLC0415 - half a second that only headless runs need
    import papermill  # noqa: PLC0415
    from nbclient.exceptions import DeadKernelError  # noqa: PLC0415
    from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415

    document.cells.append(nbformat.v4.new_code_cell(last_cell))
    last = len(document.cells) - 1

    def begins(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - nbclient names its arguments
        on_cell("asking the model in its kernel" if cell_index == last else f"cell {cell_index + 1} of {last}")

    passed = set()

    def ended(cell: Any, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        reply = execute_reply["content"]
        if place.excuses is None or reply["status"] != "error" or cell_index == last:
            return
        if place.excuses.excused(cell.source, reply["ename"], reply["evalue"]):
            passed.add(cell_index)
            cell.metadata.setdefault("tags", []).append("raises-exception")
            on_cell(f"cell {cell_index + 1} is passed over, since deploys are left out: {reply['evalue']}")

    with scratch_folder("run") as scratch:
        try:
            done = papermill.execute_notebook(
                document,
                str(scratch / place.name),
                cwd=str(place.folder),
                kernel_name=place.kernel,
                kernel_manager_class=_keeping_to(scratch, place.manager),
                progress_bar=False,
                log_output=False,
                # A kernel's log speaks of sockets; what cells raise comes as messages and is shown by us.
                extra_arguments=["--log-level=CRITICAL"],
                on_cell_start=begins,
                on_cell_executed=ended,
            )
        except PapermillExecutionError as error:  # of the last cell that raised
            if error.cell_index not in passed and (not place.forgiving or error.cell_index == last):
                raise NotebookFailed(
                    f"cell {error.cell_index + 1} of {place.name} raises {error.ename}: {error.evalue}",
                    "the model needs that cell: deploy it from the open notebook, with %deploy"
                    if is_left_out(error.evalue)
                    else "run the notebook from the top in a fresh kernel and mend that cell",
                    details=_plain(error.traceback)[-2000:],
                ) from error
            done = nbformat.read(scratch / place.name, as_version=4)  # all cells ran, and papermill wrote it
        except DeadKernelError as error:
            raise KernelDied(
                f"the kernel died while it ran {place.name}", "does it run out of memory, or end the process?"
            ) from error
        except papermill.exceptions.PapermillException as error:
            raise NotebookFailed(f"cannot run {place.name}: {error}", "open it in Jupyter and run it") from error
    return [cell for cell in done.cells if cell.cell_type == "code"]


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


def _read(notebook: Path) -> Any:
    import nbformat  # noqa: PLC0415

    if not notebook.is_file():
        raise UnknownSource(f"there is no notebook {notebook}", "name an .ipynb file that exists")
    try:
        return nbformat.read(notebook, as_version=4)
    except Exception as error:  # nbformat raises whatever its JSON, schema and conversion steps do
        raise UnknownSource(f"{notebook} is not a notebook: {error}", "name a Jupyter notebook (.ipynb)") from error


def _kernel_of(document: Any, notebook: Path) -> str:
    """The kernel that the notebook names; a notebook that names none is Python's."""
    from jupyter_client.kernelspec import KernelSpecManager  # noqa: PLC0415

    name = str(document.metadata.get("kernelspec", {}).get("name") or "python3")
    known = sorted(KernelSpecManager().find_kernel_specs())
    if name not in known:
        raise UnknownSource(
            f"{notebook.name} wants the kernel '{name}', which is not installed here",
            f"choose another in JupyterLab and save the notebook; the kernels here are: {', '.join(known) or 'none'}",
        )
    return name


def _plain(lines: list[str]) -> str:
    import re  # noqa: PLC0415

    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))
