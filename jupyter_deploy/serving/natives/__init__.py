"""Loaders of model parts in their framework's own format: one module a format, each with ``load``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def callable_of(native: Any, method: str | None) -> Callable[..., Any]:
    """Return the function that answers a batch or a call's arguments, for requests and for the notebook's example."""
    for base in type(native).__mro__ if method is not None else ():
        module = _module_of(base.__module__.partition(".")[0])
        if (base.__module__, base.__name__) in getattr(module, "ADAPTED", ()):
            return module.adapt(native, method)  # type: ignore[no-any-return]
    return native if method is None else getattr(native, method)  # type: ignore[no-any-return]


def _module_of(library: str) -> Any:
    """The module of this package that is named as a library; None: there is none.

    Its ``ADAPTED`` names the classes, as module and class, that take a container of their own library; its ``adapt``
    converts to it.
    """
    is_here = library.isidentifier() and Path(__file__).with_name(f"{library}.py").is_file()
    return import_module(f".{library}", __name__) if is_here else None


def restore(folder: Path, reference: tuple[Any, ...]) -> Any:
    """Load a part that a pickle refers to.

    Parameters
    ----------
    folder
        The snapshot's folder, whose digests are verified.
    reference
        The format's name, or another distribution's loader as ``package.module:function``, followed by its arguments.
    """
    format_, *arguments = reference
    module, _, function = format_.partition(":")
    loader = import_module(module) if function else import_module(f".{module}", __name__)
    return getattr(loader, function or "load")(folder, *arguments)
