"""The role of the current model call: the value that ``jupyter_deploy.serving_role()`` returns to the model's code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

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
