"""Where modules come from: the standard library, an installed distribution, or somebody's own folder."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Place:
    """Where a module is.

    Attributes
    ----------
    file
        Its file; of a package ``__init__.py``, of a namespace package none.
    folders
        Of a package: where its modules are.
    """

    name: str
    file: Path | None
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LocalDistribution:
    """A distribution that was installed from a folder or file of this machine: no index offers it.

    Attributes
    ----------
    source
        That folder or file.
    editable
        What is in the folder is what is imported.
    """

    name: str
    version: str
    source: Path
    editable: bool


def local_distributions() -> list[LocalDistribution]:
    """The installed distributions that come from this machine, by name (PEP 610)."""
    found = {}
    for distribution in metadata.distributions():
        # conda notes the folder in which its package was built.
        if (distribution.read_text("INSTALLER") or "").strip() == "conda":
            continue
        try:
            origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        except ValueError:
            continue
        url = urlsplit(origin.get("url", ""))
        if url.scheme == "file":
            name = distribution.metadata["Name"]
            editable = bool(origin.get("dir_info", {}).get("editable"))
            found[name] = LocalDistribution(name, distribution.version, Path(unquote(url.path)), editable)
    return sorted(found.values(), key=lambda one: one.name.lower())


def is_local(path: Path) -> bool:
    """Whether a file is somebody's own: neither the standard library's nor an installed distribution's, nor nbdeploy's.

    The files of an editable install and of folders that were put on the path are local.
    """
    return _is_local_folder(os.path.realpath(path.parent))


@cache  # a kernel has thousands of modules in some hundred folders
def _is_local_folder(folder: str) -> bool:
    path = Path(folder)
    if path.is_relative_to(_PACKAGE) or any(part in _INSTALLED for part in path.parts):
        return False
    return not any(path.is_relative_to(root) for root in _installed_roots())


@cache
def _installed_roots() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    paths = {sysconfig.get_path(name, vars=given) for name in names for given in (None, base)}
    return tuple({Path(p).resolve() for p in (*paths, *site.getsitepackages(), site.getusersitepackages()) if p})


def loaded_files() -> set[Path]:
    """The files of somebody's own modules that are loaded here, symbolic links followed."""
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    files = [Path(file) for module in modules if (file := getattr(module, "__file__", None))]
    return {file.resolve() for file in files if is_local(file)}


def locate(name: str) -> Place | None:
    """Where a module is, or would be imported from; nothing is imported for it."""
    module = sys.modules.get(name)
    if isinstance(module, ModuleType):
        return _place(name, getattr(module, "__file__", None), getattr(module, "__path__", None))
    parent, _, _ = name.rpartition(".")
    if not parent:
        spec = _first_spec(name)
    else:
        package = locate(parent)
        spec = PathFinder.find_spec(name, [str(f) for f in package.folders]) if package and package.folders else None
    if spec is None:
        return None
    return _place(name, spec.origin if spec.has_location else None, spec.submodule_search_locations)


def _first_spec(name: str) -> ModuleSpec | None:
    for finder in sys.meta_path:
        with contextlib.suppress(Exception):  # one that somebody installed may do anything
            spec = finder.find_spec(name, None)
            if spec is not None:
                return spec
    return None


def _place(name: str, file: str | None, folders: Iterable[str] | None) -> Place | None:
    if file is None and folders is None:
        return None
    if file is not None and file.endswith(".pyc"):
        file = importlib.util.source_from_cache(file) if "__pycache__" in file else file
    return Place(name, Path(file).absolute() if file else None, tuple(Path(f).absolute() for f in folders or ()))


def local_place(name: str) -> Place | None:
    """Where a module of somebody's own is; None for any other."""
    place = locate(name)
    if place is None:
        return None
    if place.file is None:
        return place if any(is_local(folder / "_") for folder in place.folders) else None
    return place if place.file.parent.is_dir() and is_local(place.file) else None
