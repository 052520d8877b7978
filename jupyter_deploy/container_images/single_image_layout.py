"""OCI image layouts with one image, which share the blobs of an image store.

skopeo finds images by a name in ``index.json`` and rewrites that file. So it gets a layout of its own, in a scratch
folder: only the image store writes its index.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.images.images import Reference

NAME = "image"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def blob(store: Path, digest: str) -> Path:
    """The path of a digest's blob in a layout."""
    algorithm, _, encoded = digest.partition(":")
    return store / "blobs" / algorithm / encoded


def naming(folder: Path, store: Path, digest: str, name: str = NAME) -> Path:
    """A layout in ``folder`` that names the image of a digest; its blobs are in ``store``.

    Raises
    ------
    StoreError
        The image is not in the store.
    """
    try:
        manifest = blob(store, digest).read_bytes()
    except FileNotFoundError as error:
        raise StoreError(f"{digest} is not in the image store {store}", "build or pull the image again") from error
    kind = json.loads(manifest).get("mediaType", MANIFEST)
    _write(folder, {"mediaType": kind, "digest": digest, "size": len(manifest)}, name)
    return folder


def of_document(folder: Path, kind: str, document: bytes) -> Path:
    """A layout in ``folder`` with one image, whose only layer is a document of a media type."""
    (folder / "blobs/sha256").mkdir(parents=True)
    layer = _put(folder, kind, document)
    about = {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    config = _put(folder, CONFIG, json.dumps(about).encode())
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    _write(folder, _put(folder, MANIFEST, json.dumps(manifest).encode()))
    return folder


def descriptor(folder: Path) -> dict[str, Any]:
    """Media type, digest and size of a layout's image."""
    entry: dict[str, Any] = json.loads((folder / "index.json").read_text("utf-8"))["manifests"][0]
    return {name: entry[name] for name in ("mediaType", "digest", "size")}


def attachment_tag(reference: Reference, suffix: str) -> Reference:
    """The tag under which cosign stores an attachment of the image at a digest."""
    digest = (reference.digest or "").replace(":", "-")
    return reference.at(tag=f"{digest}.{suffix}")


def _put(folder: Path, kind: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    blob(folder, digest).write_bytes(content)
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _write(folder: Path, image: dict[str, Any], name: str = NAME) -> None:
    named = {**image, "annotations": {"org.opencontainers.image.ref.name": name}}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', "utf-8")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}), "utf-8")
