"""The project's own code in a snapshot: the folder ``code/``, importable after its files are verified."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from .descriptions import describe_value

FOLDER = "code"


def unlisted_files(folder: Path, files: Iterable[str]) -> list[str]:
    """Return the importable files in ``code/`` that the manifest does not list.

    Other files, such as caches that a package writes, are ignored.
    """
    known = set(files)
    result = (path.relative_to(folder).as_posix() for path in sorted((folder / FOLDER).rglob("*")))
    return [name for name in result if name.endswith((".py", *EXTENSION_SUFFIXES)) and name not in known]


def install(folder: Path, digests: Mapping[str, str]) -> None:
    """Put a snapshot's ``code/`` first on ``sys.path``, as the project was in the notebook.

    A source file is compiled from the same bytes that were hashed; compiled files are neither read nor written.

    Raises
    ------
    ImportError
        A module of the same name is loaded already.
    """
    root = folder / FOLDER
    names = {name.split("/")[1].partition(".")[0] for name in digests if name.startswith(f"{FOLDER}/")}
    if not names or str(root) in sys.path:
        return
    for name in sorted(names):
        if name in sys.modules and not _is_within(sys.modules[name], root):
            raise ImportError(f"the project's module '{name}' has the name of a loaded module; rename it")

    class Source(SourceFileLoader):
        def path_stats(self, path: Any) -> Mapping[str, Any]:
            raise OSError(f"{path} has no cached bytecode")

        def get_data(self, path: str) -> bytes:
            data = super().get_data(path)
            if path.endswith(".py"):
                expected = digests.get(Path(path).relative_to(folder).as_posix())
                if hashlib.sha256(data).hexdigest() != expected:
                    raise ImportError(f"{path} differs from the captured file")
            return data

    def finder(path: str) -> FileFinder:
        if not Path(path).is_relative_to(root):
            raise ImportError(f"{path} is not below {root}")
        return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (Source, [".py"]))

    sys.path_hooks.insert(0, finder)
    sys.path.insert(0, str(root))


def _is_within(module: ModuleType, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    folders = [file] if file else list(getattr(module, "__path__", ()))
    return bool(folders) and all(Path(place).is_relative_to(root) for place in folders)


def loaded(root: Path) -> dict[str, ModuleType]:
    """Return the loaded modules that come from a folder, by name."""
    modules = {name: module for name, module in list(sys.modules.items()) if isinstance(module, ModuleType)}
    return {name: module for name, module in modules.items() if _is_within(module, root)}


def globals_of(module: ModuleType, folders: Iterable[Path] = ()) -> dict[str, str]:
    """Describe each global of a module, comparable with the same module in another process.

    Functions and classes are described by name, other values by content, or by type if they cannot be pickled;
    attributes of the module's own classes as ``Class.attribute``. Modules and names that begin with two underscores are
    left out.

    Parameters
    ----------
    folders
        Folders with another path in another process, such as the module's own; masked in texts.
    """
    roots = sorted({text for place in folders for text in (str(place), os.path.realpath(place))}, key=len, reverse=True)

    def mask(text: str) -> str:
        for root in roots:
            text = text.replace(root, "…") if len(root) > 1 else text
        return text

    result: dict[str, str] = {}
    for name, value in list(vars(module).items()):
        if _is_compared(name, value):
            result[name] = describe_value(value, mask, {})
            if isinstance(value, type) and value.__module__ == module.__name__:
                result |= {
                    f"{name}.{k}": describe_value(v, mask, {})
                    for k, v in list(vars(value).items())
                    if _is_compared(k, v)
                }
    return result


def _is_compared(name: str, value: Any) -> bool:
    return not name.startswith("__") and name != "_abc_impl" and not isinstance(value, ModuleType)
