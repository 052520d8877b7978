"""What the notebook faces share: several results as one thing, and errors that show their words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_deploy.domain.errors import DeployError

from .shell import current_shell


class Listing(list[Any]):
    """A list that a notebook shows as a table."""

    def __str__(self) -> str:
        """The table as text."""
        from .render import text  # noqa: PLC0415 - it renders what this module defines

        return text(self)


@contextmanager
def readable_errors() -> Iterator[None]:
    """In a notebook, errors raised on purpose show their words and not our call stack; the cell fails all the same."""
    try:
        yield
    except (DeployError, KeyboardInterrupt) as error:
        if current_shell() is not None:
            said = str(error) if isinstance(error, DeployError) else "interrupted; nothing half-made is left"
            words = [f"{type(error).__name__}: {said}"]
            vars(error)["_render_traceback_"] = lambda: words
        raise
