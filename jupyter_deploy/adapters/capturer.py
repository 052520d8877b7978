"""From a live object to a snapshot in BentoML's model store, by way of a clean process."""

from __future__ import annotations

import getpass
import json
import pickle
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.artifacts import Environment, Git, Manifest, Provenance, Snapshot, Tolerance
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidExample
from jupyter_deploy.domain.findings import Finding
from jupyter_deploy.domain.ports import Live, Staged
from jupyter_deploy.domain.source_changes import Cell
from jupyter_deploy.serving import workplace
from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.serving.workplace import location_of

from .cells import cells_behind
from .datafiles import DataFiles, require_included, traced
from .digesting import file_sha256, sha256
from .environment import interpreter, loaded_in_notebook, lock
from .filesystem import require_writable
from .fitting import look_at_training
from .frameworks import described, framework_of, frameworks
from .guards import Proved, Subject, inspect_proved, inspect_subject
from .guards.detection import masked_values
from .guards.features import explained
from .guards.secrets import masked_cells, secrets_in_model
from .inspection import inspect_model
from .metrics import metrics_of
from .pickling import write_pickle
from .project_code import CHECKS_OF_CODE, ProjectCode, differing, modules_in
from .proving import prove
from .replaying import Asked, has_agreed, require_agreement, run_ask, run_replay
from .room import require_room
from .scratch import new_folder_name, sweep
from .snapshots import (
    SnapshotFolders,
    content_fingerprint,
    sources_of,
    tag_of,
    write_manifest,
)

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
        folder = new_folder_name("capture")
        try:
            folder.mkdir(mode=0o700)
            code = ProjectCode()
            example = {"example": seen.example, "prototype": seen.prototype}
            files, formats = _write(live, example, folder, code)
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
                findings=(*inspect_subject(Subject(live, seen, framework, folder, training)), *code.findings),
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
        staged, found, asked = self._proved(staged, live, told)
        require_agreement(found, asked)
        notes = staged.manifest.notes
        if found["stochastic"]:
            notes += (
                "the model does not agree with itself when asked twice: it is compared by shape and distribution",
            )
        manifest = staged.manifest.model_copy(
            update={
                "environment": lock(found["modules"]),
                "stochastic": found["stochastic"],
                "notes": notes,
                "findings": (*staged.manifest.findings, *_side_effects(found["effects"])),
            }
        )
        proved = Proved(live, manifest, staged.folder, tuple(found["modules"]))
        manifest = manifest.model_copy(update={"findings": (*manifest.findings, *inspect_proved(proved))})
        write_manifest(manifest, staged.folder)
        return Staged(folder=staged.folder, manifest=manifest, fingerprint=staged.fingerprint)

    def _proved(self, staged: Staged, live: Live, told: Callable[[str], None]) -> tuple[Staged, dict[str, Any], Asked]:
        """Proved, and proved anew by value where modules of the project, imported there, are not what they are here."""
        proved, found, asked = prove(staged, live, self._timeout, told)
        packed = modules_in(proved.manifest.files)
        changed = differing(found["globals"])
        if not changed and not has_agreed(found):
            changed = dict.fromkeys(packed, "imported anew, it does not answer as it did")
        if not packed or not changed:
            return proved, found, asked
        told("once more, with the project's modules as they are in the notebook")
        code = ProjectCode(changed)
        example = pickle.loads((staged.folder / "example.pkl").read_bytes())  # noqa: S301 - written by this process
        shutil.rmtree(staged.folder / FOLDER)
        data = {name: digest for name, digest in proved.manifest.files.items() if location_of(name) is not None}
        written, formats = _write(live, example, staged.folder, code)
        files = data | written
        kept = [f for f in staged.manifest.findings if f.check not in CHECKS_OF_CODE]
        # By value there may be more in the model than in the files of its code.
        secrets = [f for f in secrets_in_model(live, staged.folder) if f not in kept]
        findings = (*kept, *secrets, *code.findings)
        update = {"files": files, "formats": formats, "findings": findings, "packed": proved.manifest.packed}
        manifest = staged.manifest.model_copy(update=update)
        write_manifest(manifest, staged.folder)
        by_value = replace(staged, manifest=manifest, fingerprint=content_fingerprint(staged.folder, files))
        again = prove(by_value, live, self._timeout, told)
        # What fails either way is told of the module's own file, in which the reader can look.
        return again if has_agreed(found) or has_agreed(again[1]) else (again[0], found, asked)

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
        return cells_behind(provenance.cells, provenance.source.variable)

    def sources(self, snapshot: Snapshot) -> dict[str, str]:
        """The texts of the project's own files in it; what is not what was captured is left out."""
        return sources_of(snapshot)

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


def _write(
    live: Live, example: Mapping[str, Any], folder: Path, code: ProjectCode
) -> tuple[dict[str, str], dict[str, str]]:
    """Model, example and the project's code that they need: path in the snapshot -> SHA-256, and -> format."""
    files, formats = _write_model(live, folder, code)
    files["example.pkl"] = write_pickle(dict(example), folder / "example.pkl", name="the example", code=code)
    return files | code.pack(folder), formats


def _write_model(live: Live, folder: Path, code: ProjectCode) -> tuple[dict[str, str], dict[str, str]]:
    """``model.pkl`` and the parts of it that have formats of their own: file name -> SHA-256, and -> format."""
    writers = [writer for framework in frameworks() if (writer := framework.native_writer(folder)) is not None]
    name = live.source.variable or "the model"
    # As it is served; else calling net.eval() would make another snapshot.
    with framework_of(live.model).asking(live.model):
        files = {"model.pkl": write_pickle(live.model, folder / "model.pkl", name=name, code=code, writers=writers)}
        formats = {"model.pkl": "cloudpickle"}
        for writer in writers:
            written = writer.finish()
            files |= written
            formats |= dict.fromkeys(written, writer.format)
    return files, formats


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
    )


def _git(folder: Path) -> Git | None:
    def ask(*arguments: str) -> str | None:
        try:
            ended = subprocess.run(
                ["git", "--no-optional-locks", "-C", str(folder), *arguments],
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return ended.stdout.strip() if ended.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    status = ask("status", "--porcelain")
    return Git(commit=commit, dirty=bool(status)) if commit and status is not None else None
