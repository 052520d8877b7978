"""Files that are hashed while they are written, so that a large model need not be read once more."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_CHUNK = 1 << 21  # bytes that are written while they are hashed


class Digesting(io.RawIOBase):
    """A new file; large buffers are hashed and written at the same time, from where they are: no copy is made."""

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
