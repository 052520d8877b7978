"""Notebooks run headless by papermill, with one more cell at the end."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import KernelDied, NotebookFailed, UnknownSource

from .scratch import scratch_folder


class PapermillRunner:
    """The NotebookRunner port."""

    def run(self, notebook: Path, last_cell: str, on_cell: Callable[[str], None]) -> Mapping[str, Any]:
        """Run all cells and then ``last_cell``, in the notebook's own folder; the notebook itself is not written."""
        import nbformat  # noqa: PLC0415 - half a second that only headless runs need
        import papermill  # noqa: PLC0415
        from nbclient.exceptions import DeadKernelError  # noqa: PLC0415
        from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415

        document = copy.deepcopy(_read(notebook))
        kernel = _kernel_of(document, notebook)
        cell = nbformat.v4.new_code_cell(last_cell)
        document.cells.append(cell)
        last = len(document.cells) - 1

        def begins(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - nbclient names its arguments
            on_cell("capturing in its kernel" if cell_index == last else f"cell {cell_index + 1} of {last}")

        with scratch_folder("run") as scratch:
            output = scratch / notebook.name
            try:
                done = papermill.execute_notebook(
                    document,
                    str(output),
                    cwd=str(notebook.resolve().parent),
                    kernel_name=kernel,
                    progress_bar=False,
                    log_output=False,
                    # A kernel's log speaks of sockets; what cells raise comes as messages and is shown by us.
                    extra_arguments=["--log-level=CRITICAL"],
                    on_cell_start=begins,
                )
            except PapermillExecutionError as error:
                raise NotebookFailed(
                    f"cell {error.cell_index + 1} of {notebook.name} raises {error.ename}: {error.evalue}",
                    "run the notebook from the top in a fresh kernel and mend that cell",
                    details=_plain(error.traceback)[-2000:],
                ) from error
            except DeadKernelError as error:
                raise KernelDied(
                    f"the kernel died while it ran {notebook.name}", "does it run out of memory, or end the process?"
                ) from error
            except papermill.exceptions.PapermillException as error:
                raise NotebookFailed(f"cannot run {notebook.name}: {error}", "open it in Jupyter and run it") from error
        shown: dict[str, Any] = {}
        for item in done.cells[-1].get("outputs", []):
            shown.update(item.get("data", {}))
        return shown


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
