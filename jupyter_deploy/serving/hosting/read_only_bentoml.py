"""BentoML where there is no folder to write to, such as in a container whose root is read-only.

At its start it makes a temporary folder for a client of its own: for files that a service of several sends from one to
the other. What is served here is one, and sends none.
"""

from __future__ import annotations

import importlib
import tempfile
from types import SimpleNamespace


class _NoFolder:
    name = "/nonexistent"

    def __init__(self, **_options: str) -> None:
        """As of ``tempfile.TemporaryDirectory``."""

    def cleanup(self) -> None:
        """Nothing was made."""


def has_temporary_folder() -> bool:
    """Whether this process has a temporary folder."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return False
    return True


def disable_temporary_folder() -> None:
    """Have BentoML start without one."""
    client = importlib.import_module("_bentoml_impl.client.proxy2")
    vars(client)["tempfile"] = SimpleNamespace(
        TemporaryDirectory=_NoFolder, NamedTemporaryFile=tempfile.NamedTemporaryFile
    )
