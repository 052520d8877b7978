"""Handling of a request for which a database or service of the model is away: the client may retry."""

from __future__ import annotations

from ..asgi.problems import Problem
from ..connections import after_failure, unavailable


def unavailable_problem(error: BaseException) -> Problem | None:
    """Return a problem 503 if a connection of the model cannot be made or is broken, else None."""
    failed = unavailable(error)
    seconds = failed.retry_after if failed is not None else after_failure()
    if seconds is None:
        return None
    detail = "a resource of the model, such as its database, is unavailable; try again"
    return Problem(503, detail, headers=[(b"retry-after", str(seconds).encode())])
