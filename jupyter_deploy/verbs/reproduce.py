"""The verb ``reproduce``: the notebook's cells run again in a clean environment and make the captured model, or not."""

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
from jupyter_deploy.domain.capture.requests import ReproduceRequest
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports, Report

from .capture import load_snapshot
from .difference import exact_tag
from .steps import Steps


def reproduce(request: ReproduceRequest, ports: Ports, report: Report) -> Reproduction:
    """Run the cells of a snapshot again, up to the one that deployed it, and compare the answers to its example.

    The cells run in the notebook's folder, since their data are there, and write their files there. The environment
    has the lock's versions, and those of the other distributions that the notebook had loaded.

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
            f"{snapshot.tag} was not captured from a notebook's variable: there are no cells to run again",
            "deploy it from a notebook: %deploy VARIABLE, or nbdeploy deploy NOTEBOOK --model VARIABLE",
        )
    if manifest.provenance.language != "python":
        raise InvalidInput(
            f"{snapshot.tag} was captured from a kernel of {manifest.provenance.language}, "
            "and only cells of Python can be run again",
            "run the notebook again and deploy its model: equal models get the same tag",
        )
    progress = Steps(report, total=2)
    ran, cells, folder, changed = _cells_to_run(snapshot, ports)
    locked = _environment(snapshot)
    progress(f"making a clean environment ({len(locked.distributions)} distributions), unless it is there")
    environment = ports.environments.ensure(locked, kernel=True)
    title = f"running the {'notebook' if ran == 'notebook' else 'executed cells'} in it"
    progress(title)
    outcome = ports.notebooks.predict_again(
        snapshot,
        cells,
        lambda words: progress(f"{title}: {words}", False),
        folder=folder,
        interpreter=environment.interpreter,
    )
    differences = _differences(outcome, variable)
    return Reproduction(
        snapshot=snapshot.tag,
        outcome="differs" if differences else "reproduced",
        differences=differences,
        instances=len(manifest.instances),
        stochastic=bool(outcome["stochastic"]),
        raised=tuple(outcome["raised"]),
        ran=ran,
        notebook=manifest.provenance.source.notebook,
        changed=changed,
        python=environment.python,
        distributions=len(environment.distributions),
    )


def _cells_to_run(
    snapshot: Snapshot, ports: Ports
) -> tuple[Literal["notebook", "executed cells"], tuple[str, ...], Path, tuple[str, ...]]:
    """Return the origin of the cells, the cells, their folder, and the changes since the capture in words."""
    provenance = snapshot.manifest.provenance
    notebook = Path(provenance.source.notebook) if provenance.source.notebook else None
    if notebook is not None and notebook.is_file():
        # The compared and displayed cells have no secrets, as in the snapshot; the cells that run have them.
        cells, executed = ports.notebooks.cells(notebook), ports.notebooks.masked(provenance.cells)
        upto = cells_to_deploy if provenance.in_cell else cells_to_click
        shown = upto(ports.notebooks.masked(cells), executed)
        return "notebook", cells[: len(shown)], notebook.parent, changed_cells(shown, executed)
    folder = notebook.parent if notebook is not None else Path.cwd()
    if not folder.is_dir():
        raise InvalidInput(
            f"the notebook's folder {folder} is gone, and with it the files that its cells read",
            "restore the folder, with or without the notebook",
        )
    return "executed cells", provenance.cells, folder, without_values(provenance.cells)


def _environment(snapshot: Snapshot) -> Environment:
    captured = snapshot.manifest.environment
    loaded = snapshot.manifest.provenance.distributions
    return captured.model_copy(update={"distributions": loaded | captured.distributions})


def _differences(outcome: Mapping[str, Any], variable: str) -> tuple[str, ...]:
    error = outcome["error"]
    if error is None:
        return tuple(outcome["differences"])
    if error["type"] == "NameError" and (error["missing"] or {}).get("name") == variable:
        return (f"the cells make no '{variable}'",)
    return (f"'{variable}' raises {error['type']}: {error['message']}",)
