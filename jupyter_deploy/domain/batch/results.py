"""The result of a batch, and the state of an endpoint's batches by schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.validation.validated import Validated
from jupyter_deploy.domain.validation.validation import Validation

from .spec import BatchSpec

KEPT_RUNS = 20
"""The runs of a schedule that are kept."""


class ShadowBatch(Value):
    """The answers of a shadow to the rows of a batch; ``problem``: why it has none, empty: it has.

    ``rows`` and ``refused`` are of the partitions that were scored now.
    """

    release: str
    sink: str
    rows: int = 0
    refused: int = 0
    problem: str = ""


class Batch(Value):
    """The result of a batch.

    Attributes
    ----------
    state
        ``complete``; ``interrupted``: the same command goes on; ``planned``: a dry run.
    partitions
        Parts of the source: files, or groups of rows of a large Parquet file.
    already
        Partitions that were scored before, by the same release, and have not changed since.
    rows, refused
        Of the partitions that were scored now.
    reasons
        Refused rows by reason, the most frequent ones.
    replaced
        Partitions whose former answers are replaced, since the file or the release changed.
    validation
        The judgement of the answers in the sink; None: nothing was asked, or the batch is not complete.
    """

    endpoint: str
    release: str
    source: str
    sink: str
    state: Literal["complete", "interrupted", "planned"]
    partitions: int
    already: int = 0
    scored: int = 0
    replaced: int = 0
    rows: int = 0
    refused: int = 0
    reasons: dict[str, int] = {}
    seconds: float = 0.0
    max_errors: str = "0"
    shadows: tuple[ShadowBatch, ...] = ()
    validation: Validation | None = None


class BatchRun(Value):
    """One run of a schedule by one release: stable, or a shadow.

    Attributes
    ----------
    due
        The moment of the schedule that it is for.
    ended
        None: it runs, or it was killed; then the next start goes on with it.
    missed
        Moments of the schedule before it at which nothing could run, as the machine was off; it makes up for them.
    overlapped
        Moments of the schedule that came while it ran, and were left out.
    problem
        Why it failed; empty: it did not.
    validation
        The judgement of its answers; None: nothing was asked.
    """

    due: datetime
    began: datetime
    ended: datetime | None = None
    release: str = ""
    rows: int = 0
    refused: int = 0
    too_many_refused: bool = False
    problem: str = ""
    missed: int = 0
    overlapped: int = 0
    validation: Validated | None = None

    @property
    def of_shadow(self) -> BatchRun:
        """The run with the shadow's name in the problem: stable's name is known."""
        return self.model_copy(update={"problem": f"{self.release}: {self.problem}"}) if self.problem else self

    @property
    def words(self) -> str:
        """The outcome in short: ``1,000 rows by churn:abc, 3 refused; ✓ 1 gate holds``."""
        if self.ended is None:
            outcome = f"running; a try failed: {self.problem}" if self.problem else "running"
        elif self.problem:
            outcome = f"FAILED: {self.problem}"
        else:
            refused = f", {self.refused:,} refused" if self.refused else ""
            more = ": MORE than --max-errors" if self.too_many_refused else ""
            judged = f"; {self.validation.words}" if self.validation else ""
            outcome = f"{self.rows:,} rows by {self.release}{refused}{more}{judged}"
        told = [(self.missed, "missed before it"), (self.overlapped, "left out while it ran")]
        return "; ".join((outcome, *(f"{count:,} {words}" for count, words in told if count)))


class BatchLog(Value):
    """What the program of a schedule has done.

    Attributes
    ----------
    schedule
        The schedule that it began with; empty: it was ended, so the moments since then are not missed.
    settled
        Moments up to this one are run, or left out, for good.
    due
        The next moment.
    runs
        Newest first, at most ``KEPT_RUNS``.
    """

    schedule: str
    settled: datetime
    due: datetime | None = None
    runs: tuple[BatchRun, ...] = ()


class BatchState(Value):
    """The observed state of a schedule: whether its program runs, when the next run is due, and its runs."""

    running: bool
    due: datetime | None = None
    runs: tuple[BatchRun, ...] = ()


class BatchStatus(Value):
    """Desired and observed state of an endpoint's batches by schedule; ``spec`` None: it has none."""

    endpoint: str
    revision: int
    running: bool = Field(description="Whether the endpoint runs; a stopped endpoint scores nothing.")
    spec: BatchSpec | None
    state: BatchState | None = None

    @property
    def words(self) -> str:
        """The state in short, with what is scored."""
        return f"{self.spec.words}: {self.condition}" if self.spec else "no schedule"

    @property
    def condition(self) -> str:
        """The state in short: ``next 2026-12-04 03:00; last: 1,000 rows by churn:abc``; a shadow's fault is named."""
        if not self.running:
            return "stopped with the endpoint"
        if self.state is None or not self.state.running:
            return "NOT RUNNING: 'nbdeploy reconcile' starts it"
        last, *earlier = self.state.runs or (None,)
        due = f"next {self.state.due.astimezone():%Y-%m-%d %H:%M}" if self.state.due else "starting"
        if last is None:
            return due
        shadows = [one for one in earlier if one.problem and _minute(one.due) == _minute(last.due)]
        return f"{due}; last: {last.words}" + "".join(f"; shadow {one.words}" for one in shadows)

    @property
    def healthy(self) -> bool:
        """Whether its program runs, and its last run did not fail."""
        runs = self.state.runs if self.state else ()
        return self.state is not None and self.state.running and not (runs and runs[0].problem)


def _minute(moment: datetime) -> datetime:
    """Return the moment of a schedule: the Jobs of some clusters begin seconds after it."""
    return moment.replace(second=0, microsecond=0)
