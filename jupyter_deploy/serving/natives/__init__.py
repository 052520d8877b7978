"""Loaders of model parts in their framework's own format: one module a format, each with ``load``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

# Classes that take a container of their own library: module, class -> the module of this package that converts to it.
_ADAPTERS = {("xgboost.core", "Booster"): "xgboost"}


def callable_of(native: Any, method: str | None) -> Callable[..., Any]:
    """Return the function that answers a batch or a call's arguments, for requests and for the notebook's example."""
    for base in type(native).__mro__ if method is not None else ():
        module = _ADAPTERS.get((base.__module__, base.__name__))
        if module is not None:
            return import_module(f".{module}", __name__).adapt(native, method)  # type: ignore[no-any-return]
    return native if method is None else getattr(native, method)  # type: ignore[no-any-return]


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
