"""The verb ``ramp``: begin a ramp, pause, resume or abort it, or show it. ``ramp_look`` drives it."""

from __future__ import annotations

from typing import Literal

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput, InvalidTraffic, NoCandidate, Refused
from jupyter_deploy.domain.evidence.segments import parse_segments
from jupyter_deploy.domain.gates.figures import needs_pairs, parse_requirement
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.ramp.plan import RampPlan, parse_steps
from jupyter_deploy.domain.ramp.requests import RampRequest
from jupyter_deploy.domain.ramp.state import RampState, abort, begin, pause, resume
from jupyter_deploy.domain.ramp.status import RampStatus
from jupyter_deploy.domain.release.change_words import difference_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import Step, TrafficRequest

from .change import change, find, require_revision, target_of
from .gates.enforce_gates import enforce_for_change, in_words
from .gates.ramp_gates import is_driven_elsewhere, pass_gates
from .release_secrets import require_schedulable
from .status import status_of_ramp
from .traffic import require_signatures

_Command = Literal["begin", "pause", "resume", "abort", "show"]


def ramp(request: RampRequest, ports: Ports, report: Report) -> RampStatus:
    """Begin a ramp, change the one in progress, or show the latest one."""
    command = _command(request)
    endpoint = find(ports, request.name)
    require_revision(endpoint, request.if_revision)
    if command == "begin":
        return _begin(request, endpoint, ports, report)
    state = endpoint.ramp
    if state is None:
        raise InvalidInput(
            f"{endpoint.name} has no ramp", f"'nbdeploy ramp {endpoint.name} --steps 1,5,20,50,100' begins one"
        )
    if command == "show":
        seen = target_of(ports, endpoint.target).observe(endpoint)
        return status_of_ramp(endpoint, state, ports, seen.undriven)
    after = _changed(state, command, request.reason)
    passed = None
    if command == "resume" and is_driven_elsewhere(endpoint, ports):
        after, passed = pass_gates(endpoint, after, ports, report)
    what = {"pause": "paused", "resume": "resumed", "abort": "aborted"}[command]
    report(Step(number=1, total=1, title=f"the ramp of {state.candidate} is being {what}"))
    resumed = endpoint.ramped(after).validated(state.candidate, passed)
    words = "; ".join((f"ramp {what}", *in_words(state.candidate, passed)))
    return save(endpoint, resumed, ports, reason=request.reason, what=words)


def _changed(state: RampState, command: Literal["pause", "resume", "abort"], reason: str) -> RampState:
    if command == "pause":
        return pause(state, reason)
    return resume(state, now()) if command == "resume" else abort(state, reason, now())


def save(before: Endpoint, after: Endpoint, ports: Ports, *, reason: str, what: str) -> RampStatus:
    """Put the next state of a ramp in force; ``what`` begins the text of the history."""
    if after.ramp is None:
        raise ValueError("there is no ramp to save")
    traffic = difference_in_words(before, after) if before.traffic != after.traffic else ""
    change(ports, before, after, reason=reason, what="; ".join(filter(None, (what, traffic))))
    return status_of_ramp(after, after.ramp, ports)


def _command(request: RampRequest) -> _Command:
    """Return the command that the options name.

    Raises
    ------
    InvalidInput
        Two commands, or a command with options of another one.
    """
    commands: dict[_Command, bool] = {"pause": request.pause, "resume": request.resume, "abort": request.abort}
    named: list[_Command] = [name for name, given in commands.items() if given]
    given = {
        "--steps": request.steps,
        "--require": request.require,
        "--per-step": request.per_step,
        "--candidate": request.candidate,
        "--shadow-first": request.shadow_first,
    }
    options = [option for option, value in given.items() if value]
    if len(named) > 1:
        raise InvalidInput(f"{' and '.join(f'--{one}' for one in named)} exclude each other", "give one of them")
    if named and options:
        raise InvalidInput(
            f"--{named[0]} takes no {options[0]}: the plan of a ramp is fixed",
            f"leave {options[0]} out; for another plan, abort the ramp and begin another one",
        )
    if options and request.steps is None:
        raise InvalidInput(f"{options[0]} needs --steps", "add the percentages, such as --steps 1,5,20,50,100")
    return named[0] if named else "begin" if options else "show"


