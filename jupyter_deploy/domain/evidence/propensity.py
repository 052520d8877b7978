"""A canary's difference from stable by inverse propensity: one stream over the requests that both share. Pure.

Chance alone decides which of the two answers a request: the canary with the share π. So ``z = y / π`` of a request that
the canary answered and ``z = -y / (1 - π)`` of one that stable answered has the mean "the canary's mean of y less
stable's, on the same requests", whatever the mix of the requests is at that moment. Scaled by π, the values are
bounded, and ``sequential.Mean`` holds for them.

Each routing share has a stream of its own, a ``Step``. The evidence of several steps is multiplied: each is a fair
game, played in turn. A step that speaks for the other direction counts by its wealth at its own mean, which is at most
the wealth of the game, so the error is at most the nominal one.

Sources
-------
Karampatziakis, Mineiro and Ramdas (2021), Off-policy confidence sequences, ICML.
Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro (2024), Anytime-valid off-policy inference for contextual bandits,
ACM/IMS J Data Sci 1:1-42.
Lindon and Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS (errors against the share).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .inference import Estimate, Interval
from .sequential import LEVEL, NEAR, Mean, boundary, log_limit


@dataclass(frozen=True)
class Step:
    """The stream of one routing share; its mean is ``offset + scale * difference``."""

    values: Mean
    scale: float
    offset: float = 0.0

    @property
    def value(self) -> float:
        """Return the difference so far."""
        return (self.values.value - self.offset) / self.scale

    def log_evidence_above(self, difference: float) -> float:
        """Return the evidence that the difference is larger; it never rises with ``difference``."""
        return self.values.log_evidence_above(self.offset + self.scale * difference)

    def log_evidence_below(self, difference: float) -> float:
        """Return the evidence that the difference is smaller; it never falls with ``difference``."""
        return self.values.log_evidence_below(self.offset + self.scale * difference)


@dataclass(frozen=True)
class StepwiseDifference:
    """The canary's mean less stable's, by the steps of its share. Between -1 and 1."""

    steps: tuple[Step, ...]

    @property
    def n(self) -> int:
        return sum(step.values.n for step in self.steps)

    @property
    def value(self) -> float:
        return sum(step.values.n * step.value for step in self.steps) / self.n if self.n else 0.0

    def estimate(self, level: float = LEVEL) -> Estimate | None:
        """Return the difference with its interval; None without values. ``n`` is the number of units."""
        if not self.n:
            return None
        limit, value = log_limit(level), min(max(self.value, -1.0), 1.0)
        low = boundary(lambda d: self.log_evidence_above(d) >= limit, -1.0, value, near=NEAR)
        high = boundary(lambda d: self._below(d) >= limit, 1.0, value, near=NEAR)
        return Estimate(value=value, interval=Interval(low=low, high=high, level=level), n=self.n)

    def above(self, difference: float, level: float = LEVEL) -> bool:
        """Return whether the true difference is shown to be above ``difference``."""
        return bool(self.n) and self.value > difference and self.log_evidence_above(difference) >= log_limit(level)

    def below(self, difference: float, level: float = LEVEL) -> bool:
        """Return whether the true difference is shown to be below ``difference``."""
        return bool(self.n) and self.value < difference and self._below(difference) >= log_limit(level)

    def log_evidence_above(self, difference: float) -> float:
        """Return the evidence that the difference is larger; it never rises with ``difference``."""
        return sum(step.log_evidence_above(difference) for step in self.steps)

    def _below(self, difference: float) -> float:
        return sum(step.log_evidence_below(difference) for step in self.steps)


Counts = Mapping[float, int]


def error_step(share: float, counts: Counts, rounded_up: Counts | None = None) -> Step:
    """Return the step of outcomes between 0 and 1, such as errors.

    A value is a cluster's mean of ``y`` for a request that the canary answered and of ``-y * share / (1 - share)`` for
    one of stable, so it lies between ``-share / (1 - share)`` and 1.

    Raises
    ------
    ValueError
        The share is not between 0 and 1, exclusive: nothing is compared then.
    """
    _check(share)
    return Step(Mean(counts, low=-share / (1 - share), rounded_up=rounded_up), share)


def centred_step(share: float, counts: Counts, rounded_up: Counts | None = None) -> Step:
    """Return the step of outcomes less a guess from the requests before, such as the pooled share of an answer.

    A value is that of ``error_step`` of the centred outcomes, times ``least / share`` with ``least`` the smaller of
    ``share`` and ``1 - share``, so it lies between -1 and 1.

    Raises
    ------
    ValueError
        See ``error_step``.
    """
    _check(share)
    return Step(Mean(counts, low=-1.0, rounded_up=rounded_up), min(share, 1 - share))


def event_step(share: float, counts: Counts) -> Step:
    """Return the step of events of errors: each value is the canary's part of an event, expected to be ``share``.

    ``above(0)`` is the evidence that the canary errs more often than stable.

    Raises
    ------
    ValueError
        See ``error_step``.
    """
    _check(share)
    return Step(Mean(counts), 1.0, offset=share)


def _check(share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"a canary with a share of {share} cannot be compared")
