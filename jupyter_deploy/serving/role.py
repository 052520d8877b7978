"""In which role the model is being asked: what ``jupyter_deploy.serving_role()`` tells the model's own code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType

# One model is asked one thing at a time (predictor.py), so this holds in threads that the model starts too.
_role: str | None = None


def serving_role() -> str | None:
    """``stable``, ``canary``, ``shadow``, ``probe`` or ``direct``; None when no request is being answered."""
    return _role


@contextlib.contextmanager
def in_role(role: str) -> Iterator[None]:
    """Within, the model is asked in this role."""
    global _role  # noqa: PLW0603 - see above
    _role = role
    try:
        yield
    finally:
        _role = None


def install_stub() -> None:
    """Give the model a ``jupyter_deploy`` that has ``serving_role`` and nothing else.

    A model's code names that package, which need not be installed where a bento is served. Where it is, this one
    takes its place all the same: so the replay proves that the model needs no more of it. A process that has the
    real one loaded keeps it.
    """
    name = __name__.partition(".")[0]
    if name != "jupyter_deploy" and "jupyter_deploy" not in sys.modules:
        module = ModuleType("jupyter_deploy", "What a bento has of jupyter_deploy.")
        vars(module)["serving_role"] = serving_role
        sys.modules["jupyter_deploy"] = module
