"""The image store: a folder in OCI's image layout, which other tools can read.

``oci-layout``, ``index.json`` and ``blobs/sha256/`` belong to the layout. ``kept/`` caches facts about layers and
bases, ``containerfiles/`` has the Containerfiles of engine builds, and ``making/`` is the work folder of the lock's
holder; these three can be deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from jupyter_deploy.artifacts.bento import locked_folder
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.images.images import SNAPSHOT_DIGEST_LABEL, SNAPSHOT_LABEL, Builder, Image, Layer, LayerKind
from jupyter_deploy.system.digests import file_sha256, sha256
from jupyter_deploy.system.home import private_folder, write_atomic

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
GZIP_TYPE = f"{LAYER_TYPE}+gzip"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"

# Annotations of a manifest, and so part of its digest.
BUILDER = "io.nbdeploy.builder"
PYTHON = "io.nbdeploy.python"
BASE_DIGEST = "org.opencontainers.image.base.digest"
LAYER_KIND = "io.nbdeploy.layer"
TITLE = "org.opencontainers.image.title"

# Annotations of an entry in the index, known to this machine only.
REF_NAME = "org.opencontainers.image.ref.name"
BASE_NAME = "org.opencontainers.image.base.name"
BUILT = "io.nbdeploy.built"
BASE_KEY = "io.nbdeploy.base"

Descriptor = dict[str, Any]
Kept = Literal["layers", "bases"]


class ImageFolder:
    """The ImageStore port.

    Parameters
    ----------
    folder : Path
        Made at the first write, for its owner alone: images hold the notebook's code.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        return self._folder

    def images(self) -> list[Image]:
        """The images of nbdeploy, newest first, without bases and other tools' images."""
        entries = sorted(self.entries(), key=lambda entry: entry.get("annotations", {}).get(BUILT, ""), reverse=True)
        images = {entry["digest"]: self._image(entry) for entry in entries}
        return [image for image in images.values() if image]

    def image(self, digest: str) -> Image | None:
        entry = next((entry for entry in self.entries() if entry["digest"] == digest), None)
        return self._image(entry) if entry else None

    def containerfile(self, digest: str) -> Path | None:
        """The Containerfile of an image; None: no engine built it here."""
        file = self._recipe(digest) / "Containerfile"
        return file if file.exists() else None

    def remove(self, digests: Sequence[str], *, dry_run: bool) -> int:
        """Remove images, blobs that no other image uses, and remains of interrupted builds; returns the bytes freed.

        A base goes with the last image on it. Waits for running builds.
        """
        if not self._folder.exists():
            return 0
        with self.writing() as store:
            entries = [entry for entry in self.entries() if entry["digest"] not in digests]
            used = {
                str(self.manifest(entry["digest"])["annotations"].get(BASE_DIGEST)) for entry in self._ours(entries)
            }
            entries = [
                entry
                for entry in entries
                if BASE_KEY not in (about := entry.get("annotations", {})) or about[BASE_DIGEST] in used
            ]
            held = self._reached(entries)
            freed = [blob for blob in self._blobs() if f"sha256:{blob.name}" not in held]
            size = sum(blob.stat().st_size for blob in freed)
            if not dry_run:
                store.replace(entries)
                for blob in freed:
                    blob.unlink()
                store.forget(held)
                for digest in digests:
                    shutil.rmtree(self._recipe(digest), ignore_errors=True)
            return size

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writing]:
        """Lock the store for writing; removes what a killed writer left in ``making/``."""
        with locked_folder(self._folder) as lock:
            private_folder(self._folder / "blobs" / "sha256")
            marker = self._folder / "oci-layout"
            if not marker.exists():
                write_atomic(marker, json.dumps({"imageLayoutVersion": "1.0.0"}))
            making = self._folder / "making"
            shutil.rmtree(making, ignore_errors=True)
            private_folder(making)
            try:
                yield Writing(self, making, lock)
            finally:
                shutil.rmtree(making, ignore_errors=True)

    def entries(self) -> list[Descriptor]:
        """The descriptors in the index."""
        try:
            descriptors: list[Descriptor] = json.loads((self._folder / "index.json").read_bytes())["manifests"]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self._folder / 'index.json'} cannot be read: {error}",
                f"move {self._folder} away: images are built, or pulled, again",
            ) from error
        return descriptors

    def blob(self, digest: str) -> Path:
        """The path of a blob, which need not exist."""
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def manifest(self, digest: str) -> dict[str, Any]:
        """A manifest; without annotations it gets an empty mapping of them."""
        return {"annotations": {}, **json.loads(self.blob(digest).read_bytes())}

    def has(self, digest: str, size: int) -> bool:
        """Whether a complete blob exists."""
        try:
            return self.blob(digest).stat().st_size == size
        except OSError:
            return False

    def note(self, kind: Kept, key: str) -> Path:
        """The file of cached facts, which need not exist."""
        return self._folder / "kept" / kind / f"{key}.json"

    def kept(self, kind: Kept, key: str) -> dict[str, Any] | None:
        """The cached facts, if their blob still exists."""
        try:
            value: dict[str, Any] = json.loads(self.note(kind, key).read_bytes())
            exists = self.has(value["digest"], value["size"])
        except (OSError, ValueError, KeyError):
            return None
        return value if exists else None

    def _recipe(self, digest: str) -> Path:
        return self._folder / "containerfiles" / ref_name(digest)

    def _ours(self, entries: Sequence[Descriptor]) -> list[Descriptor]:
        return [entry for entry in entries if self._image(entry)]

    def _image(self, entry: Descriptor) -> Image | None:
        try:
            manifest = self.manifest(entry["digest"])
            config = json.loads(self.blob(manifest["config"]["digest"]).read_bytes())
        except (
            OSError,
            KeyError,
            ValueError,
        ):  # an index of several platforms, a signature, something that was removed
            return None
        return image_of(entry, manifest, config)

    def _reached(self, entries: Sequence[Descriptor]) -> set[str]:
        """The digests of all blobs of these entries, also through an index."""
        reached: set[str] = set()
        waiting = [entry["digest"] for entry in entries]
        while waiting:
            digest = waiting.pop()
            if digest in reached:
                continue
            reached.add(digest)
            try:
                document = json.loads(self.blob(digest).read_bytes())
            except (OSError, ValueError):
                continue
            waiting += [manifest["digest"] for manifest in document.get("manifests", ())]
            reached |= {layer["digest"] for layer in document.get("layers", ())}
            reached |= {document["config"]["digest"]} if "config" in document else set()
        return reached

    def _blobs(self) -> list[Path]:
        return sorted((self._folder / "blobs" / "sha256").iterdir())


