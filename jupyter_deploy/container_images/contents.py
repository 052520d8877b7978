"""The contents of an image, read from its layers in an image store; nothing is unpacked or run."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from jupyter_deploy.domain.errors import StoreError

_CHUNK = 1 << 20
_MOST_TO_READ = 64 << 20  # bytes of a file in memory

# Whiteouts: files by which a layer removes a path, or a folder's content, of the layers below.
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"

T = TypeVar("T")


class LayerContents:
    """The ImageContents port."""

    def sha256(self, store: Path, digest: str, paths: Collection[str]) -> dict[str, str]:
        return _found(store, digest, paths, _sha256)

    def read(self, store: Path, digest: str, paths: Collection[str]) -> dict[str, bytes]:
        return _found(store, digest, paths, lambda file: file.read(_MOST_TO_READ))


def _found(store: Path, digest: str, paths: Collection[str], take: Callable[[IO[bytes]], T]) -> dict[str, T]:
    """Apply ``take`` to each of these files in its uppermost layer; stops when all are found."""
    missing = {path.lstrip("/") for path in paths}
    values: dict[str, T] = {}
    for layer in reversed(_layers(store, digest)):
        if not missing:
            break
        with _tar(store, layer) as tar:
            here, hidden = _of_layer(tar, missing, take)
        values |= here
        missing -= here.keys() | hidden
    return {f"/{path}": value for path, value in values.items()}


def _of_layer(
    tar: tarfile.TarFile, missing: Collection[str], take: Callable[[IO[bytes]], T]
) -> tuple[dict[str, T], set[str]]:
    """The values of the files in a layer, and the files of lower layers that it hides."""
    here: dict[str, T] = {}
    hidden: set[str] = set()
    for member in tar:
        path = member.name.removeprefix("./").strip("/")
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            hidden |= _at_or_below(folder, missing)
        elif name.startswith(_WHITEOUT):
            hidden |= _at_or_below(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"), missing)
        elif member.isfile() and path in missing:
            file = tar.extractfile(member)
            if file is not None:
                here[path] = take(file)
        elif not member.isdir():  # a link or a device hides a file of that path
            covered = _at_or_below(path, missing)
            hidden |= covered
            here = {name: value for name, value in here.items() if name not in covered}
    return here, hidden


def _at_or_below(path: str, missing: Collection[str]) -> set[str]:
    return {name for name in missing if name == path or name.startswith(f"{path}/") or not path}


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _layers(store: Path, digest: str) -> list[str]:
    manifest: dict[str, Any] = json.loads(_checked(store, digest))
    return [str(layer["digest"]) for layer in manifest["layers"]]


def _checked(store: Path, digest: str) -> bytes:
    """A small document of the store, verified by its digest."""
    try:
        content = _blob(store, digest).read_bytes()
    except OSError as error:
        raise _damaged(store, digest) from error
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise _damaged(store, digest)
    return content


@contextmanager
def _tar(store: Path, digest: str) -> Iterator[tarfile.TarFile]:
    """A layer as a stream; raises StoreError at the end if its digest differs."""
    try:
        with _blob(store, digest).open("rb") as raw:
            stream = _Digested(raw)
            with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|*") as tar:
                yield tar
            while stream.read(_CHUNK):  # the rest after the archive's end
                pass
    except (OSError, tarfile.TarError, EOFError) as error:
        raise _damaged(store, digest) from error
    if stream.digest != digest:
        raise _damaged(store, digest)


class _Digested:
    """A file that is read once, with the digest of the bytes read."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self._sha256.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"


def _blob(store: Path, digest: str) -> Path:
    algorithm, _, name = digest.partition(":")
    return store / "blobs" / algorithm / name


def _damaged(store: Path, digest: str) -> StoreError:
    return StoreError(
        f"{digest} in the image store {store} is missing or damaged",
        f"remove {_blob(store, digest)} if it exists, and repeat the command",
    )
