"""Entry points of installed distributions, read from their files.

``importlib.metadata`` imports ``email`` and parses every distribution's file, which each command would wait for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

_FOLDERS = (".dist-info", ".egg-info")


def entry_points(group: str) -> dict[str, str]:
    """Return a group's entry points, ``module:attribute`` by name; the first on the path wins."""
    found: dict[str, str] = {}
    for text in _files(_state_of_the_path()):
        section = ""
        for line in map(str.strip, text.splitlines()) if f"[{group}]" in text else ():
            name, equals, place = line.partition("=")
            if line.startswith("["):
                section = line
            elif section == f"[{group}]" and equals and not line.startswith("#"):
                found.setdefault(name.strip(), place.strip())
    return found


def load(place: str) -> Any:
    """Import the attribute of ``module:attribute [extra]``."""
    module, _, names = place.partition("[")[0].strip().partition(":")
    value: Any = import_module(module.strip())
    for name in names.strip().split("."):
        value = getattr(value, name)
    return value


def is_installed(distribution: str) -> bool:
    """Whether a distribution with this name, in its normal form with ``_``, is on the path."""
    return any(
        name.startswith(f"{distribution}-") or name == f"{distribution}.egg-info"
        for name in (folder.lower() for folder, _ in _distributions())
    )


def _state_of_the_path() -> tuple[tuple[str, int], ...]:
    """The folders of the path with their times of change: a distribution may be installed while a kernel runs."""
    found = []
    for folder in dict.fromkeys(sys.path):
        with contextlib.suppress(OSError):
            found.append((folder, Path(folder or ".").stat().st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=1)
def _files(_path: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """The texts of all entry points' files: hundreds of files, of which a command needs three groups."""
    found = []
    for _, path in _distributions():
        with contextlib.suppress(OSError):  # it has none
            found.append(Path(path, "entry_points.txt").read_text("utf-8"))
    return tuple(found)


def _distributions() -> Iterator[tuple[str, str]]:
    for folder in dict.fromkeys(sys.path):
        try:
            entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith(_FOLDERS):
                yield entry.name, entry.path
