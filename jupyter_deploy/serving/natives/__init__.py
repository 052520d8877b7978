"""Parts of a model that are stored in a format of their framework's own: one module a format, with a ``load``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any


def restore(folder: Path, reference: tuple[Any, ...]) -> Any:
    """The part that a pickle refers to.

    Parameters
    ----------
    folder
        The snapshot's; its files' digests have been verified.
    reference
        The format's name, or the loader of another distribution as ``package.module:function``; and what it needs.
    """
    format_, *arguments = reference
    module, _, function = format_.partition(":")
    found = import_module(module) if function else import_module(f".{module}", __name__)
    return getattr(found, function or "load")(folder, *arguments)
