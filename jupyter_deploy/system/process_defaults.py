"""Defaults for nbdeploy's own processes that do not suit a notebook's kernel or a user's server."""

from __future__ import annotations

import sys
from typing import Any


def without_slow_formats() -> None:
    """Disable jsonschema's format ``iri``, which no notebook's schema uses.

    nbformat imports jsonschema. If ``rfc3987-syntax`` is installed, as with every JupyterLab, jsonschema imports it
    and it compiles a grammar: more than a second of CPU time in each process that reads a notebook.
    """
    modules: dict[str, Any] = sys.modules  # None makes the import fail, see Python's reference of the import system
    modules.setdefault("rfc3987_syntax", None)