def _begin(request: RampRequest, endpoint: Endpoint, ports: Ports, report: Report) -> RampStatus:
    steps = parse_steps(request.steps or "")
    _require_possible(endpoint)
    candidate = _candidate(endpoint, request.candidate)
    target_of(ports, endpoint.target).check_ramp(endpoint)
    plan = RampPlan(
        steps=steps,
        require=tuple(request.require),
        shadow_first=request.shadow_first,
        segments=_segments(endpoint, candidate),
        **({} if request.per_step is None else {"per_step": request.per_step}),
    )
    state = begin(plan, candidate, now())
    _require_figures(plan)
    after = endpoint.ramped(state)
    require_signatures(ports, endpoint, after)
    require_schedulable(after)
    if is_driven_elsewhere(endpoint, ports):
        state, validated = pass_gates(endpoint, state, ports, report)
        after = endpoint.ramped(state).validated(candidate, validated)
    else:
        shares = {state.candidate: state.percent} if state.percent else {}
        traffic = TrafficRequest(name=endpoint.name, canary=shares, reason=request.reason)
        after, validated = enforce_for_change(traffic, endpoint, after, ports, report)
    report(Step(number=1, total=1, title=f"beginning the ramp of {state.candidate}"))
    gates = in_words(state.candidate, validated)
    begun = f"ramp begun: {'as a shadow, then ' if plan.shadow_first else ''}{request.steps} %"
    return save(endpoint, after, ports, reason=request.reason, what="; ".join((begun, *gates)))


def _require_possible(endpoint: Endpoint) -> None:
    name, state = endpoint.name, endpoint.ramp
    if not endpoint.running:
        raise Refused(f"{name} is stopped", f"'nbdeploy rollback {name}' starts it again")
    if state is not None and not state.ended:
        raise Refused(
            f"{name} has a ramp in progress, of {state.candidate} at {state.percent:g} %",
            f"'nbdeploy ramp {name} --abort' ends it; without options, 'nbdeploy ramp {name}' shows it",
        )
    if endpoint.record == "off":
        raise Refused(
            f"{name} records no requests, so a ramp has no evidence",
            f"'nbdeploy traffic {name} --record full' starts the records (or meta: without inputs and outputs)",
        )


def _candidate(endpoint: Endpoint, named: str | None) -> str:
    tag = endpoint.candidate(named)
    canary = endpoint.traffic.canary
    if tag == endpoint.traffic.stable:
        raise NoCandidate(f"{tag} is stable already", "name a candidate, or deploy a changed model first")
    if canary is not None and canary != tag:
        raise InvalidTraffic(
            f"{canary} is the canary, and there is one canary at a time",
            f"'nbdeploy traffic {endpoint.name} --canary {canary}=0' takes its share; then begin the ramp again",
        )
    return tag


def _segments(endpoint: Endpoint, candidate: str) -> tuple[str, ...]:
    """Return the endpoint's declarations of segments, without those by columns that the records do not hold."""
    redacted = {column for tag in (endpoint.traffic.stable, candidate) for column in endpoint.release(tag).redact}
    return tuple(one.text for one in parse_segments(endpoint.comparison.segments) if one.column not in redacted)


def _require_figures(plan: RampPlan) -> None:
    """Raise InvalidInput for a figure that the ramp never has: only a shadow has answers to stable's requests."""
    for expression in plan.require:
        gate = parse_requirement(expression)
        if needs_pairs(gate) and not plan.shadow_first:
            raise InvalidInput(
                f"a canary has no {gate.metric}: it answers other requests than stable",
                "add --shadow-first, or require error_rate_difference, slow_rate or latency_p50_difference_ms",
            )
