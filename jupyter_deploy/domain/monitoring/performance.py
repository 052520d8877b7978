"""The performance of releases over time, where there is ground truth: of all rows, and by segment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.sequential import Mean

from .confidence import ExpectedPeriod


class Period(Value):
    """A release's answers with ground truth in a span of time.

    Attributes
    ----------
    segment
        The rows' segment, ``region: north``; empty: all rows.
    rows
        Rows with ground truth.
    clusters
        Clusters of these: the requests of one ``x-sticky-key``, else one request. Each counts once.
    accuracy
        The share of right answers, a mean over clusters, with its 95 % interval ``low`` to ``high``, valid at every
        look.
    error
        The mean absolute error of answers that are numbers. One of both is None.
    """

    start: datetime
    release: str
    segment: str = ""
    rows: int
    clusters: int = 0
    accuracy: float | None = None
    error: float | None = None
    low: float | None = None
    high: float | None = None

    def with_shares(self, down: Mapping[float, int], up: Mapping[float, int]) -> Period:
        """Return the period with its accuracy, and the interval of it.

        Parameters
        ----------
        down, up
            How many clusters have each share of right answers: shares rounded down, and rounded up.
        """
        estimate = Mean(down, rounded_up=up).estimate()
        if estimate is None:
            return self
        found = {"accuracy": estimate.value, "low": estimate.interval.low, "high": estimate.interval.high}
        return self.model_copy(update=found)


class Performance(Value):
    """Releases in the spans of a range, and in the whole range; both empty: there is no ground truth.

    ``segments``: the declarations by which both are divided too; ``left_out``: how many segments, those with the fewest
    rows, are not. ``expected``: an estimate by the probabilities of
    all answers of classifiers, with ground truth or without.
    """

    since: datetime
    until: datetime
    spans: list[Period] = []
    totals: list[Period] = []
    segments: list[str] = []
    left_out: int = 0
    expected: list[ExpectedPeriod] = []

    @property
    def rows(self) -> int:
        """Rows with ground truth of all releases."""
        return sum(one.rows for one in self.totals if not one.segment)

    def of(self, segment: str) -> list[Period]:
        """Return the spans of a segment; of all rows if its name is empty."""
        return [one for one in self.spans if one.segment == segment]

    def estimate_error(self) -> tuple[float, int] | None:
        """Return how far the estimate was from the accuracy by ground truth, and the rows; None: no span has both.

        Of each release it is the absolute value of the mean difference of spans, by rows, so that the sampling error
        of small spans cancels out; of several releases the mean by rows.
        """
        known = {(one.start, one.release): one for one in self.of("") if one.accuracy is not None}
        differences: dict[str, float] = {}
        rows = 0
        for one in self.expected:
            found = known.get((one.start, one.release))
            if found and found.accuracy is not None:
                rows += found.rows
                off = (one.accuracy - found.accuracy) * found.rows
                differences[one.release] = differences.get(one.release, 0.0) + off
        return (sum(map(abs, differences.values())) / rows, rows) if rows else None

    def by_segment(self) -> list[Period]:
        """Return the segments in the whole range, those with the most rows first."""
        divided = [one for one in self.totals if one.segment]
        sizes: dict[str, int] = {}
        for one in divided:
            sizes[one.segment] = sizes.get(one.segment, 0) + one.rows
        return sorted(divided, key=lambda one: (-sizes[one.segment], one.segment, one.release))
