"""Images in an image store with the labels of nbdeploy's builders, made in no time."""

import io
import json
import tarfile

from jupyter_deploy.container_images.layout import (
    BUILDER,
    CONFIG_TYPE,
    GZIP_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
)
from jupyter_deploy.domain.images.images import SNAPSHOT_DIGEST_LABEL, SNAPSHOT_LABEL


def archive(files, *, compressed=False):
    """A layer: content by path; None: a folder; a text: a symbolic link."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz" if compressed else "w") as tar:
        for path, content in files:
            entry = tarfile.TarInfo(path.lstrip("/"))
            if content is None:
                entry.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return packed.getvalue()


def keep_image(store, *layers, tag="tumour:a", snapshot_digest="sha256:a"):
    """An image of these layers (archives) in an ``ImageFolder``; it is the newest. The image as the store has it."""
    with store.writing() as writing:
        kinds = [GZIP_TYPE if layer.startswith(b"\x1f\x8b") else LAYER_TYPE for layer in layers]
        described = [writing.put(layer, kind) for layer, kind in zip(layers, kinds, strict=True)]
        labels = {SNAPSHOT_LABEL: tag, SNAPSHOT_DIGEST_LABEL: snapshot_digest}
        config = {"os": "linux", "architecture": "amd64", "config": {"Labels": labels}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "annotations": {BUILDER: "daemonless"},
            "config": writing.put(json.dumps(config).encode(), CONFIG_TYPE),
            "layers": described,
        }
        descriptor = writing.put(json.dumps(manifest).encode(), MANIFEST_TYPE)
        writing.enter(descriptor, {})
    return store.image(descriptor["digest"])
