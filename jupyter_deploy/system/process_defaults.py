"""What is right in processes of nbdeploy's own, and would not be in a notebook's kernel or somebody's server."""

from __future__ import annotations

import sys
from typing import Any


def without_slow_formats() -> None:
    """Let jsonschema do without the format ``iri``, which no notebook's schema has.

    nbformat imports jsonschema. Where ``rfc3987-syntax`` is installed, as beside every JupyterLab, jsonschema imports
    it, and it compiles a grammar: more than a second of the processor for each process that reads a notebook.
    """
    modules: dict[str, Any] = sys.modules  # None: 'not to be found', by Python's reference of the import system
    modules.setdefault("rfc3987_syntax", None)
