"""From a live object to a snapshot in BentoML's model store, by way of a clean process."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jupyter_deploy.domain.artifacts import Environment, Git, Manifest, Provenance, Snapshot, Tolerance
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import DeployError, StoreError, UnknownSource, Untrusted
from jupyter_deploy.domain.ports import Live, Staged

from .bento import locked_folder, quiet_bentoml
from .environment import interpreter, lock
from .filesystem import cannot_write, require_writable
from .inspection import evaluation_mode, inspect_model
from .pickling import fingerprint, write_pickle
from .replaying import require_agreement, run_replay
from .scratch import new_folder_name, sweep

MANIFEST = "snapshot.json"

_REPEATED = (
    "A shadow would repeat that for every request; jupyter_deploy.serving_role() tells the model its role, so that it "
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
        folder = new_folder_name("capture")
        try:
            folder.mkdir(mode=0o700)
            called = live.source.variable or "the model"
            with evaluation_mode(live.model):  # as it is served; else calling net.eval() would make another snapshot
                model_sha = write_pickle(live.model, folder / "model.pkl", name=called, project=live.project)
            example = {"example": seen.example, "prototype": seen.prototype}
            example_sha = write_pickle(example, folder / "example.pkl", name="the example", project=live.project)
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
                data_fingerprint=_sha256(json.dumps(seen.instances, sort_keys=True).encode()),
                notes=seen.notes,
                files={"model.pkl": model_sha, "example.pkl": example_sha},
            )
            _write_manifest(manifest, folder)
            return Staged(folder=folder, manifest=manifest, fingerprint=_fingerprint(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def replay(self, staged: Staged) -> Staged:
        """Ask the snapshot again in a clean process; the modules that it loaded there decide the lock."""
        found = run_replay(staged.folder, staged.manifest.environment.interpreter, self._timeout)
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
                "warnings": tuple(f"{effect}. {_REPEATED}" for effect in found["effects"]),
            }
        )
        _write_manifest(manifest, staged.folder)
        return Staged(folder=staged.folder, manifest=manifest, fingerprint=staged.fingerprint)

    def keep(self, staged: Staged, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Move it into the model store. The same snapshot, if it is there already, is used as it is."""
        tag = self._tag(staged)
        path = self._path(tag)
        try:
            with locked_folder(path.parent):
                if self._is_whole(tag):
                    snapshot = self._adopted(tag, staged)
                    remember(snapshot)
                    return snapshot
                # What an interrupted write left, or what somebody changed, is no snapshot.
                shutil.rmtree(path, ignore_errors=True)
                try:
                    self._write(tag, staged)
                    snapshot = self.load(tag)
                    remember(snapshot)
                except BaseException:  # Ctrl-C too: a folder that nobody remembers would only be in the way
                    self._remove(tag)
                    raise
        except OSError as error:
            raise cannot_write(self._models, error) from error
        return snapshot

    def move(self, snapshot: Snapshot, environment: Environment, remember: Callable[[Snapshot], None]) -> Snapshot:
        """The same files with another interpreter: what is served there must have been proved there."""
        if environment == snapshot.manifest.environment:
            return snapshot
        folder = new_folder_name("move")
        try:
            folder.mkdir(mode=0o700)
            for name in snapshot.manifest.files:
                shutil.copy(Path(snapshot.path) / name, folder / name)
            manifest = snapshot.manifest.model_copy(update={"environment": environment})
            staged = Staged(folder=folder, manifest=manifest, fingerprint=snapshot.fingerprint)
            tag = self._tag(staged)
            if self._is_whole(tag):
                return self.keep(staged, remember)
            _write_manifest(manifest, folder)
            found = run_replay(folder, environment.interpreter, self._timeout)
            require_agreement(found)
            return self.keep(staged, remember)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _tag(self, staged: Staged) -> str:
        return f"{staged.manifest.name}:{_identity(staged)[:12]}"

    def _write(self, tag: str, staged: Staged) -> None:
        manifest = staged.manifest
        labels = {"framework": manifest.framework, "nbdeploy.variable": manifest.provenance.source.variable or ""}
        metadata = {"digest": _digest(staged.folder), "kind": manifest.kind}
        with (
            self._bentoml_models() as (bentoml, store),
            bentoml.models.create(tag, labels=labels, metadata=metadata, _model_store=store) as stored,
        ):
            for file in sorted(staged.folder.iterdir()):
                file.chmod(0o600)  # executed cells may hold what is nobody else's business
                shutil.move(file, Path(stored.path) / file.name)

    def _remove(self, tag: str) -> None:
        """BentoML's way also mends which one is the latest; what it does not know of is only a folder."""
        with contextlib.suppress(Exception), self._bentoml_models() as (_, store):
            store.delete(tag)
        shutil.rmtree(self._path(tag), ignore_errors=True)

    @contextlib.contextmanager
    def _bentoml_models(self) -> Iterator[tuple[Any, Any]]:
        with quiet_bentoml() as bentoml:
            from bentoml._internal.models import ModelStore  # noqa: PLC0415 - the only way to name the location

            yield bentoml, ModelStore(self._models)

    def _is_whole(self, tag: str) -> bool:
        try:
            self.load(tag)
        except DeployError:
            return False
        return (self._path(tag) / "model.yaml").exists()

    def _adopted(self, tag: str, staged: Staged) -> Snapshot:
        """The stored snapshot, if all that is ever acted upon is what was captured now.

        Another store may have captured the same model; but what claims the same tag and names, say, another
        interpreter is a forgery.
        """
        present = self.load(tag)
        same = present.fingerprint == staged.fingerprint and _acted_upon(present.manifest) == _acted_upon(
            staged.manifest
        )
        if not same:
            raise Untrusted(
                f"{tag} is in the model store already, and is not what was captured now",
                f"if you do not know where it comes from, remove it: bentoml models delete {tag}",
            )
        return present

    def discard(self, staged: Staged) -> None:
        """Remove what is left of the temporary folder."""
        shutil.rmtree(staged.folder, ignore_errors=True)

    def load(self, tag: str) -> Snapshot:
        """A stored snapshot; its files' digests are verified, nothing is unpickled."""
        path = self._path(tag)
        if not (path / MANIFEST).exists():
            held = f"{path} is not one of nbdeploy's" if path.exists() else f"{self._models} does not hold it"
            raise UnknownSource(f"there is no snapshot {tag}: {held}", "'bentoml models list' shows what there is")
        content = (path / MANIFEST).read_bytes()
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError as error:
            raise StoreError(
                f"{path / MANIFEST} cannot be read by this version of nbdeploy",
                "deploy the model again, or use the nbdeploy that captured it",
                details=str(error.errors()[0]["msg"]),
            ) from error
        for name, expected in manifest.files.items():
            if not (path / name).exists() or _file_sha256(path / name) != expected:
                raise Untrusted(f"{path / name} is not what was captured", "deploy the model again from its notebook")
        return Snapshot(
            tag=tag,
            digest=f"sha256:{_sha256(content)}",
            fingerprint=_fingerprint(path),
            path=str(path),
            manifest=manifest,
        )

    def _path(self, tag: str) -> Path:
        name, _, version = tag.partition(":")
        return self._models / name / version


