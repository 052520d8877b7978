"""Progress of an operation that takes several steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jupyter_deploy.domain.ports import Report
from jupyter_deploy.domain.progress import Leaderboard
from jupyter_deploy.domain.requests import Step


class Steps:
    """Counts the steps of one operation for the reporter."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._number, self._total = report, 0, total

    def __call__(self, title: str, new: bool = True, /, *, board: Leaderboard | None = None) -> None:
        """Report the start of a step, or with ``new`` False an event within the present one."""
        self._number = min(self._number + new, self._total)
        self._report(Step(number=self._number, total=self._total, title=title, board=board))


@contextmanager
def noted_if_interrupted(words: Callable[[], str]) -> Iterator[None]:
    """Add a note of the finished steps to an interrupt within the block; an error has its own message."""
    try:
        yield
    except BaseException as interrupt:
        if not isinstance(interrupt, Exception):
            interrupt.add_note(words())
        raise
