"""A patch that lets BentoML start without a writable folder, such as in a container with a read-only root.

At startup BentoML makes a temporary folder for the files that the services of a multi-service bento exchange. A bento
of nbdeploy has one service and exchanges none.
"""

from __future__ import annotations

import importlib
import tempfile
from types import SimpleNamespace


class _NoFolder:
    name = "/nonexistent"

    def __init__(self, **_options: str) -> None:
        """Accept the options of ``tempfile.TemporaryDirectory``."""

    def cleanup(self) -> None:
        """Do nothing: there is no folder."""


def has_temporary_folder() -> bool:
    """Return whether this process has a temporary folder."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return False
    return True


def disable_temporary_folder() -> None:
    """Make BentoML start without its temporary folder."""
    client = importlib.import_module("_bentoml_impl.client.proxy2")
    vars(client)["tempfile"] = SimpleNamespace(
        TemporaryDirectory=_NoFolder, NamedTemporaryFile=tempfile.NamedTemporaryFile
    )
