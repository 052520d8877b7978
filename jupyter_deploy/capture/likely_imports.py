"""The modules that a clean process will import to load an object: those that define the types within it."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from types import FunctionType, ModuleType
from typing import Any

from jupyter_deploy.serving.audit.callers import LIBRARIES
from jupyter_deploy.serving.imports import importable

from .pickling import PLAIN, parts

_MOST_PARTS = 2_000
_CONTAINERS = (dict, list, tuple, set, frozenset, FunctionType, type)
_DATA = ("numpy", "pandas", "polars", "pyarrow", "scipy.sparse")  # tables and arrays: their parts say nothing more


def likely_imports(*roots: Any) -> tuple[str, ...]:
    """Return the modules of installed distributions that define the types within objects, in order of their names.

    A guess within a bounded walk, that runs no code of the objects: some modules are missing, and a module too many
    costs time only (``serving.imports``).
    """
    known = {name for name in importable(LIBRARIES) if name.partition(".")[0] not in sys.stdlib_module_names}
    found, queue, seen = set[str](), deque(roots), dict[int, Any]()
    while queue and len(seen) < _MOST_PARTS:
        part = queue.popleft()
        if isinstance(part, PLAIN) or id(part) in seen:
            continue
        seen[id(part)] = part  # kept, or a new object could get its address
        if isinstance(part, ModuleType):
            found.add(part.__name__)
            continue
        owner = part if isinstance(part, type | FunctionType) else type(part)
        module = owner.__module__
        if module in known:
            found.add(module)
            if owner is part or module.startswith(_DATA):
                continue  # code or data of a library
        queue.extend(islice(_children(part), _MOST_PARTS))
    return tuple(sorted(found & known))


def _children(part: Any) -> Iterator[Any]:
    if isinstance(part, _CONTAINERS):
        return (child for _, child in parts(part))
    # Not by ``__dict__``: an empty one, once read, is pickled, and the model would get another digest.
    return iter(gc.get_referents(part))
