"""Errors in notebooks: their message in place of this package's call stack."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from jupyter_deploy.domain.errors import DeployError, interruption_notes

from .shell import current_shell

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Within, a notebook shows the message of a DeployError without a call stack; the cell fails all the same."""
    try:
        yield
    except (DeployError, KeyboardInterrupt) as error:
        if current_shell() is not None:
            message = str(error) if isinstance(error, DeployError) else f"interrupted; {interruption_notes(error)}"
            lines = [f"{type(error).__name__}: {message}"]
            vars(error)["_render_traceback_"] = lambda: lines
        raise


def errors_at_caller(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function for cells: its DeployError is shown at the cell's line, without this package's lines."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except DeployError as error:
            if (shell := current_shell()) is not None:
                vars(error)["_render_traceback_"] = functools.partial(_caller_traceback, shell, error)
            raise

    return called


def _caller_traceback(shell: Any, error: DeployError) -> list[str]:
    """Render an error's traceback by the shell, up to the call of this package."""
    frames, at = list[TracebackType](), error.__traceback__
    while at is not None and not at.tb_frame.f_globals.get("__name__", "").startswith("jupyter_deploy."):
        frames.append(at)
        at = at.tb_next
    kept: TracebackType | None = None
    for frame in reversed(frames):
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    error.__cause__, error.__suppress_context__ = None, True  # its message says what matters
    lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, kept, tb_offset=1)
    return lines
