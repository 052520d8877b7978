"""Parts of a model that are stored in a format of their framework's own: one module a format, with a ``load``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

# Classes whose objects are asked with a container of their own library: module, class -> who makes it of a request.
_ADAPTERS = {("xgboost.core", "Booster"): "xgboost"}


def callable_of(native: Any, method: str | None) -> Callable[..., Any]:
    """What answers a batch or a call's arguments, as a request brings them and as the notebook's example has them."""
    for base in type(native).__mro__ if method is not None else ():
        module = _ADAPTERS.get((base.__module__, base.__name__))
        if module is not None:
            return import_module(f".{module}", __name__).adapt(native, method)  # type: ignore[no-any-return]
    return native if method is None else getattr(native, method)  # type: ignore[no-any-return]


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
    loader = import_module(module) if function else import_module(f".{module}", __name__)
    return getattr(loader, function or "load")(folder, *arguments)
