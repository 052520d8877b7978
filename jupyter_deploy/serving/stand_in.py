"""The module ``jupyter_deploy`` of a bento: what a model's code may use of this package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .connections import connection
from .role import serving_role


def install_stub() -> None:
    """Give the model a module ``jupyter_deploy`` with ``serving_role``, ``connection`` and ``feature_lookup`` alone.

    A model's code may import that package, which need not be installed where a bento is served. The stub also replaces
    an installed package, so the replay proves that the model needs no more of it. A process that has loaded the real
    package keeps it.
    """
    name = __name__.partition(".")[0]
    if name != "jupyter_deploy" and "jupyter_deploy" not in sys.modules:
        module = ModuleType("jupyter_deploy", "The part of jupyter_deploy that a bento has.")
        vars(module)["serving_role"] = serving_role
        vars(module)["connection"] = connection
        vars(module)["feature_lookup"] = feature_lookup
        sys.modules["jupyter_deploy"] = module


def feature_lookup(connection: Callable[[], Any], **options: Any) -> Any:
    """See ``jupyter_deploy.feature_lookup``."""
    from .features.lookup import FeatureLookup  # only where a model has one

    return FeatureLookup(connection, **options)
