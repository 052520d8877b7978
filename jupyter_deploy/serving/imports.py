"""Preloading of the modules that a process is likely to need, and a check of which of them it needed.

A process that has started and imported its modules answers one or two seconds sooner. But code that depends on an
accidental import (``import scipy`` and a use of ``scipy.stats``) passes in such a process and fails in a clean one.
``Imports`` therefore records which module imports which, and ``Imports.unused`` names the preloaded modules that
nothing requested. If there are any, the process proves nothing, and a clean process must replace it.

Standard library only, and no import of this package: other programs load this file by path.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

FILE = "imports.json"
"""A file next to a snapshot's manifest, not part of the snapshot: the modules to preload for its replay."""


class Imports:
    """Records which module imports which, from ``preload`` to ``close``."""

    def __init__(self) -> None:
        self._preloaded: frozenset[str] = frozenset()
        self._importers_of: dict[str, set[str]] = {}  # module -> the modules that it imported
        self._requested: set[str] = set()
        self._import, self._import_module = builtins.__import__, importlib.import_module

    def preload(self, names: Iterable[str]) -> None:
        """Import modules; those that cannot be imported are skipped."""
        began = set(sys.modules)
        builtins.__import__ = self._noting
        importlib.import_module = self._noting_module
        for name in names:
            before = len(sys.modules)
            with contextlib.suppress(Exception):  # an import may raise anything
                self._import_module(name)
            self._note(None, name, set(), before)
        self._preloaded = frozenset(sys.modules) - began

    def unused(self) -> list[str]:
        """Return the preloaded modules that nothing has imported since, neither directly nor through other modules."""
        reached, queue = set[str](), list(self._requested)
        while queue:
            name = queue.pop()
            if name not in reached:
                reached.add(name)
                parent = name.rpartition(".")[0]
                queue += [*self._importers_of.get(name, ()), *([parent] if parent else ())]
        return sorted(self._preloaded - reached)

    def names(self) -> set[str]:
        """Return the modules whose imports were recorded, directly or within the import of another one."""
        return self._requested | self._importers_of.keys()

    def close(self) -> None:
        """Restore the import functions."""
        builtins.__import__, importlib.import_module = self._import, self._import_module

    def _noting(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature is the language's
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        before = len(sys.modules)
        module = self._import(name, globals, locals, fromlist or (), level)
        named = _absolute(name, globals or {}, level)
        imported = {named, *(f"{named}.{part}" for part in fromlist or () if f"{named}.{part}" in sys.modules)}
        self._note((globals or {}).get("__name__"), named, imported, before)
        return module

    def _noting_module(self, name: str, package: str | None = None) -> ModuleType:
        before = len(sys.modules)
        module = self._import_module(name, package)
        self._note(sys._getframe(1).f_globals.get("__name__"), module.__name__, {module.__name__}, before)
        return module

    def _note(self, by: str | None, named: str, imported: set[str], before: int) -> None:
        if self._preloaded and by not in self._preloaded:
            self._requested |= imported
        elif by is not None:  # a preloaded module may be reached by accident
            self._importers_of.setdefault(by, set()).update(imported)
        if (count := len(sys.modules) - before) > 0:  # includes imports by C code, which bypass the hooks
            added = set(islice(reversed(sys.modules), count))
            for name in imported & added or {named}:
                self._importers_of.setdefault(name, set()).update(added - imported)


def _absolute(name: str, within: Mapping[str, Any], level: int) -> str:
    if not level:
        return name
    package = within.get("__package__") or getattr(within.get("__spec__"), "parent", None) or ""
    base = package.rsplit(".", level - 1)[0]
    return f"{base}.{name}" if name else base


def importable(known: tuple[str, ...]) -> list[str]:
    """Return the modules of this process that another process can preload, in import order.

    ``known`` holds the path prefixes of the standard library and the installed distributions. Modules below other paths
    may change while a process waits.
    """
    return [name for name, module in list(sys.modules.items()) if name != "__main__" and _is_of(module, name, known)]


def foreign_modules(known: tuple[str, ...], own: Path) -> list[str]:
    """Return the loaded modules that are neither below ``known`` nor in the folder ``own``."""
    imported = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return [
        name
        for name, file in imported.items()
        if name != "__main__"
        and isinstance(file, str)
        and file.startswith(os.sep)  # torch.ops, made by code, has the file "_ops.py"
        and not file.startswith((*known, f"{own}{os.sep}"))
    ]


def installed() -> tuple[tuple[str, int], ...]:
    """Return a value that changes if a distribution is installed, changed or removed."""
    return tuple((path, Path(path).stat().st_mtime_ns) for path in dict.fromkeys(_places()) if Path(path).is_dir())


def _places() -> Iterator[str]:
    yield from (sysconfig.get_paths()[key] for key in ("purelib", "platlib"))
    yield from (*site.getsitepackages(), site.getusersitepackages())


def _is_of(module: object, name: str, known: tuple[str, ...]) -> bool:
    spec = getattr(module, "__spec__", None)
    if getattr(spec, "name", None) != name:  # an alias, or a module created by code
        return False
    origin = getattr(spec, "origin", None)
    return origin in (None, "built-in", "frozen") or str(origin).startswith(known)
