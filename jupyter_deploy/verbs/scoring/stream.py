"""The verb ``stream``: an endpoint answers the messages of a broker."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.change_words import difference_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.stream.requests import StreamRequest
from jupyter_deploy.domain.stream.spec import StreamSpec
from jupyter_deploy.domain.stream.status import StreamStatus
from jupyter_deploy.verbs.change import change, find, keep, require_revision, target_of
from jupyter_deploy.verbs.status import status_of_stream


def stream(request: StreamRequest, ports: Ports, report: Report) -> StreamStatus:
    """Begin or change the endpoint's stream, end it, or show it.

    Raises
    ------
    UnknownEndpoint, Conflict
    InvalidInput, TargetError
        As ``StreamBrokers.prepare``.
    Refused
        The endpoint's target runs no streams.
    """
    wanted = _wanted(request)
    endpoint = find(ports, request.name)
    require_revision(endpoint, request.if_revision)
    target = target_of(ports, endpoint.target)
    if wanted is not None:
        target.check_serving(wanted)
        report(Step(number=1, total=2, title=f"checking {wanted.words}"))
        ports.streams.prepare(endpoint.name, wanted)
    elif not request.stop:
        return status_of_stream(endpoint, target.observe(endpoint))
    elif endpoint.stream is None:
        raise InvalidInput(f"{endpoint.name} has no stream", "nothing to stop")
    report(Step(number=2, total=2, title="starting the stream" if wanted else "ending the stream"))
    after = _changed(endpoint, wanted, request.reason, ports)
    return status_of_stream(after, target.observe(after))


def require_stream(request: StreamRequest, target: str, ports: Ports) -> None:
    """Raise as ``stream`` does for what cannot begin, and make nothing."""
    wanted = _wanted(request)
    if wanted is not None:
        target_of(ports, target).check_serving(wanted)
        ports.streams.prepare(request.name, wanted, join=False)


def _changed(before: Endpoint, wanted: StreamSpec | None, reason: str, ports: Ports) -> Endpoint:
    if before.stream == wanted and before.running:
        keep(ports, before)
        return before
    after = before.serving(stream=wanted)
    change(ports, before, after, reason=reason, what=difference_in_words(before, after))
    return after


def _wanted(request: StreamRequest) -> StreamSpec | None:
    """Return the stream of a request; None: it ends or shows one.

    Raises
    ------
    InvalidInput
        Options are missing, or exclude each other.
    """
    given = {
        "--source": request.source,
        "--sink": request.sink,
        "--dead-letters": request.dead_letters,
        "--credentials": request.credentials,
    }
    options = [option for option, value in given.items() if value]
    if request.stop and options:
        raise InvalidInput(f"--stop takes no {options[0]}", f"leave {options[0]} out")
    if not options:
        return None
    if not (request.source and request.sink):
        missing = "--sink" if request.source else "--source"
        raise InvalidInput(f"{missing} is missing", f"add {missing} nats://localhost:4222/SUBJECT")
    given = request.model_dump(include=set(StreamSpec.model_fields), exclude_none=True)
    if request.credentials:
        given["credentials"] = str(Path(request.credentials).expanduser().absolute())
    return StreamSpec.model_validate(given).checked()
