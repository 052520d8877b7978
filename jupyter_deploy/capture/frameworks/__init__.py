"""Frameworks by entry point: what nbdeploy knows of the libraries that models are made with.

``boosters``, ``layers`` and ``parameters`` are what frameworks share; each other module is a framework.
"""

from __future__ import annotations

import contextlib
import warnings
from functools import lru_cache
from importlib import metadata
from typing import Any

from .base import Framework, NativeWriter

__all__ = ["Framework", "NativeWriter", "described", "features_of", "framework_of", "frameworks"]

GROUP = "nbdeploy.frameworks"


@lru_cache(maxsize=1)
def frameworks() -> tuple[Framework, ...]:
    """All that are installed, the plain one last."""
    found = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    loaded = (_loaded(entry) for _, entry in sorted(found.items()))
    return (*(framework for framework in loaded if framework is not None), Framework())


def _loaded(entry: metadata.EntryPoint) -> Framework | None:
    try:
        framework: Framework = entry.load()()
    except Exception as error:  # noqa: BLE001 - of another distribution, which may be broken in any way
        warnings.warn(
            f"nbdeploy goes without the framework '{entry.name}' ({entry.value}), which cannot be loaded: "
            f"{type(error).__name__}: {error}",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return framework


def framework_of(model: Any) -> Framework:
    """The framework whose class comes first among the model's own class and its bases."""
    order = type(model).__mro__
    bases = [(framework.base_of(model), framework) for framework in frameworks()]
    known = [(order.index(base), framework) for base, framework in bases if base in order]
    return min(known, key=lambda pair: pair[0])[1]


def features_of(model: Any) -> tuple[str, ...] | None:
    """Names of the columns that it was fitted on; None where it cannot say them, as before it is fitted."""
    with contextlib.suppress(Exception):
        return framework_of(model).features(model)
    return None


def described(model: Any) -> tuple[tuple[str, ...] | None, dict[str, Any]]:
    """Its features and hyperparameters; none where it cannot say them, since a deploy does not depend on them."""
    hyperparameters = {}
    with contextlib.suppress(Exception):
        hyperparameters = framework_of(model).hyperparameters(model)
    return features_of(model), hyperparameters