def _identity(staged: Staged) -> str:
    """What makes two captures the same snapshot: content, how it is called, with what, and its lock.

    The answers are no part of it: they follow from the rest, up to the last bits of sums done in parallel.
    """
    manifest = staged.manifest
    parts: list[Any] = [
        staged.fingerprint,
        manifest.method,
        manifest.signature.model_dump(),
        manifest.instances,
        manifest.tolerance.model_dump(),
        manifest.environment.python,
        manifest.environment.interpreter,
        manifest.environment.distributions,
    ]
    return _sha256(json.dumps(parts, sort_keys=True).encode())


def _acted_upon(manifest: Manifest) -> dict[str, Any]:
    """A manifest without what is only told, and without the answers' last bits."""
    return manifest.model_dump(exclude={"provenance", "files", "predictions", "notes", "warnings", "stochastic"})


def _provenance(live: Live) -> Provenance:
    notebook = Path(live.source.notebook) if live.source.notebook else None
    return Provenance(
        source=live.source,
        notebook_sha256=_file_sha256(notebook) if notebook and notebook.is_file() else None,
        cells=tuple(live.cells),
        git=_git(notebook.parent if notebook else live.project),
        user=getpass.getuser(),
        captured_at=now(),
    )


def _fingerprint(folder: Path) -> str:
    return fingerprint(folder / "model.pkl", folder / "example.pkl")


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


def _write_manifest(manifest: Manifest, folder: Path) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), "utf-8")


def _digest(folder: Path) -> str:
    return f"sha256:{_file_sha256(folder / MANIFEST)}"


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
