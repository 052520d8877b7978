"""Snapshots on disk: folders of files with digests in BentoML's model store, each under an exact tag."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jupyter_deploy.domain.capture.artifacts import CODE, CONFORMANCE, REFERENCE, Manifest, Snapshot
from jupyter_deploy.domain.capture.lookups import LOOKUPS
from jupyter_deploy.domain.capture.ports import Staged
from jupyter_deploy.domain.errors import DeployError, StoreError, UnknownSource, Untrusted
from jupyter_deploy.serving.agreement import differences, tolerance_of
from jupyter_deploy.system.digests import file_sha256, sha256
from jupyter_deploy.system.filesystem import write_error

from .bento import locked_folder, quiet_bentoml
from .fingerprints import fingerprint

MANIFEST = "snapshot.json"

CAPTURE = "capture.json"
"""The file next to the manifest that says who captured a snapshot, when and where. It is in no digest and no image."""

_CAPTURE_FIELDS: Any = {
    "findings": True,
    "provenance": {
        "user": True,
        "captured_at": True,
        "example": True,
        "distributions": True,
        "secrets": True,
        "source": {"notebook"},
        "git": {"dirty"},
    },
}
# What equivalent snapshots may differ in. Of a translation that is its proof, which has further rows as soon as the
# training table is known; the graph's own content counts.
_DESCRIPTIVE: Any = {
    **dict.fromkeys(("provenance", "files", "formats", "predictions", "notes", "findings", "stochastic"), True),
    **dict.fromkeys(("features", "hyperparameters", "metrics", "training"), True),
    "lookups": {"__all__": {"keys"}},
    "translation": {
        "converter",
        "rows",
        "largest_difference",
        "largest_relative_difference",
        "flips",
        "flips_at_most",
    },
}
PICKLES = ("model.pkl", "example.pkl", LOOKUPS)


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
        """Move the staged snapshot into the model store; keep an equal one that is stored already."""
        tag = tag_of(staged)
        try:
            with locked_folder(self._path(tag).parent):
                tag = self._distinct_tag(tag, staged)
                path = self._path(tag)
                if self.holds(tag):
                    snapshot = self._reused(tag, staged)
                    remember(snapshot)
                    return snapshot
                # The rest of an interrupted write, or a changed folder, is no snapshot.
                shutil.rmtree(path, ignore_errors=True)
                try:
                    snapshot = self._write(tag, staged)
                    remember(snapshot)
                except BaseException:  # Ctrl-C too: an unregistered folder would only be in the way
                    self._remove(tag)
                    raise
        except OSError as error:
            raise write_error(self._models, error) from error
        return snapshot

    def holds(self, tag: str) -> bool:
        """Whether the store holds the complete snapshot."""
        try:
            self.load(tag)
        except DeployError:
            return False
        return (self._path(tag) / "model.yaml").exists()

    def load(self, tag: str) -> Snapshot:
        """Load a stored snapshot and verify its files' digests; nothing is unpickled."""
        path = self._path(tag)
        content, manifest = self._manifest(tag)
        for name, expected in manifest.files.items():
            if not (path / name).exists() or file_sha256(path / name) != expected:
                raise Untrusted(
                    f"{path / name} has changed since its capture", "deploy the model again from its notebook"
                )
        return _snapshot(tag, path, content, manifest, content_fingerprint(path, manifest.files))

    def _manifest(self, tag: str) -> tuple[bytes, Manifest]:
        path = self._path(tag)
        if not (path / MANIFEST).exists():
            reason = f"{path} is no snapshot of nbdeploy" if path.exists() else f"{self._models} does not hold it"
            raise UnknownSource(f"there is no snapshot {tag}: {reason}", "'bentoml models list' lists the snapshots")
        content = (path / MANIFEST).read_bytes()
        try:
            manifest = Manifest.model_validate_json(_with_capture(content, path))
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
        """Move the staged files, which were hashed during the write and the replay and are not read again."""
        manifest = staged.manifest
        labels = {"framework": manifest.framework, "nbdeploy.variable": manifest.provenance.source.variable or ""}
        metadata = {"digest": _digest(staged.folder), "kind": manifest.kind}
        for path in staged.folder.rglob("*"):  # executed cells may hold private text
            path.chmod(0o700 if path.is_dir() else 0o600)
        with (
            self._bentoml_models() as (bentoml, store),
            bentoml.models.create(tag, labels=labels, metadata=metadata, _model_store=store),
        ):
            pass  # BentoML would copy the files; they can be moved into the model's folder once it is closed
        for own in (self._path(tag) / "model.yaml", self._path(tag).with_name("latest")):  # its files obey the umask
            own.chmod(0o600)
        # The manifest comes last: a folder without it is no snapshot.
        for path in sorted(staged.folder.iterdir(), key=lambda path: path.name == MANIFEST):
            shutil.move(path, self._path(tag) / path.name)
        return _snapshot(tag, self._path(tag), *self._manifest(tag), staged.fingerprint)

    def _remove(self, tag: str) -> None:
        """Remove through BentoML, which also updates the latest version; an unregistered folder is only deleted."""
        with contextlib.suppress(Exception), self._bentoml_models() as (_, store):
            store.delete(tag)
        shutil.rmtree(self._path(tag), ignore_errors=True)

    @contextlib.contextmanager
    def _bentoml_models(self) -> Iterator[tuple[Any, Any]]:
        with quiet_bentoml() as bentoml:
            from bentoml._internal.models import ModelStore  # the only way to name the location

            yield bentoml, ModelStore(self._models)

    def _distinct_tag(self, tag: str, staged: Staged) -> str:
        """Return a different tag if the snapshot stored under this one gives different answers to the example."""
        if not self.holds(tag) or not _answers_differ(self._manifest(tag)[1], staged.manifest):
            return tag
        return f"{staged.manifest.name}:{_identity(staged, staged.manifest.predictions)[:12]}"

    def _reused(self, tag: str, staged: Staged) -> Snapshot:
        """Return the stored snapshot, with current findings, metrics and proof, if the captured one is equivalent.

        Another store may have captured the same model; but a snapshot with the same tag and another interpreter, for
        example, is a forgery.
        """
        present = self.load(tag)
        same = present.fingerprint == staged.fingerprint and _functional_fields(present.manifest) == _functional_fields(
            staged.manifest
        )
        if not same:
            raise Untrusted(
                f"{tag} is in the model store already and differs from the snapshot captured now",
                f"if you do not know where it comes from, remove it: bentoml models delete {tag}",
            )
        # The file must match its digest; descriptive fields may change although the model does not.
        now = staged.manifest
        descriptive = {
            "findings": now.findings,
            "training": now.training or present.manifest.training,
            "metrics": now.metrics or present.manifest.metrics,
            "translation": now.translation,
        }
        manifest = present.manifest.model_copy(update=descriptive)
        return present.model_copy(update={"manifest": manifest})


