"""Descriptions of objects that are equal in two processes if the objects' content is equal."""

from __future__ import annotations

import copyreg
import hashlib
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Any

_DEPTH = 20
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
# The state of a random generator is not content.
_CHANCE = ("random", "numpy.random")


def describe_value(value: Any, mask: Callable[[str], str], known: dict[int, tuple[Any, str]], depth: int = 0) -> str:
    """Describe functions and classes by name, other objects by type and content, or by type alone.

    Parameters
    ----------
    mask
        Maps a text to its comparable form.
    known
        Objects described so far by ``id``, each with its description. The reference keeps the ``id`` valid.
    """
    kind = type(value)
    if isinstance(value, FunctionType | type):
        return f"{value.__module__}.{value.__qualname__}"
    if kind in _PLAIN:
        return _digest(kind.__name__, mask(value) if kind is str else repr(value))
    if id(value) in known:
        return known[id(value)][1]
    name = f"{kind.__module__}.{kind.__qualname__}"
    result = f"a {name}"
    known[id(value)] = (value, result)  # ends the recursion of an object that contains itself
    content: list[Any] | str | bytes | None = None
    with suppress(Exception):  # any class may run its own code here
        content = _content(value, mask) if depth < _DEPTH else None
    if isinstance(content, list):
        if all(type(part) in _PLAIN for part in content):  # many times faster for long lists
            parts = [mask(repr(part)) for part in content]
        else:
            parts = [describe_value(part, mask, known, depth + 1) for part in content]
        result = _digest(name, "\n".join(sorted(parts) if isinstance(value, set | frozenset) else parts))
    elif content is not None:
        result = _digest(name, content)
    known[id(value)] = (value, result)
    return result


def _digest(name: str, content: str | bytes) -> str:
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return f"{name} {hashlib.sha256(data).hexdigest()}"


def _content(value: Any, mask: Callable[[str], str]) -> list[Any] | str | bytes | None:
    """Return the parts of an object; None if no part can be compared with those of another process."""
    kind = type(value)
    if kind in (list, tuple) or isinstance(value, set | frozenset):
        return list(value)
    if kind is dict:
        return [part for pair in value.items() for part in pair]
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, PurePath):
        return mask(str(value))
    if kind.__module__.startswith(_CHANCE) or hasattr(kind, "__next__"):
        return None
    table = _TABLES.get(kind.__module__.partition(".")[0])
    result = table(value) if table is not None else None
    return _as_pickled(value) if result is None else result


def _of_pandas(value: Any) -> list[Any] | None:
    """Return columns and index. The block layout is left out, since pandas may consolidate it at any time."""
    if hasattr(value, "columns") and hasattr(value, "iloc"):
        return [value.columns, value.index, *(value.iloc[:, at] for at in range(value.shape[1]))]
    if hasattr(value, "to_numpy") and hasattr(value, "name"):
        return [str(value.dtype), value.name, *([value.index] if hasattr(value, "iloc") else ()), value.to_numpy()]
    return None


def _of_torch(value: Any) -> bytes | None:
    if not hasattr(value, "detach"):
        return None
    numbers = value.detach().cpu().contiguous().reshape(-1).view(sys.modules["torch"].uint8).numpy()
    return f"{value.dtype} {value.device} {tuple(value.shape)}".encode() + bytes(numbers.tobytes())


def _of_numpy(value: Any) -> list[Any] | bytes | None:
    if not hasattr(value, "tobytes"):
        return None
    if value.dtype.hasobject:
        return [str(value.dtype), list(value.shape), value.tolist()]
    return f"{value.dtype} {value.shape}".encode() + bytes(value.tobytes())


_TABLES: dict[str, Callable[[Any], list[Any] | bytes | None]] = {
    "pandas": _of_pandas,
    "torch": _of_torch,
    "numpy": _of_numpy,
}


def _as_pickled(value: Any) -> list[Any] | str:
    """Return the parts that pickle would store: locks and connections have none, loggers have their names."""
    kind = type(value)
    reduced = copyreg.dispatch_table[kind](value) if kind in copyreg.dispatch_table else value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return reduced
    made, arguments, state, items, pairs = [*reduced, None, None, None][:5]
    return [made, *arguments, state, *(items or ()), *(part for pair in pairs or () for part in pair)]
