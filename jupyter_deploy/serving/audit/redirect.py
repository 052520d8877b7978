"""Redirection of absolute paths of the notebook's machine to the packed copies.

Python's functions are wrapped, for exactly those paths and their contents; without any, nothing is wrapped. Paths that
C code opens are neither redirected nor refused in the replay; a deploy warns about them.
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
_SUPPORT = (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks, os.supports_effective_ids)

_targets: dict[str, str] = {}
_wrapped: list[Callable[..., Any]] = []


def redirect(targets: Mapping[str, str]) -> None:
    """Redirect absolute paths to their copies from now on: files, and folders with their contents."""
    _targets.update(targets)
    if _targets and not _wrapped:
        for module, names in _NAMES.items():
            for name in names:
                _wrap(module, name)
        with contextlib.suppress(ImportError):  # a Python without sqlite3 opens no database
            import sqlite3

            _wrap(sqlite3, "connect")


def _wrap(module: ModuleType, name: str) -> None:
    function = getattr(module, name)
    wrapped = _redirecting(function)
    _wrapped.append(wrapped)
    for supporting in _SUPPORT:  # os lists the capabilities of functions in sets
        if function in supporting:
            supporting.add(wrapped)
    setattr(module, name, wrapped)


def redirected_paths() -> frozenset[str]:
    """Return the redirected paths."""
    return frozenset(_targets)


def target_of(path: str) -> str | None:
    """Return the target of an absolute path; None if it is not redirected."""
    if not path.startswith("/"):
        return None
    path = os.path.normpath(path)
    at = path
    while at not in _targets:
        if at in ("/", ""):
            return None
        at = at.rpartition("/")[0]
    return _targets[at] + path[len(at) :]


def _redirecting(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def redirected(*arguments: Any, **options: Any) -> Any:
        if arguments:
            return function(_redirect(arguments[0]), *arguments[1:], **options)
        named = {name: _redirect(options[name]) for name in _PARAMETERS if name in options}
        return function(**(options | named))

    return redirected


def _redirect(path: Any) -> Any:
    if not isinstance(path, str | bytes | os.PathLike):
        return path
    target = target_of(os.fsdecode(path))
    if target is None:
        return path
    return os.fsencode(target) if isinstance(path, bytes) else target
