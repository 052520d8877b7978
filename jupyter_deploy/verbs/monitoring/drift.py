"""The verb ``drift``: a release's inputs and answers against its training data."""

from __future__ import annotations

from datetime import datetime, timedelta

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.drift.drift import Drift, DriftRequest, judged
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.monitoring.confidence import ExpectedPeriod, expected_of
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.verbs.change import find, moment

from .training import may_answer_probabilities


def drift(request: DriftRequest, ports: Ports, report: Report) -> Drift:
    """Read the new records, and evaluate the requirements.

    Raises
    ------
    StoreError
        The release's signature is not known here, or its target had no room for the sketch of its training table.
    """
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    signature = ports.store.signature(release.tag)
    if signature is None:
        raise StoreError(f"the signature of {release.tag} is not known here", "deploy the model again")
    sketch = ports.store.sketch(release.tag)
    report(Step(number=1, total=1, title=f"reading the new records of {release.tag}"))
    result = ports.drift.look(release, signature, sketch, since=moment(request.since))
    requirements = [judged(expression, result) for expression in request.require]
    expected = _expected(result, ports) if may_answer_probabilities(release.tag, ports) else None
    since, until = _range(result)
    joint = None
    if result.since or (result.first and result.first < since):  # else there are no earlier requests
        joint = ports.drift.joint_shift(release, since=since, until=until)
    return result.model_copy(update={"requirements": requirements, "expected": expected, "joint": joint})


def _range(result: Drift) -> tuple[datetime, datetime]:
    """Return the range of figures that are read from the records: since the moment, or the last day."""
    until = now()
    return result.since or until - timedelta(days=1), until


def _expected(result: Drift, ports: Ports) -> ExpectedPeriod | None:
    """Return the estimated accuracy of the drift's requests, or of the last day's."""
    since, until = _range(result)
    found = ports.truth.confidence(result.endpoint, [result.release], since=since, until=until, every=until - since)
    return next((one for one in expected_of(found) if one.release == result.release), None)
