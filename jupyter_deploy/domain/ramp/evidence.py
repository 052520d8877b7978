"""The evidence of a ramp: the counts of each step, and the figures that its decisions rest on.

Chance alone decides which of the two answers a request, so of equally good releases the candidate has its share π of
all errors, refusals and slow answers. Each guardrail is an e-process against "the candidate has at most its share". It
goes on across the steps: the wealth of one step is staked in the next (``domain.evidence.propensity``). Slow answers
also need a size: in some step the candidate is slower by as much as ``compare`` calls slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp
from typing import Literal

from jupyter_deploy.domain.evidence.propensity import StepwiseDifference, error_step, event_step
from jupyter_deploy.domain.evidence.sequential import proportion
from jupyter_deploy.domain.evidence.verdict import SLOWER

from .plan import GUARDRAILS, HARD_STOP_MINUTES, MARGIN, RampPlan

RATIO_LEVEL = 0.99
LEAST_ANSWERS = 20
"""Fewer answers have no 95th percentile."""

_LARGEST = 700.0  # a larger exponent overflows a float


@dataclass(frozen=True)
class Events:
    """Counts of the two releases since the beginning of a step."""

    candidate: int = 0
    stable: int = 0

    @property
    def both(self) -> int:
        return self.candidate + self.stable


@dataclass(frozen=True)
class StepCounts:
    """The counts of one step.

    Attributes
    ----------
    percent
        The candidate's percentage.
    requests
        Requests that chance gave to the candidate or to stable; those of one sticky key, which chance assigns once,
        count once.
    clusters
        Clusters (users, else distinct inputs) that the candidate answered.
    outcomes
        The errors as ``propensity.error_step`` counts them, rounded up: value -> count.
    events
        By guardrail (``GUARDRAILS``), the events: the candidate's part of an event -> count. Consecutive failures of a
        release within a minute are one event, as are overlapping failures of both.
    error_minutes
        Distinct minutes with errors of each.
    slower
        The candidate's 95th percentile of the latency by stable's; 1 before both have ``LEAST_ANSWERS``.
    """

    percent: float
    requests: Events = Events()
    clusters: int = 0
    outcomes: Mapping[float, int] = field(default_factory=dict)
    events: Mapping[str, Mapping[float, int]] = field(default_factory=dict)
    error_minutes: Events = Events()
    slower: float = 1.0

    @property
    def share(self) -> float:
        return self.percent / 100


@dataclass(frozen=True)
class RequiredFigure:
    """A required figure: its outcome at 95 %, and whether its opposite is shown at the level of a guardrail."""

    expression: str
    outcome: Literal["met", "not met", "undecided"]
    opposite: bool = False


@dataclass(frozen=True)
class SegmentEvidence:
    """The evidence that the candidate is worse in some segment, and the segment with most of it."""

    e_value: float
    most: str


@dataclass(frozen=True)
class RampEvidence:
    """All evidence since a ramp began: a step for each percentage, the current one last.

    ``shadow`` is the verdict on the candidate as a shadow, if the ramp began so; ``recorded``: whether new requests
    are recorded.
    """

    steps: tuple[StepCounts, ...] = ()
    required: tuple[RequiredFigure, ...] = ()
    segments: SegmentEvidence | None = None
    shadow: Literal["agrees", "differs", "inconclusive"] = "inconclusive"
    recorded: bool = True


@dataclass(frozen=True)
class Guardrail:
    """A guardrail's evidence that the candidate is worse; infinite: a required figure's opposite is shown.

    ``small`` says why the difference is too small to break the guardrail, whatever the evidence for it.
    """

    name: str
    e_value: float
    limit: float
    small: str = ""

    @property
    def broken(self) -> bool:
        return self.e_value >= self.limit and not self.small

    def __str__(self) -> str:
        evidence = f"{self.name}: evidence {self.e_value:.3g} of {self.limit:.0f}"
        return f"{evidence}, but {self.small}" if self.small and self.e_value >= self.limit else evidence


def guardrails(plan: RampPlan, evidence: RampEvidence) -> tuple[Guardrail, ...]:
    """Return the guardrails with their evidence so far."""
    limit = 1 / (1 - plan.guardrail_level)
    own = [Guardrail(name, _e_value(evidence, name), limit, _small(evidence, name)) for name in GUARDRAILS]
    required = [Guardrail(f"not {one.expression}", float("inf"), limit) for one in evidence.required if one.opposite]
    by_segment = []
    if evidence.segments is not None:
        name = f"segments, most in {evidence.segments.most}"
        by_segment = [Guardrail(name, evidence.segments.e_value, limit)]
    return (*own, *by_segment, *required)


def errors_are_no_worse(step: StepCounts) -> bool:
    """Whether the step excludes, at 95 %, that the candidate errs a point more often than stable."""
    return StepwiseDifference((error_step(step.share, step.outcomes),)).below(MARGIN)


def ratio_is_quiet(step: StepCounts) -> bool:
    """Whether the candidate's part of the requests may be its share; otherwise routing or recording is broken."""
    split = proportion(step.requests.candidate, step.requests.both)
    return not (split.above(step.share, RATIO_LEVEL) or split.below(step.share, RATIO_LEVEL))


def hard_stop(evidence: RampEvidence) -> bool:
    """Whether the candidate failed in ten distinct minutes of a step in which stable never did."""
    return any(
        step.error_minutes.candidate >= HARD_STOP_MINUTES and not step.error_minutes.stable for step in evidence.steps
    )


def _e_value(evidence: RampEvidence, name: str) -> float:
    steps = [(step.share, step.events[name]) for step in evidence.steps if step.events.get(name)]
    logs = [event_step(share, parts).log_evidence_above(0.0) for share, parts in steps if sum(parts.values())]
    return exp(min(sum(logs), _LARGEST))


def _small(evidence: RampEvidence, name: str) -> str:
    slower = max((step.slower for step in evidence.steps), default=1.0)
    if name != "slow answers" or slower >= SLOWER:
        return ""
    return f"its 95th percentile is {slower:.2g} times stable's, and {SLOWER:g} times is slow"
