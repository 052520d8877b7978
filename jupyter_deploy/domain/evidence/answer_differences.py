"""The differences of two releases' answers, as documents: counts, refusals, numbers, fields, shapes."""

from __future__ import annotations

from typing import Literal

from jupyter_deploy.domain.base import Value

from .estimate import Estimate

Aspect = Literal["value", "order", "set", "argmax", "length"]


class AnswerCount(Value):
    """The frequency of an answer (a label) in rows of each release; the answer "" stands for all others."""

    answer: str
    stable: int
    candidate: int


class RefusalCounts(Value):
    """Requests that each release refused, with a status of 400 to 498."""

    stable: int = 0
    candidate: int = 0


class ComparedRefusal(Value):
    """Requests that one release refused for one reason, and the other release's answers to the same requests.

    Attributes
    ----------
    reason
        The message of the refusal without the row's number and the value; empty: not recorded.
    other
        The other release's statuses -> requests; empty for a canary, which answers other requests.
    """

    release: Literal["stable", "candidate"]
    status: int
    reason: str
    requests: int
    other: dict[str, int] = {}


class Bin(Value):
    """Rows with a value from ``low`` to ``high``; the end belongs to the next bin, except of the last one."""

    low: float
    high: float
    rows: int


class NumberPair(Value):
    """Both answers to a row; ``agree``: within the tolerance."""

    stable: float
    candidate: float
    agree: bool


class NumberDifferences(Value):
    """Candidate minus stable, of answers that are single numbers, in the answers' unit.

    Attributes
    ----------
    rows
        Rows in which both answered a number, with a difference below 1e300.
    mean
        The mean over these rows; of floats with heavy tails no interval holds, so it has none.
    bias
        The median of the clusters' mean differences, with an interval that holds for any distribution; None: too few
        clusters (6 are needed).
    spread
        Their interquartile range, likewise; None: too few clusters.
    absolute, relative
        Quantiles of ``|candidate - stable|``, and of that divided by the larger of the two absolute values (as
        ``Comparison.relative_difference``).
    within_tolerance
        The share of the rows within the tolerance.
    histogram
        The rows by their difference, in at most 32 adjoining bins; the first and the last reach the extremes.
    pairs
        Both answers to at most 500 rows, chosen by a hash of ``pair_id``: the same ones at every look.
    """

    rows: int
    mean: float
    bias: Estimate | None = None
    spread: Estimate | None = None
    absolute: dict[str, float] = {}
    relative: dict[str, Estimate] = {}
    within_tolerance: float
    histogram: list[Bin] = []
    pairs: list[NumberPair] = []


class FieldAgreement(Value):
    """The agreement on one field of structured answers.

    Attributes
    ----------
    field
        Its path, such as ``address.city`` or ``[0]``; empty: the whole answer.
    aspect
        ``value``: a scalar, within the tolerance; ``order``: a list as it is; ``set``: the list's members, whatever
        their order; ``argmax``: the position of the largest probability; ``length``: the length of a list.
    agreement
        The share of a request's rows in which the two agree, averaged over the clusters.
    differ
        The rows in which they do not.
    """

    field: str
    aspect: Aspect
    agreement: Estimate | None
    differ: int


class FieldChange(Value):
    """A field whose value differs in one row, as JSON; empty: the answer has no such field."""

    field: str
    stable: str
    candidate: str


class CalibrationBin(Value):
    """Rows by stable's probability of a class: the mean probabilities that both releases give to that class."""

    low: float
    high: float
    rows: int
    stable: float
    candidate: float


class AnswerShape(Value):
    """The form of one field's values: of a sample of rows, without intervals.

    Attributes
    ----------
    rows
        The sampled rows in which both releases have the field.
    stable, candidate
        Of a text ``p50`` and ``max`` of its characters, of a list those of its items; of an image ``width`` and
        ``height`` in pixels (medians).
    exact
        The share of texts or images that are equal.
    overlap
        Of lists: the mean share of common members among all members of the two (Jaccard index).
    calibration
        Of probabilities: by stable's probability of its most likely class, of two classes of the second one.
    """

    field: str
    kind: Literal["text", "list", "image", "probabilities"]
    rows: int
    stable: dict[str, float] = {}
    candidate: dict[str, float] = {}
    exact: float | None = None
    overlap: float | None = None
    calibration: list[CalibrationBin] = []
