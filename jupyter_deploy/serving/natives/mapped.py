"""Buffers of a safetensors file, mapped: workers of one release share the pages until they write into them."""

from __future__ import annotations

import json
import mmap
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

# Smaller ones are read: a mapping takes whole pages, and a process can have some ten thousand.
_MAPPED = 1 << 16


def buffer(path: Path, name: str) -> tuple[Any, int, int]:
    """A writable buffer, and where in it the entry ``name`` begins and how long it is, in bytes.

    What is written into it stays in this process.
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
    """Where the buffers begin, and the header; read once a file, though asked for each part."""
    del inode, modified  # another file has others
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return 8 + length, json.loads(file.read(length))
