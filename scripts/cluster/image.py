"""Write an image of one layer as an OCI archive: ``python3 -m scripts.cluster.image OUT.tar NAME:TAG [FILE …]``.

A FILE is ``PATH=SOURCE`` (a file of this machine, executable in the image) or ``PATH->TARGET`` (a symbolic link).
The standard library alone is used.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

_OCI = "application/vnd.oci.image"


def main() -> None:
    """Write the archive that the arguments describe."""
    parser = argparse.ArgumentParser(description="Write an image of one layer as an OCI archive.")
    parser.add_argument("out", type=Path)
    parser.add_argument("name", help="name and tag of the image")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--entrypoint", action="append", default=[])
    parser.add_argument("--command", action="append", default=[])
    options = parser.parse_intermixed_args()
    options.out.write_bytes(archive(options.name, layer(options.files), options.entrypoint, options.command))


def layer(files: Sequence[str]) -> bytes:
    """A tar archive of the files, with their folders and a /tmp that all may write."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        folders = {PurePosixPath("tmp"): 0o1777}
        for file in files:
            path = PurePosixPath(file.partition("->" if "->" in file else "=")[0])
            folders |= {folder: 0o755 for folder in path.parents if folder.name}
        for folder, mode in sorted(folders.items()):
            tar.addfile(_entry(folder, type=tarfile.DIRTYPE, mode=mode))
        for file in files:
            path, link, target = file.partition("->")
            if link:
                tar.addfile(_entry(path, type=tarfile.SYMTYPE, linkname=target))
                continue
            path, _, source = file.partition("=")
            content = Path(source).read_bytes()
            tar.addfile(_entry(path, mode=0o755, size=len(content)), io.BytesIO(content))
    return written.getvalue()


def archive(name: str, content: bytes, entrypoint: Sequence[str], command: Sequence[str]) -> bytes:
    """An OCI archive of an image with one layer, under a name that containerd's import takes."""
    compressed = gzip.compress(content, 6, mtime=0)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": entrypoint, "Cmd": command, "Env": ["PATH=/bin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(content)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar+gzip", compressed)],
        }
    )
    names = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    index = _json(
        {"schemaVersion": 2, "manifests": [_descriptor("manifest.v1+json", manifest) | {"annotations": names}]}
    )
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        blobs = {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (compressed, config, manifest)}
        for path, blob in {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index, **blobs}.items():
            tar.addfile(_entry(path, size=len(blob)), io.BytesIO(blob))
    return written.getvalue()


def _entry(path: str | PurePosixPath, **fields: Any) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(path))
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


if __name__ == "__main__":
    main()
