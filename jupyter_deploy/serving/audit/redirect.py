"""Absolute paths of the notebook's machine that a model opens lead to the packed copies.

Python's functions are wrapped, for exactly those paths and what is below them; without any nothing is touched. What C
code opens by itself is not led anywhere, nor refused in the replay; a deploy warns of the files that a model names so.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

_NAMES = {
    builtins: ("open",),
    io: ("open",),
    os: ("open", "stat", "lstat", "access", "listdir", "scandir"),
}
_PARAMETERS = ("file", "path", "database")
_ABLE = (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks, os.supports_effective_ids)

_leads: dict[str, str] = {}
_wrapped: list[Callable[..., Any]] = []


def redirect(leads: Mapping[str, str]) -> None:
    """From now on, these absolute paths mean those: files, and folders with what is in them."""
    _leads.update(leads)
    if _leads and not _wrapped:
        for module, names in _NAMES.items():
            for name in names:
                _wrap(module, name)
        with contextlib.suppress(ImportError):  # a Python without it opens no database
            import sqlite3

            _wrap(sqlite3, "connect")


def _wrap(module: ModuleType, name: str) -> None:
    function = getattr(module, name)
    wrapped = _leading(function)
    _wrapped.append(wrapped)
    for able in _ABLE:  # os says in sets of functions what they can do
        if function in able:
            able.add(wrapped)
    setattr(module, name, wrapped)


def originals() -> frozenset[str]:
    """The paths that lead elsewhere."""
    return frozenset(_leads)


def led(path: str) -> str | None:
    """Where an absolute path leads; None: it means itself."""
    if not path.startswith("/"):
        return None
    path = os.path.normpath(path)
    at = path
    while at not in _leads:
        if at in ("/", ""):
            return None
        at = at.rpartition("/")[0]
    return _leads[at] + path[len(at) :]


def _leading(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def leading(*arguments: Any, **options: Any) -> Any:
        if arguments:
            return function(_lead(arguments[0]), *arguments[1:], **options)
        named = {name: _lead(options[name]) for name in _PARAMETERS if name in options}
        return function(**(options | named))

    return leading


def _lead(path: Any) -> Any:
    if not isinstance(path, str | bytes | os.PathLike):
        return path
    found = led(os.fsdecode(path))
    if found is None:
        return path
    return os.fsencode(found) if isinstance(path, bytes) else found
