"""SHA-256 of files, computed during the write where possible, so that a large model is read once."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_CHUNK = 1 << 21  # bytes that are hashed and written at once


class HashingFile(io.RawIOBase):
    """A new file that hashes while it writes; large buffers are hashed in parallel and never copied."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("wb")
        self._hash = hashlib.sha256()
        self._hasher: ThreadPoolExecutor | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        if view.nbytes < _CHUNK:
            self._hash.update(view)
            return self._file.write(view)
        if self._hasher is None:
            self._hasher = ThreadPoolExecutor(1)
        for start in range(0, view.nbytes, _CHUNK):
            chunk = view[start : start + _CHUNK]
            hashed = self._hasher.submit(self._hash.update, chunk)
            try:
                self._file.write(chunk)
            finally:
                hashed.result()
        return view.nbytes

    def close(self) -> None:
        if self._hasher is not None:
            self._hasher.shutdown()
        self._file.close()
        super().close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def sha256(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: Path, target: Path) -> str:
    """Copy a file, make its folder if needed, and return the SHA-256 of the copied bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(_CHUNK):
            digest.update(block)
            written.write(block)
    return digest.hexdigest()
