"""The table of a choice among models, and the part of it that is kept with the chosen release. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, WithJsonSchema

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.capture.translation import TRANSLATED, ServedEngine
from jupyter_deploy.domain.evidence.estimate import Interval

SELECTION_MIME = "application/vnd.nbdeploy.selection+json"
"""The MIME type of a table that the kernel of a headless notebook displays."""

STABLE = "stable"
"""The name of the row with an endpoint's stable release."""


class Spread(Value):
    """The median of a figure over the rounds of a measurement, with its smallest and its largest round."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Spread:
        """Summarise one figure of each round; there is at least one round."""
        return cls(median=median(rounds), low=min(rounds), high=max(rounds))


class Performance(Value):
    """The performance of one model in a clean process on one processor.

    A call decodes a request's JSON, calls the model and encodes the answer; HTTP and records are left out.

    Attributes
    ----------
    latency_p50_ms, latency_p99_ms
        Quantiles of calls with one row, in milliseconds.
    batch_p50_ms, batch_p99_ms
        Those of calls with ``batch_rows`` rows.
    rows_per_second
        Rows in such batches by the time that they take.
    predictions_per_second
        Calls with one row by the time that they take.
    memory_mb
        The largest resident memory of the process so far, in 10^6 bytes, libraries included.
    load_s
        The time from the start of the process until the model is loaded, once.
    """

    batch_rows: int
    rounds: int
    latency_p50_ms: Spread
    latency_p99_ms: Spread
    batch_p50_ms: Spread
    batch_p99_ms: Spread
    rows_per_second: Spread
    predictions_per_second: Spread
    memory_mb: float | None = Field(description="None: the system does not say.")
    load_s: float


class Score(Value):
    """The metric of one model, or its difference from that of another one; ``why``: there is no interval."""

    value: float
    interval: Interval | None = None
    method: str = ""
    why: str = ""


class GroupScore(Value):
    """The metric in one subgroup of the rows."""

    group: dict[str, str]
    rows: int
    score: Score


class Calibration(Value):
    """The calibration of a classifier's probabilities.

    Attributes
    ----------
    brier
        The mean squared distance of the probabilities from the truth (``calibration.brier``).
    ece
        The expected calibration error over ``bins`` bins of equal width of the largest probability.
    served
        They are the answers of the clean process, and not those of the notebook's ``predict_proba``.
    """

    brier: float
    ece: float
    bins: int
    served: bool = False


class Fits(Value):
    """The scores of several fits of one model on the same rows, such as those of other seeds or folds.

    They are the spread of the training, and no interval of the rows.

    Attributes
    ----------
    sd
        The standard deviation of the fits' scores, with ``count - 1``.
    """

    count: int
    mean: float
    low: float
    high: float
    sd: float


class CandidateModel(Value):
    """A row of the table: one model with one engine.

    Attributes
    ----------
    tag
        The stored snapshot that was measured, and that a deploy serves.
    against_best, against_stable
        This model's score minus that of the best row, and of the endpoint's stable release. All pairs of rows hold
        together at their level.
    artifact_mb, libraries_mb
        The snapshot's files; the installed distributions of its lock, which an image holds too, in 10^6 bytes.
    fits
        The spread over the fits of the model, of which the row is the first one; None: it has one fit.
    violated
        The constraints that the row does not meet.
    on_front
        No other remaining row has a better or equal score, latency and cost, and one of them better.
    """

    name: str
    engine: ServedEngine
    tag: str
    score: Score
    against_best: Score | None = None
    against_stable: Score | None = None
    groups: tuple[GroupScore, ...] = ()
    performance: Performance
    artifact_mb: float
    libraries_mb: float | None = None
    cost_per_million: float | None = None
    calibration: Calibration | None = None
    fits: Fits | None = None
    violated: tuple[str, ...] = ()
    on_front: bool = False

    @property
    def label(self) -> str:
        """The name with the engine of a translation: ``forest (onnx)``."""
        return self.name if self.engine == "native" else f"{self.name} ({self.engine})"


class LeftOut(Value):
    """A model that could not be measured with an engine, and the reason."""

    name: str
    engine: ServedEngine
    why: str


class ModelSelection(Value):
    """The table of a choice: rows that meet the constraints first, by score, then the others.

    Attributes
    ----------
    rows_of_data
        The rows on which the models were scored.
    level
        The confidence level at which all differences between two models hold together.
    endpoint
        The endpoint whose stable release is the row ``stable``; empty: there is none.
    core_hour
        The price of a core-hour, the setting ``cost``; None: it is not set.
    """

    metric: str
    greater_is_better: bool
    rows_of_data: int
    level: float
    endpoint: str = ""
    core_hour: float | None = None
    processor: str = ""
    constraints: tuple[str, ...] = ()
    candidates: tuple[CandidateModel, ...]
    left_out: tuple[LeftOut, ...] = ()
    at: datetime

    @property
    def remaining(self) -> tuple[CandidateModel, ...]:
        """The rows that meet all constraints."""
        return tuple(row for row in self.candidates if not row.violated)

    def row(self, tag: str) -> CandidateModel | None:
        """Return the row of a snapshot, a candidate's rather than ``stable``; None: the table has none."""
        rows = [row for row in self.candidates if row.tag == tag]
        return min(rows, key=lambda row: row.name == STABLE, default=None)

    def choice(self, chosen: CandidateModel) -> Choice:
        """Return the part of the table that is kept with the release of the chosen row."""
        return Choice(
            chosen=chosen.label,
            metric=self.metric,
            greater_is_better=self.greater_is_better,
            rows_of_data=self.rows_of_data,
            level=self.level,
            constraints=self.constraints,
            candidates=tuple(ChoiceRow.of(row) for row in self.candidates),
            at=self.at,
        )


