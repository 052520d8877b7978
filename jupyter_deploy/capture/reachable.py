"""Names that the model's code can reach: a global outside them cannot change an answer."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Iterator
from types import FunctionType, ModuleType
from typing import Any

from jupyter_deploy.environments.module_origins import local_module
from jupyter_deploy.environments.module_sources import imports_in

from .pickling import PLAIN, names_of, parts

_LIMIT = 200_000

# With these, code reaches objects without naming them.
_DYNAMIC = frozenset(
    {"globals", "locals", "vars", "dir", "eval", "exec", "query", "evaluate", "getattr", "attrgetter", "getmembers"}
    | {"__dict__", "__getattribute__", "modules", "_getframe", "currentframe", "stack", "import_module", "__import__"}
)


def names_reached(*roots: Any) -> Collection[str] | None:
    """Return the names in all code of the notebook and the project that the objects can reach.

    None if unknown: some code looks up names dynamically, or the walk is too long.
    """
    names: set[str] = set()
    queue, modules, seen = list(roots), dict[str, ModuleType](), dict[int, Any]()
    while queue:
        part = queue.pop()
        if isinstance(part, PLAIN) or id(part) in seen:
            continue
        seen[id(part)] = part  # kept, or a new object could get its address
        if len(seen) > _LIMIT:
            return None
        if isinstance(part, ModuleType):
            modules |= {part.__name__: part} if local_module(part.__name__) else {}
        else:
            try:
                queue.extend(_within(part))
            except Exception:  # noqa: BLE001 - an object of any class may raise
                return None
            names.update(_names_in(part))
        if not names.isdisjoint(_DYNAMIC):
            return None
        if not queue:
            queue = [vars(m)[n] for m in modules.values() for n in names & vars(m).keys() if id(vars(m)[n]) not in seen]
            queue = [value for value in queue if not isinstance(value, PLAIN)]
    return names


def _within(part: Any) -> Iterator[Any]:
    code = isinstance(part, FunctionType | type)
    if code and not _is_local(part):
        return
    yield from (child for _, child in parts(part))
    if isinstance(part, type):
        yield from part.__bases__
    if isinstance(part, FunctionType):
        yield from _imported(part)
    else:
        yield type(part)
        yield from () if isinstance(part, type) else getattr(part, "__dict__", {}).values()
    yield from part if isinstance(part, deque) else ()


def _names_in(part: Any) -> Iterator[str]:
    if isinstance(part, FunctionType | type) and _is_local(part):
        yield from part.__qualname__.split(".")
        yield from names_of(part.__code__) if isinstance(part, FunctionType) else ()


def _is_local(part: FunctionType | type) -> bool:
    name = part.__module__
    return isinstance(name, str) and (name == "__main__" or local_module(name) is not None)


def _imported(function: FunctionType) -> Iterator[ModuleType]:
    for name in imports_in(function.__code__, function.__globals__.get("__package__")):
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            yield module
