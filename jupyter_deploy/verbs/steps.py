"""Progress of an operation that takes several steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jupyter_deploy.domain.ports import Report
from jupyter_deploy.domain.requests import Step


class Steps:
    """Counts the steps of one operation for the reporter."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._number, self._total = report, 0, total

    def __call__(self, title: str, new: bool = True, /) -> None:
        """A step begins, or with ``new`` False something happens within one."""
        self._number = min(self._number + new, self._total)
        self._report(Step(number=self._number, total=self._total, title=title))


@contextmanager
def noted_if_interrupted(words: Callable[[], str]) -> Iterator[None]:
    """Within, Ctrl-C and its like leave with a note of what is done by then; an error says it itself."""
    try:
        yield
    except BaseException as stopped:
        if not isinstance(stopped, Exception):
            stopped.add_note(words())
        raise
