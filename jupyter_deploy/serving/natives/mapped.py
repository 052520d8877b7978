"""Memory-mapped buffers of a safetensors file: workers of a release share the pages until they write into them."""

from __future__ import annotations

import json
import mmap
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

# Smaller buffers are read: a mapping takes whole pages, and a process may have some ten thousand mappings.
_MAPPED = 1 << 16


def buffer(path: Path, name: str) -> tuple[Any, int, int]:
    """Return a writable buffer, the offset of the entry ``name`` in it and its length in bytes.

    Writes stay in this process.
    """
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        start, header = _header(str(path), about.st_ino, about.st_mtime_ns)
        begin, end = header[name]["data_offsets"]
        if end - begin < _MAPPED:
            file.seek(start + begin)
            return bytearray(file.read(end - begin)), 0, end - begin
        skipped = (start + begin) % mmap.ALLOCATIONGRANULARITY
        mapped = mmap.mmap(
            file.fileno(), skipped + end - begin, access=mmap.ACCESS_COPY, offset=start + begin - skipped
        )
        return mapped, skipped, end - begin


@lru_cache(maxsize=2)
def _header(path: str, inode: int, modified: int) -> tuple[int, dict[str, Any]]:
    """Return the offset of the buffers, and the header; cached, since each part needs it."""
    del inode, modified  # they are the cache's key
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return 8 + length, json.loads(file.read(length))
