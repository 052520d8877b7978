"""Snapshots on disk: a folder of files with their digests, kept in BentoML's model store under an exact tag."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jupyter_deploy.domain.capture.artifacts import CODE, Manifest, Snapshot
from jupyter_deploy.domain.errors import DeployError, StoreError, UnknownSource, Untrusted
from jupyter_deploy.domain.ports import Staged
from jupyter_deploy.serving.agreement import differences, tolerance_of
from jupyter_deploy.system.digests import file_sha256, sha256
from jupyter_deploy.system.filesystem import cannot_write

from .bento import locked_folder, quiet_bentoml
from .fingerprints import fingerprint

MANIFEST = "snapshot.json"
PICKLES = ("model.pkl", "example.pkl")


class SnapshotFolders:
    """The snapshots in a model store.

    Parameters
    ----------
    models : Path
        BentoML's folder of models.
    """

    def __init__(self, models: Path) -> None:
        self._models = models

    def keep(self, staged: Staged, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Move it into the model store. The same snapshot, if it is there already, is used as it is."""
        tag = tag_of(staged)
        try:
            with locked_folder(self._path(tag).parent):
                tag = self._told_apart(tag, staged)
                path = self._path(tag)
                if self.holds(tag):
                    snapshot = self._adopted(tag, staged)
                    remember(snapshot)
                    return snapshot
                # What an interrupted write left, or what somebody changed, is no snapshot.
                shutil.rmtree(path, ignore_errors=True)
                try:
                    snapshot = self._write(tag, staged)
                    remember(snapshot)
                except BaseException:  # Ctrl-C too: a folder that nobody remembers would only be in the way
                    self._remove(tag)
                    raise
        except OSError as error:
            raise cannot_write(self._models, error) from error
        return snapshot

    def holds(self, tag: str) -> bool:
        """Whether it is there, whole."""
        try:
            self.load(tag)
        except DeployError:
            return False
        return (self._path(tag) / "model.yaml").exists()

    def load(self, tag: str) -> Snapshot:
        """A stored snapshot; its files' digests are verified, nothing is unpickled."""
        path = self._path(tag)
        content, manifest = self._manifest(tag)
        for name, expected in manifest.files.items():
            if not (path / name).exists() or file_sha256(path / name) != expected:
                raise Untrusted(f"{path / name} is not what was captured", "deploy the model again from its notebook")
        return _snapshot(tag, path, content, manifest, content_fingerprint(path, manifest.files))

    def _manifest(self, tag: str) -> tuple[bytes, Manifest]:
        path = self._path(tag)
        if not (path / MANIFEST).exists():
            held = f"{path} is not one of nbdeploy's" if path.exists() else f"{self._models} does not hold it"
            raise UnknownSource(f"there is no snapshot {tag}: {held}", "'bentoml models list' shows what there is")
        content = (path / MANIFEST).read_bytes()
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError as error:
            newer = all(e["type"] == "extra_forbidden" or e["loc"] == ("format",) for e in error.errors())
            raise StoreError(
                f"{path / MANIFEST} was written by a newer nbdeploy than this one"
                if newer
                else f"{path / MANIFEST} cannot be read by this version of nbdeploy",
                "upgrade nbdeploy, or deploy the model again from its notebook"
                if newer
                else "deploy the model again, or use the nbdeploy that captured it",
                details=str(error.errors()[0]["msg"]),
            ) from error
        return content, manifest

    def _path(self, tag: str) -> Path:
        name, _, version = tag.partition(":")
        return self._models / name / version

    def _write(self, tag: str, staged: Staged) -> Snapshot:
        """Its files were hashed when they were written and when they were replayed: they are not read again."""
        manifest = staged.manifest
        labels = {"framework": manifest.framework, "nbdeploy.variable": manifest.provenance.source.variable or ""}
        metadata = {"digest": _digest(staged.folder), "kind": manifest.kind}
        for path in staged.folder.rglob("*"):  # executed cells may hold what is nobody else's business
            path.chmod(0o700 if path.is_dir() else 0o600)
        with (
            self._bentoml_models() as (bentoml, store),
            bentoml.models.create(tag, labels=labels, metadata=metadata, _model_store=store),
        ):
            pass  # BentoML would copy what is in there: into its own folder of a closed model files can be moved
        # The manifest comes last: until it is there, this is no snapshot.
        for path in sorted(staged.folder.iterdir(), key=lambda path: path.name == MANIFEST):
            shutil.move(path, self._path(tag) / path.name)
        return _snapshot(tag, self._path(tag), *self._manifest(tag), staged.fingerprint)

    def _remove(self, tag: str) -> None:
        """BentoML's way also mends which one is the latest; what it does not know of is only a folder."""
        with contextlib.suppress(Exception), self._bentoml_models() as (_, store):
            store.delete(tag)
        shutil.rmtree(self._path(tag), ignore_errors=True)

    @contextlib.contextmanager
    def _bentoml_models(self) -> Iterator[tuple[Any, Any]]:
        with quiet_bentoml() as bentoml:
            from bentoml._internal.models import ModelStore  # the only way to name the location

            yield bentoml, ModelStore(self._models)

    def _told_apart(self, tag: str, staged: Staged) -> str:
        """Another tag than that of what is stored under it, where that answers the example otherwise."""
        if not self.holds(tag) or not _unlike(self._manifest(tag)[1], staged.manifest):
            return tag
        return f"{staged.manifest.name}:{_identity(staged, staged.manifest.predictions)[:12]}"

    def _adopted(self, tag: str, staged: Staged) -> Snapshot:
        """The stored snapshot, if all that is ever acted upon is what was captured now, with what is told of it now.

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
        # The file is what its digest says; what is only told may change although the model does not.
        now = staged.manifest
        told = {
            "findings": now.findings,
            "training": now.training or present.manifest.training,
            "metrics": now.metrics or present.manifest.metrics,
        }
        manifest = present.manifest.model_copy(update=told)
        return present.model_copy(update={"manifest": manifest})


def _snapshot(tag: str, path: Path, content: bytes, manifest: Manifest, fingerprint: str) -> Snapshot:
    return Snapshot(
        tag=tag, digest=f"sha256:{sha256(content)}", fingerprint=fingerprint, path=str(path), manifest=manifest
    )


def tag_of(staged: Staged) -> str:
    """``name:version``, the version being a hash of what makes two captures the same."""
    return f"{staged.manifest.name}:{_identity(staged)[:12]}"


def content_fingerprint(folder: Path, files: Mapping[str, str]) -> str:
    """SHA-256 of what the files say; of pickles that is less than their bytes (``pickling.fingerprint``)."""
    found = fingerprint(*(folder / name for name in PICKLES))
    others = {name: digest for name, digest in files.items() if name not in PICKLES}
    return sha256(json.dumps([found, others], sort_keys=True).encode()) if others else found


def _identity(staged: Staged, *more: Any) -> str:
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
        *([manifest.packed.model_dump()] if manifest.packed else []),
        *more,
    ]
    return sha256(json.dumps(parts, sort_keys=True).encode())


def _unlike(present: Manifest, new: Manifest) -> bool:
    """Whether the answers part that should be one model's: what an identity leaves out mattered this time."""
    if present.stochastic or new.stochastic:
        return False
    rtol, atol = tolerance_of(new.model_dump())
    return bool(differences(present.predictions, new.predictions, rtol=rtol, atol=atol))


def _acted_upon(manifest: Manifest) -> dict[str, Any]:
    """A manifest without what is only told, and without the answers' last bits."""
    told = {"provenance", "files", "formats", "predictions", "notes", "findings", "stochastic"}
    return manifest.model_dump(exclude=told | {"features", "hyperparameters", "metrics", "training"})


def sources_of(snapshot: Snapshot) -> dict[str, str]:
    """The texts of the files below ``code/``, by their names in the manifest; only what is what was captured."""
    found = {}
    for name, expected in snapshot.manifest.files.items():
        if name.startswith(CODE):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                content = (Path(snapshot.path) / name).read_bytes()
                if sha256(content) == expected:
                    found[name] = content.decode()
    return found


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write ``snapshot.json``."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), "utf-8")


def _digest(folder: Path) -> str:
    return f"sha256:{file_sha256(folder / MANIFEST)}"
