"""The figures of a comparison by segments of the requests, as documents."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from jupyter_deploy.domain.base import Value

from .estimate import Estimate


class SegmentFigure(Value):
    """The rows whose input has a value of a column, or one in a bin.

    Attributes
    ----------
    agreement
        As of the comparison, on these rows only; None for a canary.
    error_difference, accuracy_difference
        Candidate minus stable, on the requests with such a row; the latter only with feedback.
    worse, differ
        E-values of "the candidate is worse here" and of "the two agree on less than 99 % here".
    named
        What e-BH names at an expected share of 10 % false names.
    """

    column: str
    value: str
    rows: int
    clusters: int
    agreement: Estimate | None = None
    error_difference: Estimate | None = None
    accuracy_difference: Estimate | None = None
    worse: float = 0.0
    differ: float = 0.0
    named: list[Literal["worse", "differs"]] = []


class SegmentsFigure(Value):
    """All segments of a comparison.

    Attributes
    ----------
    declared
        The declarations, such as ``region`` or ``age: <30, 30-60, >=60``.
    declared_at
        The time of the declaration: only requests after it count. None: chosen for this look, so nothing is named.
    segments
        At most 50, those with the most rows.
    worse, differ
        E-values of "the candidate is worse in some segment" and of "the two agree on less than 99 % in some segment":
        the means of the segments' e-values.
    least_agreement
        The smallest agreement of a segment; its interval holds whichever segment that is. None for a canary.
    note
        The multiplicity of the intervals and names, in words.
    """

    declared: list[str]
    declared_at: datetime | None
    segments: list[SegmentFigure]
    worse: float
    differ: float
    least_agreement: Estimate | None = None
    note: str
