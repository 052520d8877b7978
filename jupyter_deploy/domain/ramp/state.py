"""The state of a ramp, a part of the endpoint's revision, and the transitions that people make. Pure.

::

    shadow ──agrees──▶ running ──advance … advance──▶ finished (promoted, or at the last share)
       │                 │  ▲
       │              pause resume          a guardrail is broken, or a hard stop: rolled back
       ▼                 ▼  │               abort: aborted; another change of the traffic: superseded
    rolled back        paused               in these four the ramp has ended
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput

from .plan import RampPlan

Phase = Literal["shadow", "running", "paused", "finished", "rolled back", "aborted", "superseded"]

Action = Literal["advance", "promote", "finish", "hold", "roll back", "hard stop"]

ENDED: frozenset[Phase] = frozenset({"finished", "rolled back", "aborted", "superseded"})


class Decision(Value):
    """A decision of a ramp.

    Attributes
    ----------
    waits_for
        Of a hold: the names of the open conditions. Unlike ``reason`` they have no numbers, so that they change
        seldom.
    evidence
        The evidence that it rests on, one sentence a line.
    """

    action: Action
    reason: str
    waits_for: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class RampState(Value):
    """The state of a ramp.

    Attributes
    ----------
    candidate
        The tag of the release that is ramped.
    step
        The position in ``plan.steps``; -1 as a shadow.
    began, since
        The times at which the ramp and its current step began.
    resumed
        The phase that a paused ramp resumes.
    reason
        The reason of the last decision.
    gates
        The digest of the gates that the candidate passed as the ramp began or was resumed, where its driver has no
        notebooks (``verbs/gates/ramp_gates.py``); empty: there are none, or the driver runs them.
    """

    plan: RampPlan
    candidate: str
    phase: Phase
    step: int
    began: datetime
    since: datetime
    resumed: Phase = "running"
    reason: str = ""
    gates: str = ""

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    @property
    def percent(self) -> float:
        """The candidate's percentage of the clients' requests; after a rollback or an abort 0."""
        if self.phase in ("rolled back", "aborted") or self.step < 0:
            return 0.0
        return self.plan.steps[self.step]


def begin(plan: RampPlan, candidate: str, now: datetime) -> RampState:
    """Return the first state of a ramp.

    Raises
    ------
    InvalidInput
        The first step is a promotion, so nothing would be compared.
    """
    if plan.steps[0] == 100 and not plan.shadow_first:
        raise InvalidInput("the ramp has no step below 100 %", "add one, such as --steps 10,100, or use promote")
    phase: Phase = "shadow" if plan.shadow_first else "running"
    step = -1 if plan.shadow_first else 0
    return RampState(plan=plan, candidate=candidate, phase=phase, step=step, began=now, since=now)


def pause(state: RampState, reason: str) -> RampState:
    """Stop advancing; the guardrails stay. Raises InvalidInput: the ramp has ended or is paused."""
    _require(state, state.phase != "paused", "is paused already", "resume it with --resume")
    return state.model_copy(update={"phase": "paused", "resumed": state.phase, "reason": reason})


def resume(state: RampState, now: datetime) -> RampState:
    """Continue a paused ramp; its step begins anew. Raises InvalidInput: it is not paused."""
    _require(state, state.phase == "paused", "is not paused", "pause it with --pause")
    return state.model_copy(update={"phase": state.resumed, "since": now, "reason": ""})


def abort(state: RampState, reason: str, now: datetime) -> RampState:
    """End the ramp: the candidate answers no clients. Raises InvalidInput: the ramp has ended."""
    _require(state, True, "", "")
    return state.model_copy(update={"phase": "aborted", "reason": reason, "since": now})


def supersede(state: RampState, reason: str) -> RampState:
    """End the ramp, since somebody else changed the traffic; ``since`` stays the begin of its last step."""
    return state.model_copy(update={"phase": "superseded", "reason": reason})


def _require(state: RampState, holds: bool, what: str, remedy: str) -> None:
    if state.ended:
        raise InvalidInput(f"the ramp of {state.candidate} has ended: {state.phase}", "begin another one")
    if not holds:
        raise InvalidInput(f"the ramp of {state.candidate} {what}", remedy)