def _parsed(given: Any) -> ModelSelection:
    """Return the table of a document, or of its JSON text."""
    try:
        return ModelSelection.model_validate(json.loads(given) if isinstance(given, str) else given)
    except ValidationError as error:
        raise ValueError(f"this is no table of candidates: {error.error_count()} of its fields are wrong") from None
    except ValueError as error:
        raise ValueError(f"the table of candidates is no JSON: {error}") from None


if TYPE_CHECKING:
    GivenSelection = ModelSelection
else:  # of any type: a schema of the table for requests would double the types of all its parts
    GivenSelection = Annotated[Any, AfterValidator(_parsed), WithJsonSchema({"type": "object"})]
"""A table in a request: a document, or its JSON text on a command line and in a query."""


class ChoiceRow(Value):
    """A row of the table as it is kept with a release; numbers as in ``CandidateModel``."""

    label: str
    tag: str
    score: float
    interval: Interval | None
    against_best: Interval | None
    latency_p50_ms: float
    latency_p99_ms: float
    memory_mb: float | None
    cost_per_million: float | None
    fits: Fits | None = None
    violated: tuple[str, ...]

    @classmethod
    def of(cls, row: CandidateModel) -> ChoiceRow:
        """Shorten a row."""
        return cls(
            label=row.label,
            tag=row.tag,
            score=row.score.value,
            interval=row.score.interval,
            against_best=row.against_best.interval if row.against_best else None,
            latency_p50_ms=row.performance.latency_p50_ms.median,
            latency_p99_ms=row.performance.latency_p99_ms.median,
            memory_mb=row.performance.memory_mb,
            cost_per_million=row.cost_per_million,
            fits=row.fits,
            violated=row.violated,
        )


class Choice(Value):
    """The choice that led to a release: the chosen row, and the rows that it was chosen among."""

    chosen: str
    metric: str
    greater_is_better: bool
    rows_of_data: int
    level: float
    constraints: tuple[str, ...] = ()
    candidates: tuple[ChoiceRow, ...]
    at: datetime

    @property
    def words(self) -> str:
        """A sentence: ``forest chosen among 4 models by accuracy on 500 rows, 2026-11-25``."""
        count = len({row.label.removesuffix(f" ({TRANSLATED})") for row in self.candidates})
        models = f"{count} model{'s' * (count != 1)}"
        among = f"among {models} by {self.metric} on {self.rows_of_data:,} rows, {self.at:%Y-%m-%d}"
        return f"{self.chosen} chosen {among}"
