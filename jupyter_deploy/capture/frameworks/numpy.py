"""Large numpy arrays within any model go into a file of their own, from where they are in memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jupyter_deploy.capture.safetensors import BYTES, CODES, Entry, write_safetensors

from .base import Framework, NativeWriter

FILE = "arrays.safetensors"

# Smaller ones stay in the pickle: what is gained is memory and time of large models.
LARGE = 1 << 20


class Numpy(Framework):
    """Arrays are parts of other frameworks' models, and no model."""

    name = "numpy"

    def base_of(self, model: Any) -> type | None:
        del model
        return None

    def native_writer(self, folder: Path) -> NativeWriter | None:
        return ArrayWriter(folder) if "numpy" in sys.modules else None


class ArrayWriter:
    """Plain contiguous arrays of 1 MiB or more; records too, but no Python objects.

    Pickled, they would be hashed twice: as the file's bytes, and for what makes two captures the same. Here one is
    the other. They are named by their number.
    """

    format = "arrays"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numpy = sys.modules["numpy"]
        self._arrays: list[Any] = []

    def takes(self, kind: type) -> bool:
        return kind is self._numpy.ndarray

    def take(self, part: Any) -> tuple[Any, ...] | None:
        contiguous = part.flags.c_contiguous or part.flags.f_contiguous
        if part.nbytes < LARGE or part.dtype.hasobject or not contiguous:
            return None
        self._arrays.append(part)
        order = "C" if part.flags.c_contiguous else "F"
        return FILE, str(len(self._arrays) - 1), part.dtype, part.shape, order, part.flags.writeable

    def finish(self) -> dict[str, str]:
        if not self._arrays:
            return {}
        entries = [_entry(str(number), array) for number, array in enumerate(self._arrays)]
        return {FILE: write_safetensors(self._folder / FILE, entries)}


def _entry(name: str, array: Any) -> Entry:
    """An array in Fortran's order is written as its transpose, which is the order in memory."""
    lying = array if array.flags.c_contiguous else array.T
    code = CODES.get(lying.dtype.name, BYTES) if lying.dtype.isnative else BYTES
    shape = lying.shape if code != BYTES or lying.dtype.name == "uint8" else (lying.nbytes,)
    return Entry(name, code, shape, lying.nbytes, lambda: lying.reshape(-1).view("u1").data)