def _snapshot(tag: str, path: Path, content: bytes, manifest: Manifest, fingerprint: str) -> Snapshot:
    return Snapshot(
        tag=tag, digest=f"sha256:{sha256(content)}", fingerprint=fingerprint, path=str(path), manifest=manifest
    )


def tag_of(staged: Staged) -> str:
    """Return ``name:version``; the version is a hash of the snapshot's identity."""
    return f"{staged.manifest.name}:{_identity(staged)[:12]}"


def content_fingerprint(folder: Path, files: Mapping[str, str]) -> str:
    """Return the SHA-256 of the files' contents; of pickles only their meaning counts (``fingerprint``).

    The sketch of the training table and the conformance data set do not count.
    """
    pickles_fingerprint = fingerprint(*(folder / name for name in PICKLES if name in files))
    others = {name: digest for name, digest in files.items() if name not in (*PICKLES, CONFORMANCE, REFERENCE)}
    return sha256(json.dumps([pickles_fingerprint, others], sort_keys=True).encode()) if others else pickles_fingerprint


def _identity(staged: Staged, *more: Any) -> str:
    """Return the hash by which two captures are the same snapshot: content, calling convention, example and lock.

    The answers are left out: they follow from the rest, up to the last bits of parallel sums.
    """
    manifest = staged.manifest
    accepted = manifest.translation.accepted_difference if manifest.translation else 0.0
    parts: list[Any] = [
        staged.fingerprint,
        manifest.method,
        manifest.signature.model_dump(),
        manifest.instances,
        manifest.tolerance.model_dump(),
        manifest.environment.python,
        manifest.environment.interpreter,
        manifest.environment.distributions,
        *(["show_example"] if manifest.show_example else []),
        *([accepted] if accepted else []),
        *([one.model_dump(exclude={"keys"}) for one in manifest.lookups]),
        *([manifest.packed.model_dump()] if manifest.packed else []),
        *more,
    ]
    return sha256(json.dumps(parts, sort_keys=True).encode())


def _answers_differ(present: Manifest, new: Manifest) -> bool:
    """Whether the answers of two equal models differ: something outside the identity mattered."""
    if present.stochastic or new.stochastic:
        return False
    rtol, atol = tolerance_of(new.model_dump())
    return bool(differences(present.predictions, new.predictions, rtol=rtol, atol=atol))


def _functional_fields(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest without descriptive fields, and without the answers' last bits."""
    return manifest.model_dump(exclude=_DESCRIPTIVE)


def sources_of(snapshot: Snapshot) -> dict[str, str]:
    """Return the texts of the files below ``code/`` by their manifest names, if their digests match."""
    texts = {}
    for name, expected in snapshot.manifest.files.items():
        if name.startswith(CODE):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                content = (Path(snapshot.path) / name).read_bytes()
                if sha256(content) == expected:
                    texts[name] = content.decode()
    return texts


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write ``snapshot.json`` and ``capture.json``."""
    (folder / CAPTURE).write_text(manifest.model_dump_json(indent=1, include=_CAPTURE_FIELDS), "utf-8")
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1, exclude=_CAPTURE_FIELDS), "utf-8")


def _with_capture(content: bytes, folder: Path) -> str:
    """Return the manifest's JSON with the fields of ``capture.json``; a missing or faulty file adds none."""
    try:
        return json.dumps(_merged(json.loads(content), json.loads((folder / CAPTURE).read_bytes())))
    except (OSError, ValueError):
        return content.decode(errors="replace")


def _merged(present: Any, more: Any) -> Any:
    if not (isinstance(present, dict) and isinstance(more, dict)):
        return more
    return present | {name: _merged(present.get(name), value) for name, value in more.items()}


def _digest(folder: Path) -> str:
    return f"sha256:{file_sha256(folder / MANIFEST)}"
