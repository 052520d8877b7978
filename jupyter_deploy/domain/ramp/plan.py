"""The plan of a ramp: its steps and the conditions of each."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

from pydantic import Field, field_validator

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput

ALPHA = 0.05
"""The probability that the guardrails ever roll back a candidate that is no worse, all guardrails together."""

MARGIN = 0.01
"""The difference of error rates that must be excluded before a step may end."""

LEAST_CLUSTERS = 100
"""Clusters (users, else distinct inputs) of a step before it may end."""

HARD_STOP_MINUTES = 10
"""Distinct minutes with errors of the candidate, and none of stable, that roll back at once."""

GUARDRAILS = ("errors", "refusals", "slow answers")
"""Guardrails of every ramp; each required figure adds one, and declared segments one in each role."""

_EXAMPLE = "write percentages that rise, such as --steps 1,5,20,50,100"


class RampPlan(Value):
    """The plan of a ramp.

    Attributes
    ----------
    steps
        The candidate's percentages, rising. 100 is no comparison: to reach it is to promote.
    require
        Requirements (``agreement >= 0.99``) that must be met before a step ends.
    per_step
        The least duration of a step.
    shadow_first
        The candidate begins as a shadow and answers clients once it is shown to agree with stable.
    segments
        The endpoint's declarations of segments as the ramp began. That the candidate is worse in one of them is a
        guardrail; as a shadow also that its answers differ there.
    """

    steps: tuple[float, ...] = Field(min_length=1)
    require: tuple[str, ...] = ()
    per_step: timedelta = timedelta(minutes=30)
    shadow_first: bool = False
    segments: tuple[str, ...] = ()

    @field_validator("steps", mode="before")
    @classmethod
    def _parsed(cls, steps: Any) -> Any:
        return parse_steps(steps) if isinstance(steps, str) else steps

    @property
    def guardrails(self) -> int:
        """The number of guardrails, which share ``ALPHA``."""
        of_segments = (1 + self.shadow_first) if self.segments else 0
        return len(GUARDRAILS) + len(self.require) + of_segments

    @property
    def guardrail_level(self) -> float:
        """The level at which one guardrail rolls back: an e-value of at least ``guardrails / ALPHA``."""
        return 1 - ALPHA / self.guardrails

    @property
    def promotes(self) -> bool:
        """Whether the ramp ends with a promotion."""
        return self.steps[-1] == 100


def parse_steps(text: str) -> tuple[float, ...]:
    """Parse ``1,5,20,50,100``.

    Raises
    ------
    InvalidInput
        A step is no percentage above 0, or they do not rise.
    """
    try:
        steps = tuple(float(each.strip().removesuffix("%")) for each in text.split(","))
    except ValueError:
        raise InvalidInput(f"the steps '{text}' are no percentages", _EXAMPLE) from None
    if not all(0 < step <= 100 for step in steps):
        raise InvalidInput(f"the steps '{text}' are not between 0 and 100", _EXAMPLE)
    if any(later <= step for step, later in pairwise(steps)):
        raise InvalidInput(f"the steps '{text}' do not rise", _EXAMPLE)
    return steps
