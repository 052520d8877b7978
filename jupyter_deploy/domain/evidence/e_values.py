"""Evidence against many hypotheses, and the choice of the refuted ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt
from statistics import NormalDist

FALSE_DISCOVERIES = 0.1
"""The expected share of wrongly named hypotheses among the named ones."""

_SPREAD = 9.0
"""The variance of the mixture over effects, in standard errors: strongest for effects of about three."""


def e_value(distance: float, arm: float, level: float) -> float | None:
    """Return the evidence that a figure lies beyond its bound; its expectation is at most 1 if it does not.

    A normal mixture over the effect's size (H. Robbins 1970), of the distance in standard errors as the interval's arm
    gives them. Without a distance beyond the bound there is no evidence: 0.

    Parameters
    ----------
    distance
        The distance from the bound to the figure; positive if the figure is on the wrong side.
    arm
        The distance from the figure to the end of its interval that is nearer to the bound.
    level
        The level of that interval.

    Returns
    -------
    float or None
        None: the interval has no width, so the standard error is unknown.
    """
    if distance <= 0:
        return 0.0
    if arm <= 0:
        return None
    z = min(distance / arm * NormalDist().inv_cdf((1 + level) / 2), 30.0)
    return exp(z * z / 2 * _SPREAD / (1 + _SPREAD)) / sqrt(1 + _SPREAD)


def refuted(e_values: Sequence[float], rate: float = FALSE_DISCOVERIES) -> list[int]:
    """Return the positions of the refuted hypotheses, whatever the dependence between them (e-BH).

    R. Wang and A. Ramdas (2022), False discovery rate control with e-values, JRSS B 84, 822-852.
    """
    order = sorted(range(len(e_values)), key=lambda at: -e_values[at])
    count = max((k for k, at in enumerate(order, 1) if e_values[at] >= len(e_values) / (k * rate)), default=0)
    return sorted(order[:count])
