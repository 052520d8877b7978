"""Capture: from a live object, by way of a clean process, to a snapshot in BentoML's model store."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
from jupyter_deploy.artifacts.unused import folders_of, remove_unused
from jupyter_deploy.domain.base import now, user_name
from jupyter_deploy.domain.capture.artifacts import Environment, Git, Manifest, Provenance, Snapshot, Tolerance
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.ports import Live, Staged
from jupyter_deploy.domain.capture.source_changes import Cell
from jupyter_deploy.domain.capture.translation import TRANSLATED, Translation
from jupyter_deploy.domain.deletion import UnusedSnapshot
from jupyter_deploy.domain.errors import InvalidExample, NotCapturable, NotTranslated
from jupyter_deploy.environments.environment import interpreter, loaded_in_notebook, lock
from jupyter_deploy.environments.installer import without_credentials
from jupyter_deploy.masking.masking import masked, masked_cells, masked_values, without_secrets
from jupyter_deploy.notebooks.syntax import cells_behind
from jupyter_deploy.serving import imports, workplace
from jupyter_deploy.system.digests import file_sha256, sha256
from jupyter_deploy.system.filesystem import require_writable, size_of
from jupyter_deploy.system.git import run_git
from jupyter_deploy.system.secret_store import SecretStore
from jupyter_deploy.system.temp import new_folder_name, sweep

from .by_value import prove_with_code
from .checks import Candidate, ProvedCandidate, check_candidate, check_proved
from .checks.features import explained
from .data_files import DataFiles, require_included, traced
from .disk_space import require_space
from .feature_lookups import lookup_findings, proved_lookups, without_keys
from .frameworks import described, framework_of
from .inspection import Inspected
from .license import license_of
from .likely_imports import likely_imports
from .live_connections import with_connection_form
from .metrics import metrics_of
from .nulls import inspect_live
from .project_code import ProjectCode
from .reference_sketch import write_reference
from .replay import dismiss_spare, ensure_spare, require_agreement, run_predict, run_replay, start_spare
from .training_table import TrainingTable, describe_training
from .widening import copy_files, require_answers_to_null, widened
from .writer import write

_REPEATED = (
    "a shadow would repeat it for every request; jupyter_deploy.serving_role() returns the model's role, so that "
    "the model can skip the effect"
)

_URL = re.compile(r"(?:https?|ssh|git)://|[\w.-]+@[\w.-]+:")  # no folder of this machine


class ModelCapturer:
    """The Capturer port.

    Parameters
    ----------
    home : Path
        BentoML's home, the user's own store; snapshots go to its ``models/``.
    replay_timeout : float
        The time limit of the clean process in seconds.
    secrets : SecretStore, optional
        Has the values of stored snapshots' secrets (default: that of the user's default home).
    """

    def __init__(
        self, home: Path, tolerance: Tolerance, replay_timeout: float, secrets: SecretStore | None = None
    ) -> None:
        self._models = home / "models"
        self._kept = SnapshotFolders(self._models)
        self._tolerance = tolerance
        self._timeout = replay_timeout
        self._secrets = secrets or SecretStore()
        self._replayed: tuple[str, list[str], tuple[str, ...]] | None = None

    def check(self) -> None:
        """Raise StoreError if the model store or the temporary folder is not writable."""
        require_writable(self._models)
        require_writable(Path(tempfile.gettempdir()))

    def sweep(self) -> None:
        """Remove the temporary folders of killed processes."""
        sweep()
        workplace.sweep()

    @contextmanager
    def prepared(self, live: Live) -> Iterator[None]:
        """Start the clean process of the replay, which imports the model's libraries meanwhile."""
        with suppress(OSError):  # such as too many processes: the replay starts its own and reports the error
            self.start_spare_for(live)
        try:
            yield
        finally:
            dismiss_spare()

    def start_spare_for(self, live: Live) -> None:
        """Start the clean process of the replay of a live object, unless one waits."""
        if live.engine == "native":  # the types of a translation are known after it
            ensure_spare(interpreter().interpreter, _imports_of(live))

    def stage(self, live: Live, name: str) -> Staged:
        """Write model and example into a temporary folder, with the notebook's own answers in the manifest."""
        require_included(live)
        framework = framework_of(live.model)
        live, keys = without_keys(replace(live, model=framework.deployed(live.model)))
        require_space(live.model, live.example, (Path(tempfile.gettempdir()), self._models))
        with traced() as trace:
            try:
                seen = inspect_live(live)
            except InvalidExample as error:
                raise explained(error, live) from error
        lookups = proved_lookups(live, keys, seen)
        features, hyperparameters = described(live.model)
        training, data = describe_training(live, features)
        served, translation, notes = _translated(live, seen, training, self._tolerance)
        if data is not None and data.expression is not None:
            data = data.model_copy(update={"expression": masked(data.expression)[0]})
        folder = new_folder_name("capture")
        try:
            folder.mkdir(mode=0o700)
            code = ProjectCode()
            example = {"example": seen.example, "prototype": seen.prototype}
            try:
                files, formats = write(served, example, folder, code)
            except NotCapturable as error:
                raise with_connection_form(error, live) from error
            packed = DataFiles(live, folder)
            packed.include()
            for path in trace.opened:
                if not packed.objection(path):
                    packed.add(path)
            files |= packed.digests
            files |= write_reference(live, seen, training, folder)
            if translation is not None:
                from .translation.conformance import write_conformance

                files |= write_conformance(live.model, served.model, seen.example, folder)
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
                translation=translation,
                notes=(*live.notes, *seen.notes, *notes),
                findings=without_secrets(
                    (
                        *check_candidate(Candidate(live, seen, framework, folder, training)),
                        *code.findings,
                        *lookup_findings(lookups),
                    ),
                    live.cells,
                ),
                lookups=lookups,
                packed=packed.packed,
                show_example=live.show_example,
                files=files,
            )
            write_manifest(manifest, folder)
            digest = content_fingerprint(folder, files)
            return Staged(folder, manifest, digest, changed=frozenset(trace.changed))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def replay(self, staged: Staged, live: Live, report: Callable[[str], None] = lambda _: None) -> Staged:
        """Replay the snapshot in a clean process; the modules loaded there determine the lock."""
        staged, result, context = prove_with_code(staged, live, self._timeout, report)
        require_agreement(result, context)
        self._replayed = staged.manifest.environment.interpreter, result["imported"], _imports_of(live)
        (staged.folder / imports.FILE).write_text(json.dumps(result["imported"]), "utf-8")
        notes = staged.manifest.notes
        if result["stochastic"]:
            notes += (
                "two calls of the model with the same input differ: its answers are compared by shape and distribution",
            )
        manifest = staged.manifest.model_copy(
            update={
                "environment": lock(result["modules"], without_bentoml=_served_without_bentoml(staged.manifest)),
                "stochastic": result["stochastic"],
                "batchable": result["batchable"],
                "notes": notes,
            }
        )
        proved = ProvedCandidate(live, manifest, staged.folder, tuple(result["modules"]))
        found = (*_side_effects(result["effects"]), *_row_dependence(result["dependence"]), *check_proved(proved))
        findings = without_secrets(found, live.cells)
        manifest = manifest.model_copy(update={"findings": (*manifest.findings, *findings)})
        write_manifest(manifest, staged.folder)
        return Staged(folder=staged.folder, manifest=manifest, fingerprint=staged.fingerprint)

    def start_spare(self) -> None:
        """Start a clean process for the next replay, with the imports of the last one."""
        if self._replayed is not None:
            start_spare(*self._replayed)

    def move(self, snapshot: Snapshot, environment: Environment, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Copy the snapshot for another interpreter, after a replay with that interpreter."""
        if environment == snapshot.manifest.environment:
            return snapshot
        folder = new_folder_name("move")
        try:
            folder.mkdir(mode=0o700)
            copy_files(snapshot, folder)
            manifest = snapshot.manifest.model_copy(update={"environment": environment})
            staged = Staged(folder=folder, manifest=manifest, fingerprint=snapshot.fingerprint)
            tag = tag_of(staged)
            if self._kept.holds(tag):
                return self._kept.keep(staged, remember)
            write_manifest(manifest, folder)
            result = run_replay(folder, environment.interpreter, self._timeout, self._secrets.values_of(manifest))
            require_agreement(result)
            return self._kept.keep(staged, remember)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def widen(self, snapshot: Snapshot, columns: Sequence[str], remember: Callable[[Snapshot], None]) -> Snapshot:
        """Copy the snapshot with a signature that allows null in columns, after the model has answered such rows."""
        folder = new_folder_name("widen")
        try:
            folder.mkdir(mode=0o700)
            copy_files(snapshot, folder)
            manifest = widened(snapshot.manifest, columns)
            staged = Staged(folder=folder, manifest=manifest, fingerprint=snapshot.fingerprint)
            write_manifest(manifest, folder)
            require_answers_to_null(staged, columns, self._timeout, self._secrets.values_of(manifest))
            return self._kept.keep(staged, remember)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, staged: Staged, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Move the staged snapshot into the model store; keep an equal one that is stored already."""
        return self._kept.keep(staged, remember)

    def cells_behind(self, snapshot: Snapshot) -> Sequence[Cell]:
        """Return the executed cells behind the model."""
        provenance = snapshot.manifest.provenance
        if provenance.language == "python":
            cells = cells_behind(provenance.cells, provenance.source.variable)
        else:
            cells = [Cell(number=number, source=source) for number, source in enumerate(provenance.cells, 1)]
        # Mask again: other rules for secrets may have captured a pulled snapshot.
        return [cell.model_copy(update={"source": masked(cell.source)[0]}) for cell in cells]

    def sources(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the texts of the project's own files in a snapshot, if they are unchanged."""
        return {path: masked(text)[0] for path, text in sources_of(snapshot).items()}

    def predict(self, snapshot: Snapshot, instances: Sequence[Any]) -> list[Any]:
        """Return answers to other instances from a clean process, which verifies the digest first."""
        return run_predict(snapshot, instances, self._timeout, self._secrets.values_of(snapshot.manifest))

    def size(self, unused: UnusedSnapshot) -> int:
        """Return the bytes of a snapshot with its bento."""
        return sum(size_of(folder) for folder in folders_of(unused))

    def remove(self, unused: UnusedSnapshot) -> None:
        """Remove a snapshot with its bento from BentoML's stores."""
        remove_unused(unused)

    def load(self, tag: str) -> Snapshot:
        """Load a stored snapshot and verify its files' digests; nothing is unpickled."""
        return self._kept.load(tag)

    def discard(self, staged: Staged) -> None:
        """Remove the temporary folder, if any."""
        shutil.rmtree(staged.folder, ignore_errors=True)


def _translated(
    live: Live, seen: Inspected, training: object, tolerance: Tolerance
) -> tuple[Live, Translation | None, tuple[str, ...]]:
    """Return the live object to store, its translation's proof, and remarks; ``engine`` auto may keep the original.

    Raises
    ------
    NotTranslated
        ``engine`` is ``onnx``, and no translation answers as the model does.
    """
    if live.engine == "native":
        return live, None, ()
    from .translation.engine import translate  # most captures need no converter

    source = training.source if isinstance(training, TrainingTable) else None
    try:
        model, proof = translate(
            live.model, seen, source, tolerance, redact=live.redact, accepted=live.accepted_difference
        )
    except NotTranslated as error:
        if live.engine == TRANSLATED:
            raise
        return live, None, (f"it is served natively: {error.message}",)
    return replace(live, model=model), proof, ()


def _served_without_bentoml(manifest: Manifest) -> bool:
    """Whether an image needs neither BentoML nor a library of the notebook's."""
    return manifest.translation is not None and not manifest.translation.needs_pandas


def _imports_of(live: Live) -> tuple[str, ...]:
    return likely_imports(live.model, live.example)


def _side_effects(effects: list[str]) -> tuple[Finding, ...]:
    return tuple(
        Finding(check="side-effects", severity="warning", message=effect, remedy=_REPEATED) for effect in effects
    )


def _row_dependence(words: str) -> tuple[Finding, ...]:
    if not words:
        return ()
    remedy = "let a row's answer depend on that row alone (in R: keep tables with drop = FALSE), or send rows together"
    return (Finding(check="row-dependence", severity="warning", message=words, remedy=remedy),)


def _provenance(live: Live) -> Provenance:
    notebook = Path(live.source.notebook) if live.source.notebook else None
    return Provenance(
        source=live.source,
        language=live.language,
        path=_relative(notebook, live.project) if notebook else None,
        license=license_of(live.project),
        notebook_sha256=file_sha256(notebook) if notebook and notebook.is_file() else None,
        cells=masked_cells(live.cells),
        git=_git(notebook.parent if notebook else live.project),
        distributions=loaded_in_notebook(live.cells) if live.python_cells else {},
        user=user_name(),
        captured_at=now(),
        example=live.expression and masked(live.expression)[0],
        nullable=live.nullable,
        secrets=dict(live.references),
        in_cell=live.in_cell,
    )


def _git(folder: Path) -> Git | None:
    commit, status = run_git(folder, "rev-parse", "HEAD"), run_git(folder, "status", "--porcelain")
    if not commit or status is None:
        return None
    remote = (run_git(folder, "config", "--get", "remote.origin.url") or b"").decode(errors="replace").strip()
    source = without_credentials(remote) if _URL.match(remote) else None
    return Git(commit=commit.decode().strip(), dirty=bool(status), source=source)


def _relative(notebook: Path, project: Path) -> str:
    """Return the notebook's path in its project, else its name."""
    resolved = notebook.resolve()
    return resolved.relative_to(project).as_posix() if resolved.is_relative_to(project) else notebook.name
