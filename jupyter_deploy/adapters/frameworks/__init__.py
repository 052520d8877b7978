"""Frameworks by entry point: what nbdeploy knows of the libraries that models are made with."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from typing import Any

from .base import Framework, NativeWriter

__all__ = ["Framework", "NativeWriter", "framework_of", "frameworks"]

GROUP = "nbdeploy.frameworks"


@lru_cache(maxsize=1)
def frameworks() -> tuple[Framework, ...]:
    """All that are installed, the plain one last."""
    found = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    return (*(entry.load()() for _, entry in sorted(found.items())), Framework())


def framework_of(model: Any) -> Framework:
    """The framework whose class comes first among the model's own class and its bases."""
    order = type(model).__mro__
    bases = [(framework.base_of(model), framework) for framework in frameworks()]
    known = [(order.index(base), framework) for base, framework in bases if base in order]
    return min(known, key=lambda pair: pair[0])[1]
