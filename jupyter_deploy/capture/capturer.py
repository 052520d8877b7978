"""From a live object to a snapshot in BentoML's model store, by way of a clean process."""

from __future__ import annotations

import getpass
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_deploy.artifacts.snapshots import (
    SnapshotFolders,
    content_fingerprint,
    sources_of,
    tag_of,
    write_manifest,
)
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Environment, Git, Manifest, Provenance, Snapshot, Tolerance
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.source_changes import Cell
from jupyter_deploy.domain.errors import InvalidExample
from jupyter_deploy.domain.ports import Live, Staged
from jupyter_deploy.environments.environment import interpreter, loaded_in_notebook, lock
from jupyter_deploy.masking.masking import masked, masked_cells, masked_values, without_secrets
from jupyter_deploy.notebooks.syntax import cells_behind
from jupyter_deploy.serving import imports, workplace
from jupyter_deploy.system.digests import file_sha256, sha256
from jupyter_deploy.system.filesystem import require_writable
from jupyter_deploy.system.git import ask_git
from jupyter_deploy.system.temp import new_folder_name, sweep

from .by_value import prove_with_code
from .checks import Proved, Subject, inspect_proved, inspect_subject
from .checks.features import explained
from .data_files import DataFiles, require_included, traced
from .disk_space import require_room
from .frameworks import described, framework_of
from .inspection import inspect_model
from .metrics import metrics_of
from .project_code import ProjectCode
from .replay import require_agreement, run_ask, run_replay, stand_by
from .training_table import look_at_training
from .writer import write

_REPEATED = (
    "a shadow would repeat that for every request; jupyter_deploy.serving_role() tells the model its role, so that it "
    "can leave it out"
)


