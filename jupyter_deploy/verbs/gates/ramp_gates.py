"""The gates of a ramp whose driver runs on another machine: there are no notebooks.

The person's machine enforces them as the ramp begins or is resumed; the ramp keeps the digest of all that they rest on.
Before each step the driver compares the digest, and judges the gates on live traffic.
"""

from __future__ import annotations

import hashlib
import json

from jupyter_deploy.domain.errors import GateFailed, GateInconclusive
from jupyter_deploy.domain.gates.figures import needs_pairs
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.ramp.state import RampState
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import TrafficRequest
from jupyter_deploy.domain.validation.validated import Validated
from jupyter_deploy.verbs.change import target_of

from .enforce_gates import enforce_for_ramp
from .live_gates import judge_all_live


def is_driven_elsewhere(endpoint: Endpoint, ports: Ports) -> bool:
    """Whether the driver of the endpoint's ramp runs without this machine's notebooks."""
    return target_of(ports, endpoint.target).shared is not None


def pass_gates(
    endpoint: Endpoint, state: RampState, ports: Ports, report: Report
) -> tuple[RampState, Validated | None]:
    """Enforce the gates of a ramp that is driven elsewhere; return its state with their digest, and the result.

    A candidate that begins as a shadow has no live traffic yet: the driver judges it before its first step.

    Raises
    ------
    GateFailed, GateInconclusive
        The candidate does not pass.
    """
    if not endpoint.validations:
        return state, None
    request = TrafficRequest(name=endpoint.name, canary={state.candidate: state.percent or state.plan.steps[0]})
    validated = enforce_for_ramp(request, endpoint, state.candidate, ports, report, live=state.step >= 0)
    return state.model_copy(update={"gates": _digest(endpoint, state.candidate)}), validated


def enforce_in_driver(endpoint: Endpoint, state: RampState, ports: Ports) -> tuple[str, ...]:
    """Enforce the gates before a step, without notebooks; return the result in words for the history.

    A canary has no pairs: gates on them were enforced before its first step, when it was a shadow.

    Raises
    ------
    GateFailed, GateInconclusive
        The gates are not those that the candidate passed, or one on live traffic does not hold.
    """
    if not endpoint.validations:
        return ()
    if state.gates != _digest(endpoint, state.candidate):
        raise GateFailed(
            "they, or stable, changed since the ramp began",
            f"'nbdeploy ramp {endpoint.name} --resume' on a machine with the notebooks enforces them",
        )
    expressions = [gate for spec in endpoint.validations if spec.notebook is None for gate in spec.gates]
    due = [one for one in expressions if state.step < 0 or not needs_pairs(parse_gate(one))]
    results = judge_all_live(due, endpoint, state.candidate, (), ports)
    against = [result for result in results if result.verdict != "pass"]
    if against:
        failed = any(result.verdict == "fail" for result in against)
        kind = GateFailed if failed else GateInconclusive
        raise kind("; ".join(result.sentence for result in against))
    return tuple(result.sentence for result in results)


def _digest(endpoint: Endpoint, candidate: str) -> str:
    """The digest of all that the result of the gates rests on, as far as the endpoint's revision has it."""
    specs = [spec.without_secrets.model_dump(mode="json") for spec in endpoint.validations]
    rests_on = (specs, endpoint.release(endpoint.traffic.stable).digest, endpoint.release(candidate).digest)
    return hashlib.sha256(json.dumps(rests_on, sort_keys=True).encode()).hexdigest()
