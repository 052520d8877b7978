"""The decisions of a ramp: from a state, the evidence and the time to a decision and the next state. Pure.

The state is a part of the endpoint's revision, so each decision is written together with the shares that it means, and
a process that is killed at any moment continues from the last revision: the same state and evidence give the same
decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from jupyter_deploy.domain.base import duration_in_words

from .evidence import RampEvidence, StepCounts, errors_are_no_worse, guardrails, hard_stop, ratio_is_quiet
from .plan import HARD_STOP_MINUTES, LEAST_CLUSTERS, MARGIN
from .state import Action, Decision, Phase, RampState


class _Condition(NamedTuple):
    name: str
    words: str


def decide(state: RampState, evidence: RampEvidence, now: datetime) -> Decision:
    """Decide on the next action of a ramp that has not ended."""
    lines = (*map(str, guardrails(state.plan, evidence)), *_counts_in_words(evidence))
    if hard_stop(evidence):
        why = f"{state.candidate} failed in {HARD_STOP_MINUTES} distinct minutes of a step, stable in none"
        return Decision(action="hard stop", reason=why, evidence=lines)
    broken = [one for one in guardrails(state.plan, evidence) if one.broken]
    if broken:
        how = "differs" if state.step < 0 else "is worse"
        return Decision(action="roll back", reason=f"{state.candidate} {how}: {broken[0]}", evidence=lines)
    if state.step < 0 and evidence.shadow == "differs":
        return Decision(action="roll back", reason=f"{state.candidate} differs from stable as a shadow", evidence=lines)
    conditions = list(_open_conditions(state, evidence, now))
    if conditions:
        return Decision(
            action="hold",
            reason="; ".join(one.words for one in conditions),
            waits_for=tuple(one.name for one in conditions),
            evidence=lines,
        )
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


def _advance(state: RampState) -> Action:
    later = state.plan.steps[state.step + 1 :]
    if not later:
        return "finish"
    return "promote" if later[0] == 100 else "advance"


def _counts_in_words(evidence: RampEvidence) -> list[str]:
    """Describe the counts of the current step."""
    if not evidence.steps:
        return []
    step = evidence.steps[-1]
    return [
        f"{step.percent:g} %: {step.requests.candidate} of {step.requests.both} requests to the candidate, "
        f"{step.clusters} clusters"
    ]


def _open_conditions(state: RampState, evidence: RampEvidence, now: datetime) -> Iterator[_Condition]:
    """Yield the conditions of the current step that are not met yet."""
    if state.phase == "paused":
        yield _Condition("resume", f"is paused{f': {state.reason}' if state.reason else ''}")
    if not evidence.recorded:
        yield _Condition("records", "waits for records: 'nbdeploy traffic NAME --record full' starts them again")
    lasted = now - state.since
    if lasted < state.plan.per_step:
        least = duration_in_words(state.plan.per_step.total_seconds())
        yield _Condition("duration", f"waits for {least} in this step: {_rounded_in_words(lasted.total_seconds())}")
    if state.step < 0:
        if evidence.shadow != "agrees":
            yield _Condition("shadow", "waits for agreement with stable as a shadow")
    else:
        current = evidence.steps[-1] if evidence.steps else StepCounts(state.percent)
        yield from _open_in_step(current)
    for one in evidence.required:
        if one.outcome != "met":
            yield _Condition(one.expression, f"waits for {one.expression}: {one.outcome}")


def _open_in_step(current: StepCounts) -> Iterator[_Condition]:
    if current.clusters < LEAST_CLUSTERS:
        yield _Condition("clusters", f"waits for {LEAST_CLUSTERS} clusters: {current.clusters}")
    if not errors_are_no_worse(current):
        yield _Condition("errors", f"waits until {MARGIN:.0%} more errors than stable are excluded")
    if not ratio_is_quiet(current):
        requests = current.requests
        yield _Condition(
            "ratio",
            f"it got {requests.candidate} of {requests.both} requests, which are not {current.percent:g} %: "
            "check its health, routing and records",
        )


def _rounded_in_words(seconds: float) -> str:
    """Format a duration in whole minutes from two minutes on, else in whole seconds."""
    return f"{int(seconds // 60)} min" if seconds >= 120 else f"{int(max(seconds, 0))} s"
