"""The verb ``compare``: a candidate compared with stable on recorded traffic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.evidence.segments import check_columns, parse_segments
from jupyter_deploy.domain.evidence.sequential import LEVEL
from jupyter_deploy.domain.gates.figures import evaluate, parse_requirement
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import CompareRequest, Step

from .change import find, moment, target_of

_UPLOADED = timedelta(minutes=1)
"""Pods upload within half of it, unless the bucket is away."""

_YOUNG = "requests of the last minute do not count yet, since their records may be on the way from the pods"


def compare(request: CompareRequest, ports: Ports, report: Report) -> Comparison:
    """Compare a candidate with stable, and evaluate the requirements."""
    endpoint = find(ports, request.name)
    candidate = endpoint.candidate(request.candidate)
    report(Step(number=1, total=1, title=f"comparing {candidate} with {endpoint.traffic.stable}"))
    comparison = compared(endpoint, candidate, ports, request)
    outcomes = [evaluate(parse_requirement(expression), comparison) for expression in request.require]
    return comparison.model_copy(update={"requirements": outcomes})


def compared(
    endpoint: Endpoint, candidate: str, ports: Ports, request: CompareRequest, *, level: float = LEVEL
) -> Comparison:
    """Compare without requirements; the endpoint's state may be an earlier revision. ``level``: of the intervals.

    Raises
    ------
    StoreError
        The store no longer has the snapshot of the stable release.
    InvalidInput
        A segment of the request is by a column that the model does not have, or that is redacted.
    """
    signature = _signature(endpoint, ports)
    if request.segment:
        require_columns(request.segment, endpoint, ports, (endpoint.traffic.stable, candidate))
    seen = target_of(ports, endpoint.target).observe(endpoint)
    until = all_recorded(endpoint, ports)
    kept = endpoint.comparison
    relative = kept.tolerance if request.tolerance is None else request.tolerance
    absolute = kept.absolute_tolerance if request.absolute_tolerance is None else request.absolute_tolerance
    own = (request.tolerance, request.absolute_tolerance) != (None, None)
    rule = Rule.of(signature.answer_dtype, relative, absolute)
    compared = ports.log.compare(
        endpoint,
        candidate,
        since=moment(request.since),
        overflowed=seen.overflowed.get(candidate, 0),
        rule=rule,
        segments=request.segment,
        level=level,
        until=until,
    )
    origin = "request" if own else "endpoint" if rule.chosen else "default"
    notes = [*compared.notes, *([_YOUNG] if until else [])]
    return compared.model_copy(update={"tolerance_from": origin, "notes": notes})


def all_recorded(endpoint: Endpoint, ports: Ports) -> datetime | None:
    """Return the moment up to which the records of all releases have arrived; None: all have.

    Pods upload their records at different moments. Those of one release alone would show a difference that is none.
    """
    return now() - _UPLOADED if target_of(ports, endpoint.target).shared is not None else None


def require_columns(segments: Sequence[str], endpoint: Endpoint, ports: Ports, tags: Sequence[str] = ()) -> None:
    """Require that the records of these releases, or else of all with traffic, hold the columns of segments.

    Raises
    ------
    InvalidInput
        The stable model has no such column, or a release redacts it.
    StoreError
        The store no longer has the snapshot of the stable release.
    """
    if not segments:
        return
    redacted = {column for tag in tags or endpoint.traffic.tags() for column in endpoint.release(tag).redact}
    check_columns(parse_segments(segments), _signature(endpoint, ports).columns, redacted, endpoint.name)


def _signature(endpoint: Endpoint, ports: Ports) -> Signature:
    signature = ports.store.signature(endpoint.traffic.stable)
    if signature is None:
        raise StoreError(f"the store has lost the snapshot {endpoint.traffic.stable}", "deploy the model again")
    return signature
