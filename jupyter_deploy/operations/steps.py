"""Progress of an operation that takes several steps."""

from __future__ import annotations

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
