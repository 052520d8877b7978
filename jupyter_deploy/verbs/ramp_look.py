"""One look of a ramp's driver: gather the evidence, decide, put the next state in force, notify."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import Conflict, DeployError, GateFailed, Refused
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.evidence.segments import mean_evidence
from jupyter_deploy.domain.gates.figures import evaluate, needs_pairs, parse_requirement
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.ramp.evidence import RampEvidence, RequiredFigure, SegmentEvidence
from jupyter_deploy.domain.ramp.notification import must_notify, ramp_event
from jupyter_deploy.domain.ramp.ramp import decide, follow
from jupyter_deploy.domain.ramp.state import Decision, RampState, pause
from jupyter_deploy.domain.ramp.status import Look
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import CompareRequest, PromoteRequest, TrafficRequest

from .change import find, settle, target_of
from .compare import all_recorded, compared
from .gates.enforce_gates import enforce_for_change, in_words
from .gates.ramp_gates import enforce_in_driver, is_driven_elsewhere
from .ramp import save
from .status import status_of_ramp

Say = Callable[[str], None]
"""Writes a line to the driver's log."""

_BLOCKED = "change"
"""The condition of a hold whose decision could not be put in force."""


def settle_endpoint(name: str, ports: Ports) -> None:
    """Make the target equal to the store, after a driver that was killed between the two."""
    if ports.store.endpoint(name) is None:
        return
    with ports.store.exclusive(name):
        settle(find(ports, name), ports)


def look(name: str, ports: Ports, say: Say) -> bool:
    """Look at the ramp once; return whether it goes on.

    Raises
    ------
    DeployError
        The evidence cannot be read, or a rollback not put in force: the next look tries again.
    """
    endpoint = ports.store.endpoint(name)
    state = endpoint.ramp if endpoint else None
    if endpoint is None or state is None or state.ended or not endpoint.running:
        return False
    decision = decide(state, gather(endpoint, state, ports), now())
    if decision.action == "hold":
        _hold(endpoint, state, decision, ports, say)
        return True
    try:
        _act(endpoint, state, decision, ports, say)
    except Conflict as error:  # a person changed the endpoint: the next look reads it anew
        say(str(error))
        return True
    except DeployError as error:
        blocked = Decision(
            action="hold",
            reason=f"cannot {decision.action}: {error.message}",
            waits_for=(_BLOCKED,),
            evidence=decision.evidence,
        )
        _hold(endpoint, state, blocked, ports, say)
        raise
    return True


def gather(endpoint: Endpoint, state: RampState, ports: Ports) -> RampEvidence:
    """Return all evidence since the ramp began.

    Raises
    ------
    StoreError
        The records cannot be read.
    """
    recorded = endpoint.record != "off"
    gates = [parse_requirement(expression) for expression in state.plan.require]
    as_shadow = state.step < 0
    # As a canary it has no pairs; the ramp left the shadow's step with these figures met.
    due = [gate for gate in gates if as_shadow or not needs_pairs(gate)]
    own = RampEvidence(ports.log.ramp_steps(endpoint, until=all_recorded(endpoint, ports)), recorded=recorded)
    # What its own counts show takes it back, also if no comparison can be made.
    broken = decide(state, own, now()).action in ("roll back", "hard stop")
    if broken or not (due or as_shadow or state.plan.segments):
        return own
    request = CompareRequest(
        name=endpoint.name, candidate=state.candidate, since=state.began, segment=list(state.plan.segments)
    )
    comparison = compared(endpoint, state.candidate, ports, request)
    outcomes = [evaluate(gate, comparison) for gate in due]
    opposites: set[str] = set()
    if any(one.outcome == "not met" for one in outcomes):
        level = state.plan.guardrail_level
        at_level = compared(endpoint, state.candidate, ports, request, level=level)
        opposites = _opposites(due, at_level, level)
    required = tuple(RequiredFigure(one.expression, one.outcome, one.expression in opposites) for one in outcomes)
    by_segment = _by_segment(comparison) if state.plan.segments else None
    return RampEvidence(own.steps, required, by_segment, comparison.verdict, recorded)


def _by_segment(comparison: Comparison) -> SegmentEvidence | None:
    """Return the evidence against "in no segment is the candidate worse, or, as a shadow, does it differ"."""
    of = comparison.segments
    if of is None or not of.segments:
        return None
    # A canary's answers are not compared, so all of its evidence is for "worse".
    e_value = mean_evidence([of.worse, of.differ]) if comparison.paired else of.worse
    most = max(of.segments, key=lambda one: one.worse + one.differ)
    return SegmentEvidence(e_value, f"{most.column}: {most.value}")


def _opposites(gates: Sequence[Gate], comparison: Comparison, level: float) -> set[str]:
    """Return the gates whose opposite is shown at this level; a figure with an interval of another one shows none."""
    outcomes = [evaluate(gate, comparison) for gate in gates]
    return {
        one.expression
        for one in outcomes
        if one.outcome == "not met" and (one.interval is None or one.interval.level == level)
    }


def _hold(endpoint: Endpoint, state: RampState, decision: Decision, ports: Ports, say: Say) -> None:
    """Store the look, and notify if its open conditions are new."""
    former = ports.store.ramp_look(endpoint.name)
    former = former if former and former.since == state.since else None
    notify = must_notify(decision, former)
    notified = decision.waits_for if notify else former.notified if former else ()
    latest = Look(at=now(), since=state.since, decision=decision, notified=notified)
    if former is None or former.decision.waits_for != decision.waits_for:
        say(f"holds at {state.percent:g} %: {decision.reason}")
    ports.store.keep_ramp_look(endpoint.name, latest)
    if notify:
        ports.notifier.send(ramp_event(status_of_ramp(endpoint, state, ports), decision, latest))


def _act(endpoint: Endpoint, state: RampState, decision: Decision, ports: Ports, say: Say) -> None:
    """Put the next state in force; a candidate that does not pass its gates is paused instead."""
    at = now()
    following = follow(state, decision, at)
    after = endpoint.ramped(following)
    gates: tuple[str, ...] = ()
    if endpoint.gaining(after) is not None:
        request = (
            PromoteRequest(name=endpoint.name, tag=state.candidate)
            if decision.action == "promote"
            else TrafficRequest(name=endpoint.name, canary={state.candidate: following.percent})
        )
        try:
            target_of(ports, endpoint.target).check_ramp(after)
            if is_driven_elsewhere(endpoint, ports):
                gates = enforce_in_driver(endpoint, state, ports)
            else:
                after, validated = enforce_for_change(request, endpoint, after, ports, lambda _: None)
                gates = in_words(state.candidate, validated)
        except (GateFailed, Refused) as error:
            why = f"its gates do not let it advance: {error.message}" if isinstance(error, GateFailed) else str(error)
            say(why)
            save(endpoint, endpoint.ramped(pause(state, why)), ports, reason=why, what="ramp paused")
            return
    what = f"ramp: {decision.action} to {following.percent:g} %" if not following.ended else f"ramp {following.phase}"
    say(f"{what}: {decision.reason}")
    status = save(
        endpoint,
        after,
        ports,
        reason="; ".join((decision.reason, *decision.evidence)),
        what="; ".join((what, *gates)),
    )
    latest = Look(at=at, since=following.since, decision=decision)
    ports.notifier.send(ramp_event(status, decision, latest))
