"""Origins of modules: the standard library, an installed distribution, or a folder of the user."""

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
class ModuleLocation:
    """The location of a module.

    Attributes
    ----------
    file
        The module's file; ``__init__.py`` for a package, None for a namespace package.
    folders
        A package's folders of modules.
    """

    name: str
    file: Path | None
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LocalDistribution:
    """A distribution that was installed from a local folder or file, and that no index offers.

    Attributes
    ----------
    source
        The folder or file.
    editable
        Whether Python imports the folder's own files.
    """

    name: str
    version: str
    source: Path
    editable: bool


def local_distributions() -> list[LocalDistribution]:
    """Return the distributions installed from local folders or files, by name (PEP 610)."""
    distributions = {}
    for distribution in metadata.distributions():
        # conda records the folder in which its package was built.
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
            distributions[name] = LocalDistribution(name, distribution.version, Path(unquote(url.path)), editable)
    return sorted(distributions.values(), key=lambda local: local.name.lower())


def is_local(path: Path) -> bool:
    """Whether a file is the user's own: outside the standard library, installed distributions and nbdeploy.

    Files of an editable install and of folders on ``sys.path`` are local.
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
    paths = {sysconfig.get_path(name, vars=variables) for name in names for variables in (None, base)}
    return tuple({Path(p).resolve() for p in (*paths, *site.getsitepackages(), site.getusersitepackages()) if p})


def loaded_files() -> set[Path]:
    """Return the files of loaded local modules, symbolic links resolved."""
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    files = [Path(file) for module in modules if (file := getattr(module, "__file__", None))]
    local = {folder for folder in {file.parent for file in files} if _is_local_folder(os.path.realpath(folder))}
    return {file.resolve() for file in files if file.parent in local}


def locate(name: str) -> ModuleLocation | None:
    """Return the location that a module was, or would be, imported from, without an import."""
    module = sys.modules.get(name)
    if isinstance(module, ModuleType):
        return _location(name, getattr(module, "__file__", None), getattr(module, "__path__", None))
    parent, _, _ = name.rpartition(".")
    if not parent:
        spec = _first_spec(name)
    else:
        package = locate(parent)
        spec = PathFinder.find_spec(name, [str(f) for f in package.folders]) if package and package.folders else None
    if spec is None:
        return None
    return _location(name, spec.origin if spec.has_location else None, spec.submodule_search_locations)


def _first_spec(name: str) -> ModuleSpec | None:
    for finder in sys.meta_path:
        with contextlib.suppress(Exception):  # an installed finder may raise anything
            spec = finder.find_spec(name, None)
            if spec is not None:
                return spec
    return None


def _location(name: str, file: str | None, folders: Iterable[str] | None) -> ModuleLocation | None:
    if file is None and folders is None:
        return None
    if file is not None and file.endswith(".pyc"):
        file = importlib.util.source_from_cache(file) if "__pycache__" in file else file
    return ModuleLocation(
        name, Path(file).absolute() if file else None, tuple(Path(f).absolute() for f in folders or ())
    )


def local_module(name: str) -> ModuleLocation | None:
    """Return the location of a local module; None for any other."""
    location = locate(name)
    if location is None:
        return None
    if location.file is None:
        return location if any(is_local(folder / "_") for folder in location.folders) else None
    return location if location.file.parent.is_dir() and is_local(location.file) else None
