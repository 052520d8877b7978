"""The verb ``feedback``: ground truth is sent to an endpoint and joined to its predictions."""

from __future__ import annotations

import json
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.evidence.ground_truth import Actual, Feedback, batches
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import FeedbackRequest, Step

from .change import find, target_of
from .predict import address

_MOST, _BYTES = 1000, 4 * 1024**2
"""The limits of one POST in items and bytes; a single longer item is sent alone."""


def feedback(request: FeedbackRequest, ports: Ports, report: Report) -> Feedback:
    """Send ground truth, if there is any, and count the predictions with and without it."""
    endpoint = find(ports, request.name)
    accepted = 0
    if request.data is not None:
        url = f"{address(endpoint, ports)}/feedback"
        _require_data_kept(endpoint)
        actuals = ports.truth.read(request.data, texts=_answers_texts(endpoint, ports))
        accepted = _send(actuals, url, endpoint, ports, report)
    more = {"accepted": accepted, "record_sample": endpoint.record_sample}
    return ports.truth.counts(endpoint.name).model_copy(update=more)


def _require_data_kept(endpoint: Endpoint) -> None:
    if endpoint.record != "full":
        raise InvalidInput(
            f"{endpoint.name} keeps no data of its requests (it records '{endpoint.record}'), and no feedback either",
            f"'nbdeploy traffic {endpoint.name} --record full' stores them from then on",
        )


def _answers_texts(endpoint: Endpoint, ports: Ports) -> bool:
    snapshot = ports.store.remembered(endpoint.traffic.stable)
    return snapshot is not None and snapshot.manifest.signature.answer_schema.get("type") == "string"


def _send(actuals: list[Actual], url: str, endpoint: Endpoint, ports: Ports, report: Report) -> int:
    sizes = [len(json.dumps(actual.actual)) + len(actual.request_id) for actual in actuals]
    header = target_of(ports, endpoint.target).header_file
    parts, begun, accepted = batches(actuals, sizes, most=_MOST, size=_BYTES), 0, 0
    for number, part in enumerate(parts, 1):
        first, last = begun + 1, begun + len(part)
        title = f"feedback: sending {first} to {last} of {len(actuals)}"
        report(Step(number=number, total=len(parts), title=title))
        begun = last
        try:
            status, _, body = ports.client.post(url, {"feedback": [actual.model_dump() for actual in part]}, header)
        except TargetError as error:
            raise TargetError(f"{error.message}; {_so_far(accepted, actuals)}", _AGAIN, error.details) from error
        if status != 200:
            raise _refusal(status, body, endpoint, _so_far(accepted, actuals))
        accepted += int(body["accepted"])
    return accepted


_AGAIN = "run it again: an item that is sent twice counts once"


def _so_far(accepted: int, actuals: list[Actual]) -> str:
    return f"{accepted} of {len(actuals)} were recorded"


def _refusal(status: int, body: Any, endpoint: Endpoint, so_far: str) -> InvalidInput | TargetError:
    detail = body.get("detail", body) if isinstance(body, dict) else body
    words = f"{endpoint.name} answers {status}: {detail}; {so_far}"
    if status < 500:
        return InvalidInput(words, "correct the named item; an item that is sent twice counts once")
    return TargetError(words, _AGAIN)
