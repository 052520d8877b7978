"""A call of a function whose items are sent as it yields them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..asgi.body import ClientGone
from ..asgi.messages import Response
from ..output import restore_output
from ..protocols import Events, packed
from ..role import in_role
from ..snapshot import Model
from ..values.codec import to_json
from .outcomes import Outcome, of_error
from .parsed_request import ParsedRequest, Raw
from .predictions import Predictions, predictions_of
from .redacted_output import mask_output
from .request_queue import PendingRequest


def stream_events(
    pending: PendingRequest,
    parsed: ParsedRequest,
    model: Model,
    events: Events,
    commit: Callable[[Outcome], Response | None],
) -> Response | None:
    """Call the function; return None if the answer was sent as events, else the response.

    The items are recorded before the last event is sent.
    """
    context = pending.context
    items: list[Any] = []
    try:
        (arguments,) = model.decoder.batch([parsed])
        with in_role(context.role), mask_output([pending]), model.yielding(arguments) as (yields, answer):
            restore_output()
            if not yields:
                predictions = predictions_of([answer], 1)
                whole = packed(pending.protocol.answer(parsed, [answer], predictions, pending.request), pending.request)
                return commit(Outcome(pending, 200, whole, predictions))
            for item in answer:
                if events.disconnected or context.abandoned:
                    break
                restore_output()
                items.append(to_json(item))
                events.put(items[-1])
    except BaseException as error:  # noqa: BLE001 - a model may raise anything, even SystemExit
        problem = commit(of_error(pending, error))
        if not items or problem is None:
            return problem
        events.fail(problem)
        return None
    if events.disconnected:
        commit(of_error(pending, ClientGone("the client closed the connection before the last item")))
        events.end(len(items))  # nobody reads the event: it ends the sending task
        return None
    last = Response(200, b"")
    response = commit(Outcome(pending, 200, last, Predictions(Raw(msgspec.json.encode([items])))))
    if response is last:
        events.end(len(items))
    elif response is not None:  # required, but it cannot be recorded
        events.fail(response)
    return None