class ModelCapturer:
    """The Capturer port.

    Parameters
    ----------
    home : Path
        BentoML's home; snapshots go to its ``models/`` (the user's own store: ``bentoml models list`` shows them).
    replay_timeout : float
        Seconds that the clean process may take.
    """

    def __init__(self, home: Path, tolerance: Tolerance, replay_timeout: float) -> None:
        self._models = home / "models"
        self._kept = SnapshotFolders(self._models)
        self._tolerance = tolerance
        self._timeout = replay_timeout
        self._replayed: tuple[str, list[str]] | None = None

    def check(self) -> None:
        """Raise StoreError if the model store or the temporary folder takes no file."""
        require_writable(self._models)
        require_writable(Path(tempfile.gettempdir()))

    def sweep(self) -> None:
        """Remove the temporary folders of processes that were killed."""
        sweep()
        workplace.sweep()

    def stage(self, live: Live, name: str) -> Staged:
        """Write model and example into a temporary folder, with the notebook's own answers in the manifest."""
        require_included(live)
        framework = framework_of(live.model)
        live = replace(live, model=framework.deployed(live.model))
        require_room(live.model, live.example, (Path(tempfile.gettempdir()), self._models))
        with traced() as trace:
            try:
                seen = inspect_model(live.model, live.example, live.method, live.signature)
            except InvalidExample as error:
                raise explained(error, live) from error
        features, hyperparameters = described(live.model)
        training, data = look_at_training(live, features)
        if data is not None and data.expression is not None:
            data = data.model_copy(update={"expression": masked(data.expression)[0]})
        folder = new_folder_name("capture")
        try:
            folder.mkdir(mode=0o700)
            code = ProjectCode()
            example = {"example": seen.example, "prototype": seen.prototype}
            files, formats = write(live, example, folder, code)
            packed = DataFiles(live, folder)
            packed.include()
            for path in trace.opened:
                if not packed.objection(path):
                    packed.add(path)
            files |= packed.digests
            manifest = Manifest(
                name=name,
                method=seen.method,
                kind=seen.kind,
                framework=seen.framework,
                signature=seen.signature,
                instances=seen.instances,
                predictions=seen.predictions,
                stochastic=False,
                tolerance=self._tolerance,
                environment=interpreter(),
                provenance=_provenance(live),
                data_fingerprint=sha256(json.dumps(seen.instances, sort_keys=True).encode()),
                features=features,
                hyperparameters=masked_values(hyperparameters),
                formats=formats,
                metrics=metrics_of(live.namespace),
                training=data,
                notes=seen.notes,
                findings=without_secrets(
                    (*inspect_subject(Subject(live, seen, framework, folder, training)), *code.findings), live.cells
                ),
                packed=packed.packed,
                files=files,
            )
            write_manifest(manifest, folder)
            found = content_fingerprint(folder, files)
            return Staged(folder, manifest, found, changed=frozenset(trace.changed))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def replay(self, staged: Staged, live: Live, told: Callable[[str], None] = lambda _: None) -> Staged:
        """Ask the snapshot again in a clean process; the modules that it loaded there decide the lock."""
        staged, found, asked = prove_with_code(staged, live, self._timeout, told)
        require_agreement(found, asked)
        self._replayed = staged.manifest.environment.interpreter, found["imported"]
        (staged.folder / imports.FILE).write_text(json.dumps(found["imported"]), "utf-8")
        notes = staged.manifest.notes
        if found["stochastic"]:
            notes += (
                "the model does not agree with itself when asked twice: it is compared by shape and distribution",
            )
        manifest = staged.manifest.model_copy(
            update={
                "environment": lock(found["modules"]),
                "stochastic": found["stochastic"],
                "batchable": found["batchable"],
                "notes": notes,
            }
        )
        proved = Proved(live, manifest, staged.folder, tuple(found["modules"]))
        more = without_secrets((*_side_effects(found["effects"]), *inspect_proved(proved)), live.cells)
        manifest = manifest.model_copy(update={"findings": (*manifest.findings, *more)})
        write_manifest(manifest, staged.folder)
        return Staged(folder=staged.folder, manifest=manifest, fingerprint=staged.fingerprint)

    def stand_by(self) -> None:
        """Have a clean process wait for the next replay, with what the last one imported."""
        if self._replayed is not None:
            stand_by(*self._replayed)

    def move(self, snapshot: Snapshot, environment: Environment, remember: Callable[[Snapshot], None]) -> Snapshot:
        """The same files with another interpreter: what is served there must have been proved there."""
        if environment == snapshot.manifest.environment:
            return snapshot
        folder = new_folder_name("move")
        try:
            folder.mkdir(mode=0o700)
            for name in snapshot.manifest.files:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(snapshot.path) / name, folder / name)
            manifest = snapshot.manifest.model_copy(update={"environment": environment})
            staged = Staged(folder=folder, manifest=manifest, fingerprint=snapshot.fingerprint)
            tag = tag_of(staged)
            if self._kept.holds(tag):
                return self._kept.keep(staged, remember)
            write_manifest(manifest, folder)
            found = run_replay(folder, environment.interpreter, self._timeout)
            require_agreement(found)
            return self._kept.keep(staged, remember)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, staged: Staged, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Move it into the model store. The same snapshot, if it is there already, is used as it is."""
        return self._kept.keep(staged, remember)

    def cells_behind(self, snapshot: Snapshot) -> Sequence[Cell]:
        """The executed cells that the model came from."""
        provenance = snapshot.manifest.provenance
        found = cells_behind(provenance.cells, provenance.source.variable)
        # Masked again: a snapshot from elsewhere may have been captured with other rules for secrets.
        return [cell.model_copy(update={"source": masked(cell.source)[0]}) for cell in found]

    def sources(self, snapshot: Snapshot) -> dict[str, str]:
        """The texts of the project's own files in it; what is not what was captured is left out."""
        return {path: masked(text)[0] for path, text in sources_of(snapshot).items()}

    def ask(self, snapshot: Snapshot, instances: Sequence[Any]) -> list[Any]:
        """Its answers to other instances, from a clean process that verifies its digest first."""
        return run_ask(snapshot, instances, self._timeout)

    def load(self, tag: str) -> Snapshot:
        """A stored snapshot; its files' digests are verified, nothing is unpickled."""
        return self._kept.load(tag)

    def discard(self, staged: Staged) -> None:
        """Remove what is left of the temporary folder."""
        shutil.rmtree(staged.folder, ignore_errors=True)


def _side_effects(effects: list[str]) -> tuple[Finding, ...]:
    return tuple(
        Finding(check="side-effects", severity="warning", message=effect, remedy=_REPEATED) for effect in effects
    )


def _provenance(live: Live) -> Provenance:
    notebook = Path(live.source.notebook) if live.source.notebook else None
    return Provenance(
        source=live.source,
        notebook_sha256=file_sha256(notebook) if notebook and notebook.is_file() else None,
        cells=masked_cells(live.cells),
        git=_git(notebook.parent if notebook else live.project),
        distributions=loaded_in_notebook(live.cells) if live.cells else {},
        user=getpass.getuser(),
        captured_at=now(),
        in_cell=live.in_cell,
    )


def _git(folder: Path) -> Git | None:
    commit, status = ask_git(folder, "rev-parse", "HEAD"), ask_git(folder, "status", "--porcelain")
    return Git(commit=commit.decode().strip(), dirty=bool(status)) if commit and status is not None else None
