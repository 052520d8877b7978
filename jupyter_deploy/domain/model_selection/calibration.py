"""The calibration of a classifier's probabilities. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from .selection import Calibration

BINS = 15
"""Bins of equal width of the largest probability, as in the paper of the expected calibration error."""


def calibration_of(probabilities: Sequence[Sequence[float]], truth: Sequence[int]) -> Calibration:
    """Return Brier's score and the expected calibration error.

    Parameters
    ----------
    probabilities
        For each row the probability of each class.
    truth
        For each row the position of its class.
    """
    return Calibration(
        brier=brier(probabilities, truth), ece=expected_calibration_error(probabilities, truth), bins=BINS
    )


def brier(probabilities: Sequence[Sequence[float]], truth: Sequence[int]) -> float:
    """Return Brier's score: 0 is best.

    Of two classes the mean of ``(p - y)²`` of the second class, from 0 to 1; of more classes the sum over the classes,
    from 0 to 2 (G. W. Brier 1950, Verification of forecasts expressed in terms of probability, Monthly Weather Review
    78, 1-3).
    """
    if len(probabilities[0]) == 2:
        return fmean((row[1] - place) ** 2 for row, place in zip(probabilities, truth, strict=True))
    return fmean(
        sum((value - (number == place)) ** 2 for number, value in enumerate(row))
        for row, place in zip(probabilities, truth, strict=True)
    )


def expected_calibration_error(
    probabilities: Sequence[Sequence[float]], truth: Sequence[int], bins: int = BINS
) -> float:
    """Return the mean distance between confidence and accuracy, over bins of the largest probability, by their rows.

    C. Guo et al. (2017), On calibration of modern neural networks, ICML. It is above 0 for a calibrated model too, the
    more so the fewer the rows.
    """
    found: dict[int, list[tuple[float, bool]]] = {}
    for row, place in zip(probabilities, truth, strict=True):
        confidence = max(row)
        number = min(int(confidence * bins), bins - 1)
        found.setdefault(number, []).append((confidence, row[place] == confidence))
    distances = (
        len(members) * abs(fmean(confidence for confidence, _ in members) - fmean(right for _, right in members))
        for members in found.values()
    )
    return sum(distances) / len(truth)
