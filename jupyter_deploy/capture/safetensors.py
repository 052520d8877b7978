"""Writing the safetensors format as a stream: a header, then each buffer from where it is in memory.

The library's own writer takes ``bytes``, so that each tensor would be in memory twice, and says no digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.system.digests import Digesting

# The format's own codes that every reader of it knows, by NumPy's and torch's names. What has none is kept as bytes.
CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8",
    "bool": "BOOL",
}  # fmt: skip
BYTES = "U8"

_ALIGNED = 64  # bytes; a cache line, and what vector instructions want


@dataclass(frozen=True)
class Entry:
    """One buffer of the file.

    Attributes
    ----------
    code
        The format's name of its type, one of ``CODES``.
    nbytes
        Its size, which is that of ``shape`` and ``code``.
    content
        Gives the buffer, when it is its turn: contiguous bytes, which are not copied.
    """

    name: str
    code: str
    shape: tuple[int, ...]
    nbytes: int
    content: Callable[[], Any]


def write_safetensors(path: Path, entries: Iterable[Entry]) -> str:
    """Write a file that the safetensors library reads; its SHA-256.

    The format allows no gap between two buffers, and a processor wants numbers at multiples of their size. So those
    whose size is a multiple of 64 come first, then of 32, and so on: each begins where its own type may begin.
    """
    ordered = sorted(entries, key=lambda entry: -_alignment(entry.nbytes))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # transformers reads no file without it
    end = 0
    for entry in ordered:
        begin, end = end, end + entry.nbytes
        header[entry.name] = {"dtype": entry.code, "shape": entry.shape, "data_offsets": (begin, end)}
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-(8 + len(written)) % _ALIGNED)
    with Digesting(path) as file:
        file.write(len(written).to_bytes(8, "little") + written)
        for entry in ordered:
            if entry.nbytes:
                file.write(entry.content())
    return file.sha256


def _alignment(nbytes: int) -> int:
    """The largest power of two that divides a size, up to 64."""
    return min(_ALIGNED, nbytes & -nbytes) if nbytes else _ALIGNED
