"""The state machine of a ramp: from a state, the evidence and the time to a decision and the next state. Pure.

::

    shadow ──agrees──▶ running ──advance … advance──▶ finished (promoted, or at the last share)
       │                 │  ▲
       │              pause resume          a guardrail is broken, or a hard stop: rolled back
       ▼                 ▼  │               abort: aborted; another change of the traffic: superseded
    rolled back        paused               in these four the ramp has ended

A paused ramp does not advance; its guardrails still roll back. The state is a part of the endpoint's revision, so each
decision is written together with the shares that it means, and a process that is killed at any moment continues from
the last revision: the same state and evidence give the same decision.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput

from .evidence import RampEvidence, errors_are_no_worse, guardrails, hard_stop, ratio_is_quiet
from .plan import HARD_STOP_MINUTES, LEAST_CLUSTERS, MARGIN, RampPlan

Phase = Literal["shadow", "running", "paused", "finished", "rolled back", "aborted", "superseded"]

Action = Literal["advance", "promote", "finish", "hold", "roll back", "hard stop"]

ENDED: frozenset[Phase] = frozenset({"finished", "rolled back", "aborted", "superseded"})


class Decision(Value):
    """A decision of a ramp, with the evidence that it rests on, one sentence a line."""

    action: Action
    reason: str
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
    """

    plan: RampPlan
    candidate: str
    phase: Phase
    step: int
    began: datetime
    since: datetime
    resumed: Phase = "running"
    reason: str = ""

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


def decide(state: RampState, evidence: RampEvidence, now: datetime) -> Decision:
    """Decide on the next action of a ramp that has not ended."""
    lines = tuple(map(str, guardrails(state.plan, evidence)))
    if hard_stop(evidence):
        why = f"{state.candidate} failed in {HARD_STOP_MINUTES} distinct minutes of a step, stable in none"
        return Decision(action="hard stop", reason=why, evidence=lines)
    broken = [one for one in guardrails(state.plan, evidence) if one.broken]
    if broken:
        return Decision(action="roll back", reason=f"{state.candidate} is worse: {broken[0]}", evidence=lines)
    if state.step < 0 and evidence.shadow == "differs":
        return Decision(action="roll back", reason=f"{state.candidate} differs from stable as a shadow", evidence=lines)
    open_ = _open_conditions(state, evidence, now)
    if open_:
        return Decision(action="hold", reason="; ".join(open_), evidence=lines)
    return Decision(action=_advance(state), reason="all conditions of the step are met", evidence=lines)


def follow(state: RampState, decision: Decision, now: datetime) -> RampState:
    """Return the state after a decision."""
    if decision.action == "hold":
        return state.model_copy(update={"reason": decision.reason})
    if decision.action in ("roll back", "hard stop"):
        return state.model_copy(update={"phase": "rolled back", "reason": decision.reason, "since": now})
    step = state.step if decision.action == "finish" else state.step + 1
    phase: Phase = "running" if decision.action == "advance" else "finished"
    return state.model_copy(update={"phase": phase, "step": step, "since": now, "reason": decision.reason})


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


def supersede(state: RampState, reason: str, now: datetime) -> RampState:
    """End the ramp without a change of the traffic, since somebody else changed it."""
    return state.model_copy(update={"phase": "superseded", "reason": reason, "since": now})


def _require(state: RampState, holds: bool, what: str, remedy: str) -> None:
    if state.ended:
        raise InvalidInput(f"the ramp of {state.candidate} has ended: {state.phase}", "begin another one")
    if not holds:
        raise InvalidInput(f"the ramp of {state.candidate} {what}", remedy)


def _advance(state: RampState) -> Action:
    later = state.plan.steps[state.step + 1 :]
    if not later:
        return "finish"
    return "promote" if later[0] == 100 else "advance"


def _open_conditions(state: RampState, evidence: RampEvidence, now: datetime) -> list[str]:
    """Return the conditions of the current step that are not met yet, in words."""
    open_ = ["the ramp is paused"] if state.phase == "paused" else []
    if now - state.since < state.plan.per_step:
        open_.append(f"the step lasts {state.plan.per_step} at least")
    if state.step < 0:
        return open_ + ([] if evidence.shadow == "agrees" else ["it is not shown to agree with stable as a shadow"])
    current = evidence.steps[-1] if evidence.steps else None
    clusters = current.clusters if current else 0
    if clusters < LEAST_CLUSTERS:
        open_.append(f"{clusters} of {LEAST_CLUSTERS} clusters in this step")
    if not (current and errors_are_no_worse(current)):
        open_.append(f"that it errs {MARGIN:.0%} more often than stable is not excluded")
    open_ += [f"{one.expression} is {one.outcome}" for one in evidence.required if one.outcome != "met"]
    if current and not ratio_is_quiet(current):
        requests = current.requests
        open_.append(
            f"it got {requests.candidate} of {requests.both} requests, which are not {current.percent:g} %: "
            "check routing and records"
        )
    return open_
