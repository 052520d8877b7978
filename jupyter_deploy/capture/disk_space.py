"""Disk space: whether a model fits onto the disks, checked before anything is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from jupyter_deploy.domain.errors import StoreError

from .pickling import parts

PARTS_LIMIT = 200_000
"""Scanned objects: some tenths of a second. Beyond them the estimate is too small instead of too slow."""

_ITEMS_LIMIT = 10_000  # of one collection; the others are assumed to be similar
_LARGE = 1 << 20


def require_space(model: Any, example: Any, folders: tuple[Path, ...]) -> None:
    """Raise StoreError if a disk has less free space than the files need at least.

    Parameters
    ----------
    folders
        Each will hold the files; folders on one disk share them, since there they are only moved.
    """
    needed = estimate((model, example))
    if needed < _LARGE:
        return
    for folder in folders:
        free = _free(folder)
        if free is not None and free < needed:
            raise StoreError(
                f"the model needs at least {_in_words(needed)}, and the disk of {folder} has {_in_words(free)} free",
                "free space there, or set BENTOML_HOME and TMPDIR to other folders",
            )


def estimate(value: Any) -> int:
    """Return the least number of bytes of a stored ``value``: its arrays, tensors, tables, texts and bytes.

    Memory that C code does not report (boosters, for example) is not counted. Shared parts count once.
    """
    total, seen, buffers = 0, set[int](), set[int]()
    queue = [value]
    while queue and len(seen) < PARTS_LIMIT:
        part = queue.pop()
        if id(part) in seen or isinstance(part, int | float | complex | bool | ModuleType | type(None)):
            continue
        seen.add(id(part))
        # A dict's keys are not its attributes.
        key, size = (id(part), None) if isinstance(part, dict | list) else _buffer(part)
        if size is None:
            queue += _inner(part)
        elif key not in buffers:
            buffers.add(key)
            total += size
    return total


def _buffer(part: Any) -> tuple[int, int | None]:
    """Return the identity of an object's memory, and its size; None: inspect its parts."""
    if isinstance(part, str | bytes | bytearray):
        return id(part), len(part)
    # A class has its instances' attributes, but not their values.
    kind = "" if isinstance(part, type) else type(part).__module__.partition(".")[0]
    if kind == "torch" and hasattr(part, "untyped_storage"):
        return _storage(part)
    if kind == "numpy" and hasattr(part, "nbytes") and getattr(part, "dtype", None) is not None:
        # An array of objects has a size, but its parts count.
        return id(part), None if part.dtype.hasobject else part.nbytes
    if kind == "pandas" and hasattr(part, "memory_usage"):
        usage = part.memory_usage()  # includes the index; an index's own method takes no argument
        return id(part), int(usage.sum() if hasattr(usage, "sum") else usage)
    if kind in ("polars", "pyarrow") and hasattr(part, "estimated_size" if kind == "polars" else "nbytes"):
        return id(part), part.estimated_size() if kind == "polars" else part.nbytes
    return id(part), _plain_size(part)


def _plain_size(part: Any) -> int | None:
    """Return the size of an array subclass from any module; None: not an array, or an array of objects."""
    with suppress(Exception):  # an object may raise at any access to an attribute
        if not isinstance(part, type) and not part.dtype.hasobject and isinstance(part.nbytes, int):
            return part.nbytes
    return None


def _storage(tensor: Any) -> tuple[int, int]:
    try:
        storage = tensor.untyped_storage()
    except (NotImplementedError, RuntimeError, ValueError):  # sparse, nested, or not initialised
        return id(tensor), 0
    return storage.data_ptr() or id(tensor), storage.nbytes()


def _inner(part: Any) -> Iterator[Any]:
    if isinstance(part, type) and part.__module__ != "__main__":
        return iter(())
    if not isinstance(part, type | dict | list) and _holds_objects(part):
        return iter(part.ravel()[:_ITEMS_LIMIT].tolist())
    if isinstance(part, FunctionType) and part.__module__ in sys.stdlib_module_names:
        return iter(())
    return (child for _, child in islice(parts(part), _ITEMS_LIMIT))


def _holds_objects(part: Any) -> bool:
    """Whether the value is an array of objects."""
    with suppress(Exception):  # an object may raise at any access to an attribute
        return bool(part.dtype.hasobject) and hasattr(part, "ravel")
    return False


def _free(folder: Path) -> int | None:
    """Return this user's free bytes on a folder's disk; the folder need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        about = os.statvfs(folder)
    except OSError:
        return None
    return about.f_bavail * about.f_frsize


def _in_words(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
