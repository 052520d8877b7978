"""The accuracy that a classifier's own probabilities promise, where there is no ground truth: an estimate. Pure.

Confidence-based performance estimation: the expected accuracy of an answer is its largest probability, if that is
calibrated (J. Białek et al. 2024, Estimating Model Performance Under Covariate Shift Without Labels, arXiv:2401.08348).
With enough ground truth the probabilities are calibrated by isotonic regression (B. Zadrozny and C. Elkan 2002,
Transforming classifier scores into accurate multiclass probability estimates, KDD). The estimate sees that requests
become harder; it cannot see that the relation between inputs and ground truth changes (concept drift).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.answer_fields import is_probabilities

BINS = 50
"""Bins of equal width of the largest probability."""

LEAST_KNOWN = 300
"""Rows with ground truth of a release from which on its probabilities are calibrated."""

LEAST_PROBABILITIES = 0.99
"""The share of a release's answers that have to be probabilities."""


class ConfidenceCount(NamedTuple):
    """Rows of a release in a span of time whose largest probability is in a bin; None: no probabilities."""

    start: datetime
    release: str
    bin: int | None
    rows: int
    confidence: float


class KnownCount(NamedTuple):
    """Rows of a release with ground truth in a bin, their mean confidence, and how many were right."""

    release: str
    rows: int
    confidence: float
    right: int


class Confidence(NamedTuple):
    """Confidences of a range's answers, of a sample if they are many, and of earlier answers with ground truth."""

    counts: Sequence[ConfidenceCount]
    known: Sequence[KnownCount]
    sampled: bool = False


class ExpectedPeriod(Value):
    """The estimated accuracy of a release in a span of time.

    ``calibrated``: earlier rows with ground truth that the probabilities are calibrated on; 0: they are taken as they
    are. ``sampled``: it is that of a sample of the answers.
    """

    start: datetime
    release: str
    rows: int
    accuracy: float
    calibrated: int
    sampled: bool = False


LIMITS = "it sees that requests become harder, and not that the relation of inputs and ground truth changes"
"""The reason why an estimate is no measurement."""


def basis_of(calibrated: int) -> str:
    """Return the origin of a release's estimate in words; ``calibrated``: earlier rows."""
    if calibrated:
        return f"calibrated on {calibrated:,} earlier answers with ground truth"
    return f"taken as calibrated, since fewer than {LEAST_KNOWN} earlier answers have ground truth"


def answers_probabilities(predictions: Iterable[Any]) -> bool:
    """Return whether a release's answers may be probabilities, by its answers to the example."""
    return any(map(is_probabilities, predictions))


def expected_of(found: Confidence) -> list[ExpectedPeriod]:
    """Return the estimate for each release whose answers are probabilities, in each span."""
    periods = []
    for release in sorted({one.release for one in found.counts}):
        counts = [one for one in found.counts if one.release == release]
        usable = [one for one in counts if one.bin is not None]
        if sum(one.rows for one in usable) < LEAST_PROBABILITIES * sum(one.rows for one in counts):
            continue
        known = [one for one in found.known if one.release == release]
        calibrated = sum(one.rows for one in known)
        curve = isotonic(known) if calibrated >= LEAST_KNOWN else []
        for start in sorted({one.start for one in usable}):
            span = [one for one in usable if one.start == start]
            rows = sum(one.rows for one in span)
            right = sum(one.rows * calibrated_confidence(curve, one.confidence) for one in span)
            periods.append(
                ExpectedPeriod(
                    start=start,
                    release=release,
                    rows=rows,
                    accuracy=round(right / rows, 6),
                    calibrated=calibrated if curve else 0,
                    sampled=found.sampled,
                )
            )
    return periods


def isotonic(known: Iterable[KnownCount]) -> list[tuple[float, float]]:
    """Return points (confidence, share of right answers) of the best curve that never falls.

    Adjacent violators are pooled (M. Ayer et al. 1955, Annals of Mathematical Statistics 26).
    """
    pools: list[list[float]] = []  # rows, sum of confidences, right
    for one in sorted(known, key=lambda one: one.confidence):
        pools.append([one.rows, one.rows * one.confidence, one.right])
        while len(pools) > 1 and pools[-2][2] * pools[-1][0] >= pools[-1][2] * pools[-2][0]:
            last = pools.pop()
            pools[-1] = [mine + its for mine, its in zip(pools[-1], last, strict=True)]
    return [(confidences / rows, right / rows) for rows, confidences, right in pools]


def calibrated_confidence(curve: Sequence[tuple[float, float]], confidence: float) -> float:
    """Return the chance that an answer is right: linear between the curve's points; without any the confidence."""
    if not curve:
        return confidence
    if confidence <= curve[0][0]:
        return curve[0][1]
    for (x, low), (end, high) in pairwise(curve):
        if confidence <= end:
            return low + (high - low) * (confidence - x) / (end - x)
    return curve[-1][1]
