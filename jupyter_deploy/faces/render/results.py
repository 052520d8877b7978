"""What the notebook faces share: several results as one thing, and errors that show their words."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from jupyter_deploy.domain.errors import DeployError, done_by_then

from .shell import current_shell

P = ParamSpec("P")
R = TypeVar("R")


class Listing(list[Any]):
    """A list that a notebook shows as a table."""

    def __str__(self) -> str:
        """The table as text."""
        from .render import text  # it renders what this module defines

        return text(self)


@contextmanager
def readable_errors() -> Iterator[None]:
    """In a notebook, errors raised on purpose show their words and not our call stack; the cell fails all the same."""
    try:
        yield
    except (DeployError, KeyboardInterrupt) as error:
        if current_shell() is not None:
            said = str(error) if isinstance(error, DeployError) else f"interrupted; {done_by_then(error)}"
            words = [f"{type(error).__name__}: {said}"]
            vars(error)["_render_traceback_"] = lambda: words
        raise


def blames_its_caller(function: Callable[P, R]) -> Callable[P, R]:
    """For what cells call in their own lines: an error raised on purpose is shown at the cell's line, without ours."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except DeployError as error:
            if (shell := current_shell()) is not None:
                vars(error)["_render_traceback_"] = functools.partial(_callers, shell, error)
            raise

    return called


def _callers(shell: Any, error: DeployError) -> list[str]:
    """An error's traceback as the shell renders it, up to where this package was called."""
    frames, at = list[TracebackType](), error.__traceback__
    while at is not None and not at.tb_frame.f_globals.get("__name__", "").startswith("jupyter_deploy."):
        frames.append(at)
        at = at.tb_next
    kept: TracebackType | None = None
    for frame in reversed(frames):
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    error.__cause__, error.__suppress_context__ = None, True  # its message has what of it matters
    lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, kept, tb_offset=1)
    return lines
