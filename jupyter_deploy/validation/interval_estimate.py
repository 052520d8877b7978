"""The value that the methods of ``intervals`` return, and the numbers of rows that they need."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_deploy.domain.evidence.inference import Interval

FEWEST = 20
"""Fewer rows, or clusters, are not resampled: they are no reliable evidence about others."""

ALIKE = 100
"""From this number of rows on, rows without any difference are accepted: at most 3 % of other rows differ."""


@dataclass(frozen=True)
class IntervalEstimate:
    """An interval and its method.

    Without an interval the figure is ``exact``, since its variation is unknown, or ``why`` names the missing data. An
    end may be infinite. ``share``: the figure is a share, from 0 to 1.
    """

    interval: Interval | None
    method: str
    exact: bool = False
    why: str = ""
    share: bool = False


def too_few(n: int, noun: str = "row") -> str:
    """Return the reason of an undecided gate: ``5 rows are too few, 20 are needed``."""
    return f"{n} {noun}{' is' if n == 1 else 's are'} too few, {FEWEST} are needed"
