"""From a live object to a snapshot in BentoML's model store, by way of a clean process."""

from __future__ import annotations

import getpass
import json
import pickle
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.artifacts import Environment, Git, Manifest, Provenance, Snapshot, Tolerance
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.findings import Finding
from jupyter_deploy.domain.ports import Live, Staged
from jupyter_deploy.serving.project_code import FOLDER

from .environment import interpreter, lock
from .filesystem import require_writable
from .frameworks import framework_of, frameworks
from .guards import Subject, inspect_subject
from .inspection import inspect_model
from .pickling import write_pickle
from .project_code import CHECKS_OF_CODE, ProjectCode, differing, modules_in
from .replaying import has_agreed, require_agreement, run_replay
from .scratch import new_folder_name, sweep
from .snapshots import SnapshotFolders, content_fingerprint, file_sha256, sha256, tag_of, write_manifest

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

    def stage(self, live: Live, name: str) -> Staged:
        """Write model and example into a temporary folder, with the notebook's own answers in the manifest."""
        seen = inspect_model(live.model, live.example, live.method)
        framework = framework_of(live.model)
        folder = new_folder_name("capture")
        try:
            folder.mkdir(mode=0o700)
            code = ProjectCode()
            files = _write(live, {"example": seen.example, "prototype": seen.prototype}, folder, code)
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
                features=framework.features(live.model),
                hyperparameters=framework.hyperparameters(live.model),
                notes=seen.notes,
                findings=(*inspect_subject(Subject(live, seen, framework)), *code.findings),
                files=files,
            )
            write_manifest(manifest, folder)
            return Staged(folder=folder, manifest=manifest, fingerprint=content_fingerprint(folder, files))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def replay(self, staged: Staged, live: Live) -> Staged:
        """Ask the snapshot again in a clean process; the modules that it loaded there decide the lock."""
        found = run_replay(staged.folder, staged.manifest.environment.interpreter, self._timeout)
        staged, found = self._as_loaded(staged, live, found)
        require_agreement(found)
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
        write_manifest(manifest, staged.folder)
        return Staged(folder=staged.folder, manifest=manifest, fingerprint=staged.fingerprint)

    def _as_loaded(self, staged: Staged, live: Live, found: dict[str, Any]) -> tuple[Staged, dict[str, Any]]:
        """Proved anew where modules of the project, imported there, are not what they are here: by value then."""
        packed = modules_in(staged.manifest.files)
        changed = differing(found["globals"])
        if not changed and not has_agreed(found):
            changed = dict.fromkeys(packed, "imported anew, it does not answer as it did")
        if not packed or not changed:
            return staged, found
        code = ProjectCode(changed)
        example = pickle.loads((staged.folder / "example.pkl").read_bytes())  # noqa: S301 - written by this process
        shutil.rmtree(staged.folder / FOLDER)
        files = {name: digest for name, digest in staged.manifest.files.items() if not name.startswith(f"{FOLDER}/")}
        files |= _write(live, example, staged.folder, code)
        findings = (*(f for f in staged.manifest.findings if f.check not in CHECKS_OF_CODE), *code.findings)
        manifest = staged.manifest.model_copy(update={"files": files, "findings": findings})
        write_manifest(manifest, staged.folder)
        staged = Staged(staged.folder, manifest, content_fingerprint(staged.folder, files))
        again = run_replay(staged.folder, manifest.environment.interpreter, self._timeout)
        return staged, again if has_agreed(found) or has_agreed(again) else found

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


def _write(live: Live, example: Mapping[str, Any], folder: Path, code: ProjectCode) -> dict[str, str]:
    """Model, example and the project's code that they need; path in the snapshot -> SHA-256."""
    files = _write_model(live, folder, code)
    files["example.pkl"] = write_pickle(dict(example), folder / "example.pkl", name="the example", code=code)
    return files | code.pack(folder)


def _write_model(live: Live, folder: Path, code: ProjectCode) -> dict[str, str]:
    """``model.pkl`` and the parts of it that have formats of their own; file name -> SHA-256."""
    writers = [writer for framework in frameworks() if (writer := framework.native_writer(folder)) is not None]
    name = live.source.variable or "the model"
    # As it is served; else calling net.eval() would make another snapshot.
    with framework_of(live.model).asking(live.model):
        files = {"model.pkl": write_pickle(live.model, folder / "model.pkl", name=name, code=code, writers=writers)}
        for writer in writers:
            files |= writer.finish()
    return files


def _provenance(live: Live) -> Provenance:
    notebook = Path(live.source.notebook) if live.source.notebook else None
    return Provenance(
        source=live.source,
        notebook_sha256=file_sha256(notebook) if notebook and notebook.is_file() else None,
        cells=tuple(live.cells),
        git=_git(notebook.parent if notebook else live.project),
        user=getpass.getuser(),
        captured_at=now(),
    )


def _git(folder: Path) -> Git | None:
    def ask(*arguments: str) -> str | None:
        try:
            ended = subprocess.run(
                ["git", "-C", str(folder), *arguments],
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
