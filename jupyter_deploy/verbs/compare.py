"""The verb ``compare``: a candidate compared with stable on recorded traffic."""

from __future__ import annotations

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.gates.figures import evaluate, parse_requirement
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import CompareRequest, Step

from .change import find, moment, target_of


def compare(request: CompareRequest, ports: Ports, report: Report) -> Comparison:
    """Compare a candidate with stable, and evaluate the requirements."""
    endpoint = find(ports, request.name)
    candidate = endpoint.candidate(request.candidate)
    report(Step(number=1, total=1, title=f"comparing {candidate} with {endpoint.traffic.stable}"))
    comparison = compared(endpoint, candidate, ports, request)
    outcomes = [evaluate(parse_requirement(expression), comparison) for expression in request.require]
    return comparison.model_copy(update={"requirements": outcomes})


def compared(endpoint: Endpoint, candidate: str, ports: Ports, request: CompareRequest) -> Comparison:
    """Compare without requirements; the endpoint's state may be an earlier revision.

    Raises
    ------
    StoreError
        The store no longer has the snapshot of the stable release.
    """
    snapshot = ports.store.remembered(endpoint.traffic.stable)
    if snapshot is None:
        raise StoreError(f"the store has lost the snapshot {endpoint.traffic.stable}", "deploy the model again")
    seen = target_of(ports, endpoint.target).observe(endpoint)
    signature = snapshot.manifest.signature
    return ports.log.compare(
        endpoint,
        candidate,
        since=moment(request.since),
        overflowed=seen.overflowed.get(candidate, 0),
        rule=Rule.of(signature.answer_dtype, request.tolerance, request.absolute_tolerance),
    )