def image_of(entry: Descriptor, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Image | None:
    """The image that a manifest and a configuration describe; None: nbdeploy did not build it."""
    about = manifest.get("annotations", {})
    labels = (config.get("config") or {}).get("Labels") or {}
    if about.get(BUILDER) not in get_args(Builder) or SNAPSHOT_LABEL not in labels:
        return None
    digest, name = about.get(BASE_DIGEST, ""), entry.get("annotations", {}).get(BASE_NAME)
    return Image(
        digest=entry["digest"],
        snapshot=labels[SNAPSHOT_LABEL],
        snapshot_digest=labels.get(SNAPSHOT_DIGEST_LABEL, ""),
        builder=about[BUILDER],
        base=f"{name}@{digest}" if name else digest,
        platform=f"{config['os']}/{config['architecture']}",
        python=about.get(PYTHON, ""),
        layers=tuple(_layer(layer) for layer in manifest["layers"]),
        labels=labels,
    )


def _layer(descriptor: Descriptor) -> Layer:
    about = descriptor.get("annotations", {})
    kind = about.get(LAYER_KIND, "base")
    return Layer(
        kind=kind if kind in get_args(LayerKind) else "base",
        title=about.get(TITLE, "base image"),
        digest=descriptor["digest"],
        size=descriptor["size"],
    )


class Writing:
    """Write operations on the store, while its lock is held.

    Attributes
    ----------
    making
        An empty folder on the store's disk.
    lock
        A descriptor; a process that inherits it holds the lock too.
    """

    def __init__(self, store: ImageFolder, making: Path, lock: int) -> None:
        self._store = store
        self.making = making
        self.lock = lock

    def has(self, digest: str, size: int) -> bool:
        """Whether a blob exists; a blob of that name and size is complete, since it is renamed last."""
        return self._store.has(digest, size)

    def take(self, file: Path, digest: str) -> None:
        """Make a file in ``making`` a blob; the caller has hashed it."""
        file.chmod(0o600)
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        file.replace(self._store.blob(digest))

    def put(self, content: bytes, kind: str) -> Descriptor:
        """Write a small document as a blob; returns its descriptor."""
        digest = f"sha256:{sha256(content)}"
        if not self.has(digest, len(content)):
            file = self.making / "document"
            file.write_bytes(content)
            self.take(file, digest)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def adopt(self, layout: Path) -> Descriptor:
        """Move the blobs of another layout with one image, on the same disk, into the store; returns its descriptor.

        Raises
        ------
        StoreError
            It has no image or several, or a blob is damaged.
        """
        entries: list[Descriptor] = json.loads((layout / "index.json").read_bytes())["manifests"]
        if len(entries) != 1:
            raise StoreError(f"{layout} holds {len(entries)} images", "name one of them")
        for blob in (layout / "blobs" / "sha256").iterdir():
            if self.has(f"sha256:{blob.name}", blob.stat().st_size):
                continue
            if file_sha256(blob) != blob.name:
                raise StoreError(f"a blob of {layout} is damaged: {blob.name}", "make it again")
            self.take(blob, f"sha256:{blob.name}")
        return {key: entries[0][key] for key in ("mediaType", "digest", "size")}

    def enter(self, descriptor: Descriptor, annotations: Mapping[str, str]) -> None:
        """Add a manifest to the index; one that is there becomes the newest."""
        entry = descriptor | {
            "annotations": {BUILT: datetime.now(UTC).isoformat(), REF_NAME: ref_name(descriptor["digest"])}
            | dict(annotations)
        }
        others = [entry for entry in self._store.entries() if entry["digest"] != descriptor["digest"]]
        self.replace([*others, entry])

    def replace(self, entries: Sequence[Descriptor]) -> None:
        """Replace the index's entries."""
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": list(entries)}
        write_atomic(self._store.folder / "index.json", json.dumps(index, indent=1))

    def describe(self, digest: str, files: Mapping[str, str]) -> None:
        """Store the texts of an image's build for people, by name, among them the ``Containerfile``."""
        for name, text in files.items():
            write_atomic(self._store.folder / "containerfiles" / ref_name(digest) / name, text)

    def keep(self, kind: Kept, key: str, value: Mapping[str, Any]) -> None:
        """Cache facts about the blob ``value["digest"]`` under a key."""
        write_atomic(self._store.note(kind, key), json.dumps(value))

    def kept(self, kind: Kept, key: str) -> dict[str, Any] | None:
        """The cached facts, if their blob still exists."""
        return self._store.kept(kind, key)

    def forget(self, held: set[str]) -> None:
        """Remove the cached facts about other blobs than these."""
        for note in (self._store.folder / "kept").glob("*/*.json"):
            try:
                about = json.loads(note.read_bytes())["digest"]
            except (ValueError, KeyError):
                about = None
            if about not in held:
                note.unlink()


def ref_name(digest: str) -> str:
    """An image's name in the layout, for other tools: ``skopeo copy oci:FOLDER:NAME …``."""
    return digest.replace(":", "-")
