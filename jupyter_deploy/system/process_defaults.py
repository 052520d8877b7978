"""Defaults for nbdeploy's own processes that do not suit a notebook's kernel or a user's server."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any

_PLUGINS = "pydantic.plugin._loader"


def in_utf8() -> None:
    """Start this program again in Python's UTF-8 mode if its encoding of file names is another one.

    With ``PYTHONUTF8=0`` in a locale that is not installed, it is ASCII. Names with other letters then fail wherever
    they are written: in JSON, in the store, in a notebook. Child processes inherit the mode.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def without_slow_formats() -> None:
    """Disable jsonschema's format ``iri``, which no notebook's schema uses.

    nbformat imports jsonschema. If ``rfc3987-syntax`` is installed, as with every JupyterLab, jsonschema imports it
    and it compiles a grammar: more than a second of CPU time in each process that reads a notebook.
    """
    modules: dict[str, Any] = sys.modules  # None makes the import fail, see Python's reference of the import system
    modules.setdefault("rfc3987_syntax", None)


def without_pydantic_plugins() -> None:
    """Disable pydantic's plugins, which no model of this package uses.

    To find them, pydantic imports ``importlib.metadata`` and reads the metadata of all distributions: a seventh of the
    time of ``nbdeploy list``. Its variable ``PYDANTIC_DISABLE_PLUGINS`` avoids the latter alone, and a notebook would
    inherit it.
    """
    if "pydantic" not in sys.modules:
        sys.modules.setdefault(_PLUGINS, _NoPlugins(_PLUGINS))


class _NoPlugins(ModuleType):
    """pydantic's module that finds plugins, without any; if pydantic uses another name of it, that module itself."""

    def get_plugins(self) -> tuple[()]:
        return ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        sys.modules.pop(_PLUGINS, None)
        return getattr(importlib.import_module(_PLUGINS), name)
