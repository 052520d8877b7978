"""feedback: what was really so of an endpoint's answers is sent to it, and counted."""

from __future__ import annotations

import json
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.evidence.ground_truth import Actual, Feedback, batches
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import FeedbackRequest, Step

from .change import find
from .predict import address

_MOST, _BYTES = 1000, 4 * 1024**2
"""A POST holds so many items and so many bytes, unless one alone is longer."""


def feedback(request: FeedbackRequest, ports: Ports, report: Report) -> Feedback:
    """Send what was really so, if there is any, and say how much of all that is kept is joined."""
    endpoint = find(ports, request.name)
    accepted = 0
    if request.data is not None:
        url = f"{address(endpoint, ports)}/feedback"
        _require_data_kept(endpoint)
        actuals = ports.truth.read(request.data, texts=_answers_texts(endpoint, ports))
        accepted = _sent(actuals, url, endpoint, ports, report)
    more = {"accepted": accepted, "record_sample": endpoint.record_sample}
    return ports.truth.counts(endpoint.name).model_copy(update=more)


def _require_data_kept(endpoint: Endpoint) -> None:
    if endpoint.record != "full":
        raise InvalidInput(
            f"{endpoint.name} keeps no data of its requests (it records '{endpoint.record}'), and no feedback either",
            f"'nbdeploy traffic {endpoint.name} --record full' has them kept from then on",
        )


def _answers_texts(endpoint: Endpoint, ports: Ports) -> bool:
    snapshot = ports.store.remembered(endpoint.traffic.stable)
    return snapshot is not None and snapshot.manifest.signature.answer_schema.get("type") == "string"


def _sent(actuals: list[Actual], url: str, endpoint: Endpoint, ports: Ports, report: Report) -> int:
    sizes = [len(json.dumps(actual.actual)) + len(actual.request_id) for actual in actuals]
    parts, begun, accepted = batches(actuals, sizes, most=_MOST, size=_BYTES), 0, 0
    for number, part in enumerate(parts, 1):
        first, last = begun + 1, begun + len(part)
        title = f"feedback: sending {first} to {last} of {len(actuals)}"
        report(Step(number=number, total=len(parts), title=title))
        begun = last
        try:
            status, _, body = ports.client.post(url, {"feedback": [actual.model_dump() for actual in part]})
        except TargetError as error:
            raise TargetError(f"{error.message}; {_so_far(accepted, actuals)}", _AGAIN, error.details) from error
        if status != 200:
            raise _refused(status, body, endpoint, _so_far(accepted, actuals))
        accepted += int(body["accepted"])
    return accepted


_AGAIN = "run it again: what comes twice counts once"


def _so_far(accepted: int, actuals: list[Actual]) -> str:
    return f"{accepted} of {len(actuals)} were written down"


def _refused(status: int, body: Any, endpoint: Endpoint, so_far: str) -> InvalidInput | TargetError:
    said = body.get("detail", body) if isinstance(body, dict) else body
    words = f"{endpoint.name} answers {status}: {said}; {so_far}"
    if status < 500:
        return InvalidInput(words, "mend what is named; what comes twice counts once")
    return TargetError(words, _AGAIN)
