"""Judges gates on live traffic by the comparison of a candidate with stable so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jupyter_deploy.domain.errors import DeployError, InvalidInput
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.gates.figures import LIVE, dated, judge_live, undecided
from jupyter_deploy.domain.gates.gate import Gate
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import CompareRequest
from jupyter_deploy.domain.validation.validation import GateResult, Validation
from jupyter_deploy.verbs.compare import compare


def judge_all_live(
    expressions: Sequence[str], endpoint: Endpoint, tag: str, past: Sequence[Validation], ports: Ports
) -> tuple[GateResult, ...]:
    """Judge gates on live traffic; ``past``: validations whose results of the candidate as a shadow count."""
    if not expressions:
        return ()
    comparison: Comparison | None = None
    problem = f"{tag} has had no traffic yet"
    try:
        if tag in {release.tag for release in endpoint.releases}:
            comparison = compare(CompareRequest(name=endpoint.name, candidate=tag), ports, lambda _: None)
    except DeployError as error:
        problem = error.message
    results = []
    for gate in map(parse_gate, expressions):
        why = problem
        try:
            judged = judge_live(gate, comparison) if comparison else None
        except InvalidInput as error:  # a canary has no pairs: its result as a shadow counts
            why = error.message
            judged = _earlier_result(gate, tag, endpoint.traffic.stable, past)
        results.append(judged or undecided(gate, why))
    return tuple(results)


def _earlier_result(gate: Gate, tag: str, stable: str, past: Iterable[Validation]) -> GateResult | None:
    """The last decided result of a gate for the same candidate and stable release, with its date."""
    for validation in (v for v in past if (v.snapshot, v.stable) == (tag, stable)):
        for result in validation.live:
            if result.expression == gate.expression and result.verdict != "inconclusive":
                when = f"as a shadow, on {validation.at:%Y-%m-%d %H:%M} UTC"
                earlier = result.origin != LIVE  # it has a date already
                return result if earlier else dated(result, when)
    return None
