"""Whether the notebook, run from the top in a clean environment, still makes the model that was captured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jupyter_deploy.domain.capture.artifacts import Environment, Snapshot
from jupyter_deploy.domain.capture.reproduction import (
    Reproduction,
    cells_to_click,
    cells_to_deploy,
    changed_cells,
    without_values,
)
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import ReproduceRequest

from .capture import load_snapshot
from .difference import exact_tag
from .steps import Steps


def reproduce(request: ReproduceRequest, ports: Ports, report: Report) -> Reproduction:
    """Run the cells that made a snapshot again, up to the one that deployed it, and ask what they make its example.

    They run in the notebook's folder, since their data are there; what they write there is written. The
    environment has the lock's versions, and those of what else the notebook had loaded.

    Raises
    ------
    InvalidInput
        The snapshot was not captured in a notebook.
    EnvironmentNotBuilt, NotebookFailed, UnknownSource, Untrusted
        See ``domain.errors``.
    """
    snapshot = load_snapshot(exact_tag(request.tag, ports), trust=request.trust, ports=ports)
    manifest = snapshot.manifest
    variable = manifest.provenance.source.variable
    if not variable or not manifest.provenance.cells:
        raise InvalidInput(
            f"{snapshot.tag} was not captured from a notebook's variable: there are no cells to be run again",
            "deploy it from a notebook: %deploy VARIABLE, or nbdeploy deploy NOTEBOOK --model VARIABLE",
        )
    progress = Steps(report, total=2)
    ran, cells, folder, changed = _what_to_run(snapshot, ports)
    wanted = _environment(snapshot)
    progress(f"making a clean environment ({len(wanted.distributions)} distributions), unless it is there")
    environment = ports.environments.ensure(wanted, kernel=True)
    doing = f"running the {'notebook' if ran == 'notebook' else 'executed cells'} in it"
    progress(doing)
    found = ports.notebooks.ask_again(
        snapshot,
        cells,
        lambda words: progress(f"{doing}: {words}", False),
        folder=folder,
        interpreter=environment.interpreter,
    )
    differences = _differences(found, variable)
    return Reproduction(
        snapshot=snapshot.tag,
        outcome="differs" if differences else "reproduced",
        differences=differences,
        instances=len(manifest.instances),
        stochastic=bool(found["stochastic"]),
        raised=tuple(found["raised"]),
        ran=ran,
        notebook=manifest.provenance.source.notebook,
        changed=changed,
        python=environment.python,
        distributions=len(environment.distributions),
    )


def _what_to_run(
    snapshot: Snapshot, ports: Ports
) -> tuple[Literal["notebook", "executed cells"], tuple[str, ...], Path, tuple[str, ...]]:
    """Which cells, in which folder, and in words what is not as it was."""
    provenance = snapshot.manifest.provenance
    notebook = Path(provenance.source.notebook) if provenance.source.notebook else None
    if notebook is not None and notebook.is_file():
        # What is compared and shown is without secrets, as the snapshot has it; what runs has them.
        cells, executed = ports.notebooks.cells(notebook), ports.notebooks.masked(provenance.cells)
        upto = cells_to_deploy if provenance.in_cell else cells_to_click
        shown = upto(ports.notebooks.masked(cells), executed)
        return "notebook", cells[: len(shown)], notebook.parent, changed_cells(shown, executed)
    folder = notebook.parent if notebook is not None else Path.cwd()
    if not folder.is_dir():
        raise InvalidInput(
            f"the notebook's folder {folder} is gone, and with it what its cells read",
            "bring the folder back, with the notebook or without it",
        )
    return "executed cells", provenance.cells, folder, without_values(provenance.cells)


def _environment(snapshot: Snapshot) -> Environment:
    captured = snapshot.manifest.environment
    beside = snapshot.manifest.provenance.distributions
    return captured.model_copy(update={"distributions": beside | captured.distributions})


def _differences(found: Mapping[str, Any], variable: str) -> tuple[str, ...]:
    error = found["error"]
    if error is None:
        return tuple(found["differences"])
    if error["type"] == "NameError" and (error["missing"] or {}).get("name") == variable:
        return (f"the cells make no '{variable}'",)
    return (f"'{variable}' raises {error['type']}: {error['message']}",)
