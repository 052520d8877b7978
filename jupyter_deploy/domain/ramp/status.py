"""The status of a ramp for people and machines: its state, and the latest look of its driver. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from jupyter_deploy.domain.base import Value, duration_in_words

from .state import ENDED, Decision, Phase, RampState


class Look(Value):
    """A driver's latest look at the evidence. It is only shown: the state of a ramp is in the endpoint's revision.

    Attributes
    ----------
    since
        The begin of the step that it looked at.
    notified
        The open conditions that a notification named last; empty: none.
    """

    at: datetime
    since: datetime
    decision: Decision
    notified: tuple[str, ...] = ()


class RampStatus(Value):
    """The status of an endpoint's latest ramp."""

    endpoint: str
    revision: int
    candidate: str
    phase: Phase
    step: int = Field(description="From 1; 0: as a shadow.")
    steps: tuple[float, ...]
    percent: float = Field(description="The candidate's percentage of the clients' requests.")
    per_step: timedelta
    require: tuple[str, ...] = ()
    began: datetime
    since: datetime = Field(description="The begin of the step, or the end of the ramp.")
    seconds: float = Field(description="The duration of the step so far; of an ended ramp 0.")
    reason: str = Field(default="", description="Why it holds, or why it ended.")
    looked: datetime | None = Field(
        default=None, description="The driver's latest look at the evidence; None: not yet in this step."
    )
    evidence: tuple[str, ...] = Field(default=(), description="The evidence of that look.")
    waits_for: tuple[str, ...] = Field(default=(), description="The open conditions by name.")

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    @property
    def position(self) -> str:
        """``step 2 of 5, 5 %``."""
        return "as a shadow" if self.step < 1 else f"step {self.step} of {len(self.steps)}, {self.percent:g} %"

    @property
    def words(self) -> str:
        """``step 2 of 5, 5 %, for 12 min; waits for 100 clusters: 63``."""
        if self.phase == "finished":
            return "finished: promoted" if self.percent == 100 else f"finished at {self.percent:g} %"
        why = f": {self.reason}" if self.reason else ""
        if self.ended:
            return f"{self.phase}{why}"
        paused = "paused at " if self.phase == "paused" else ""
        held = f"; {self.reason}" if self.reason else ""
        return f"{paused}{self.position}, for {_minutes(self.seconds)}{held}"


def ramp_status(
    name: str, revision: int, state: RampState, look: Look | None, now: datetime, *, undriven: str = ""
) -> RampStatus:
    """Return the status of a ramp; ``look`` counts if it is of the present step.

    ``undriven``: why nothing looks at it now; empty: something does.
    """
    current = look if look and look.since == state.since and not state.ended else None
    reason = current.decision.reason if current else state.reason if state.ended or state.phase == "paused" else ""
    return RampStatus(
        endpoint=name,
        revision=revision,
        candidate=state.candidate,
        phase=state.phase,
        step=state.step + 1,
        steps=state.plan.steps,
        percent=state.percent,
        per_step=state.plan.per_step,
        require=state.plan.require,
        began=state.began,
        since=state.since,
        seconds=0.0 if state.ended else max((now - state.since).total_seconds(), 0.0),
        reason=f"nothing drives it now: {undriven}" if undriven and not state.ended else reason,
        looked=current.at if current else None,
        evidence=current.decision.evidence if current else (),
        waits_for=current.decision.waits_for if current else (),
    )


def _minutes(seconds: float) -> str:
    return duration_in_words(seconds // 60 * 60) if seconds >= 60 else f"{seconds:.0f} s"
