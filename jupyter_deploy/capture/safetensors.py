"""Streaming writer of the safetensors format: a header, then each buffer from its place in memory.

The library's own writer takes ``bytes``, so that each tensor would be in memory twice, and computes no digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.system.digests import HashingFile

# The format's type codes that every reader supports, by NumPy's and torch's names. Other types are stored as bytes.
CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8",
    "bool": "BOOL",
}  # fmt: skip
BYTES = "U8"

_ALIGNED = 64  # bytes; a cache line, and the alignment of vector instructions


@dataclass(frozen=True)
class Entry:
    """One buffer of the file.

    Attributes
    ----------
    code
        The format's code of its type, one of ``CODES``.
    nbytes
        The size of ``shape`` and ``code``.
    content
        Returns the buffer when it is written: contiguous bytes, which are not copied.
    """

    name: str
    code: str
    shape: tuple[int, ...]
    nbytes: int
    content: Callable[[], Any]


def write_safetensors(path: Path, entries: Iterable[Entry]) -> str:
    """Write a file that the safetensors library can read, and return its SHA-256.

    The format allows no gap between two buffers, and a processor needs numbers at multiples of their size. So buffers
    with a size divisible by 64 come first, then by 32, and so on: each begins at an address that suits its type.
    """
    ordered = sorted(entries, key=lambda entry: -_alignment(entry.nbytes))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # transformers requires it
    end = 0
    for entry in ordered:
        begin, end = end, end + entry.nbytes
        header[entry.name] = {"dtype": entry.code, "shape": entry.shape, "data_offsets": (begin, end)}
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-(8 + len(written)) % _ALIGNED)
    with HashingFile(path) as file:
        file.write(len(written).to_bytes(8, "little") + written)
        for entry in ordered:
            if entry.nbytes:
                file.write(entry.content())
    return file.sha256


def _alignment(nbytes: int) -> int:
    """Return the largest power of two, up to 64, that divides a size."""
    return min(_ALIGNED, nbytes & -nbytes) if nbytes else _ALIGNED
