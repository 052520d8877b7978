"""Parts of a model that are stored in a format of their framework's own: one module a format, with a ``load``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def callable_of(native: Any, method: str | None) -> Callable[..., Any]:
    """What answers a batch or a call's arguments, as a request brings them and as the notebook's example has them."""
    for base in type(native).__mro__ if method is not None else ():
        module = _module_of(base.__module__.partition(".")[0])
        if (base.__module__, base.__name__) in getattr(module, "ASKED", ()):
            return module.asked(native, method)  # type: ignore[no-any-return]
    return native if method is None else getattr(native, method)  # type: ignore[no-any-return]


def _module_of(library: str) -> Any:
    """The module of this package that is named as a library; None: there is none.

    Its ``ASKED`` names the classes, as module and class, that are asked with a container of their own library; its
    ``asked`` makes that of a request.
    """
    is_here = library.isidentifier() and Path(__file__).with_name(f"{library}.py").is_file()
    return import_module(f".{library}", __name__) if is_here else None


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
