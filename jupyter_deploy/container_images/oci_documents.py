"""Layers, configuration and manifest of an image on a base."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jupyter_deploy.domain.images.images import IMAGE_USER, Builder, LayerKind
from jupyter_deploy.system.digests import sha256

from .archive import Entry, Packed, write_layer
from .base_image import Base
from .layout import (
    BASE_DIGEST,
    BASE_NAME,
    BUILDER,
    GZIP_TYPE,
    LAYER_KIND,
    LAYER_TYPE,
    MANIFEST_TYPE,
    PYTHON,
    TITLE,
    Descriptor,
    Writing,
)

USER = f"{IMAGE_USER}:{IMAGE_USER}"
STOP = "SIGTERM"


@dataclass(frozen=True)
class Layer:
    """A layer in the store."""

    kind: LayerKind
    title: str
    packed: Packed
    compressed: bool = True

    @property
    def descriptor(self) -> Descriptor:
        return {
            "mediaType": GZIP_TYPE if self.compressed else LAYER_TYPE,
            "digest": self.packed.digest,
            "size": self.packed.size,
            "annotations": {LAYER_KIND: self.kind, TITLE: self.title},
        }


def kept_layer(
    writing: Writing, made_of: list[Any], entries: Callable[[], list[Entry]], *, compressed: bool = True
) -> Packed:
    """A layer, written unless it is cached, so that an unchanged large file is not read again.

    ``made_of`` are the inputs of its bytes, as JSON values.
    """
    key = sha256(json.dumps(made_of).encode())
    kept = writing.kept("layers", key)
    if kept:
        return Packed(**kept)
    file = writing.making / "layer"
    packed = write_layer(entries(), file, compressed=compressed)
    writing.take(file, packed.digest)
    writing.keep("layers", key, asdict(packed))
    return packed


BEGINNING = "1970-01-01T00:00:00Z"
"""The time in images, a constant that makes them reproducible."""


def configuration(base: Base, layers: Iterable[tuple[Packed, str]], containers: Mapping[str, Any]) -> dict[str, Any]:
    """The image's configuration, without the present time.

    Parameters
    ----------
    layers
        The layers above the base, with titles.
    containers
        The configuration of its containers.
    """
    own = list(layers)
    history = [{"created": BEGINNING, "created_by": f"nbdeploy: {title}"} for _, title in own]
    return {
        "created": BEGINNING,
        "architecture": base.config["architecture"],
        "os": base.config["os"],
        **{key: base.config[key] for key in ("variant",) if key in base.config},
        "config": dict(containers),
        "rootfs": {
            "type": "layers",
            "diff_ids": [*base.config["rootfs"]["diff_ids"], *(packed.diff_id for packed, _ in own)],
        },
        "history": [*(base.config.get("history") or ({} for _ in base.manifest["layers"])), *history],
    }


def manifest_of(base: Base, layers: Sequence[Layer], config: Descriptor, builder: Builder) -> dict[str, Any]:
    """The manifest of an image on a base."""
    below = [
        {key: layer[key] for key in ("mediaType", "digest", "size")}
        | {"annotations": {LAYER_KIND: "base", TITLE: "base image"}}
        for layer in base.manifest["layers"]
    ]
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": dict(config),
        "layers": [*below, *(layer.descriptor for layer in layers)],
        "annotations": {BASE_DIGEST: base.digest, BUILDER: builder, PYTHON: base.python.version},
    }


def enter(writing: Writing, base: Base, layers: Sequence[Layer], config: Descriptor, builder: Builder) -> str:
    """Write the manifest of an image on a base and add it to the index; returns its digest."""
    descriptor = writing.put(as_json(manifest_of(base, layers, config, builder)), MANIFEST_TYPE)
    writing.enter(descriptor, {BASE_NAME: base.name})
    return str(descriptor["digest"])


def as_json(document: Mapping[str, Any]) -> bytes:
    """A document of an image; the same document gives the same bytes."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
