"""The role of the current model call: the value that ``jupyter_deploy.serving_role()`` returns to the model's code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType

# A model runs one call at a time (predictor.py), so the value also holds in threads that the model starts.
_role: str | None = None


def serving_role() -> str | None:
    """Return ``stable``, ``canary``, ``shadow``, ``probe`` or ``direct``; None if no request is being answered."""
    return _role


@contextlib.contextmanager
def in_role(role: str) -> Iterator[None]:
    """Set the role for the model calls within this context."""
    global _role  # noqa: PLW0603 - see above
    _role = role
    try:
        yield
    finally:
        _role = None


def install_stub() -> None:
    """Give the model a module ``jupyter_deploy`` with ``serving_role`` and nothing else.

    A model's code may import that package, which need not be installed where a bento is served. The stub also replaces
    an installed package, so the replay proves that the model needs no more of it. A process that has loaded the real
    package keeps it.
    """
    name = __name__.partition(".")[0]
    if name != "jupyter_deploy" and "jupyter_deploy" not in sys.modules:
        module = ModuleType("jupyter_deploy", "The part of jupyter_deploy that a bento has.")
        vars(module)["serving_role"] = serving_role
        sys.modules["jupyter_deploy"] = module
