"""One call of a function whose answer goes out item by item, as it yields them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..asgi.body import ClientGone
from ..asgi.messages import Answer
from ..protocols import Events, packed
from ..role import asked_as
from ..snapshot import Model
from ..values.codec import to_json
from .json_answers import strict_json
from .outcomes import Outcome, of_error
from .parsed_request import Question, Raw
from .request_queue import Waiting


def in_events(
    one: Waiting, question: Question, model: Model, events: Events, commit: Callable[[Outcome], Answer | None]
) -> Answer | None:
    """Ask it; None: the answer went as events. If it yields nothing, the answer is one as ever.

    What was yielded is recorded before the last event leaves.
    """
    asked = one.asked
    items: list[Any] = []
    try:
        (arguments,) = model.decoder.batch([question])
        with asked_as(asked.role), model.yielding(arguments) as (yields, answer):
            if not yields:
                predictions = strict_json([answer], 1)
                whole = packed(one.asking.answer(question, [answer], predictions, one.request), one.request)
                return commit(Outcome(one, 200, whole, predictions))
            for item in answer:
                if events.gone or asked.abandoned:
                    break
                items.append(to_json(item))
                events.put(items[-1])
    except BaseException as error:  # noqa: BLE001  a model may raise anything, even SystemExit
        refused = commit(of_error(one, error))
        if not items or refused is None:
            return refused
        events.fail(refused)
        return None
    if events.gone:
        commit(of_error(one, ClientGone("the client closed the connection before the last item")))
        events.end(len(items))  # nobody reads it: it ends the task that sends
        return None
    last = Answer(200, b"")
    told = commit(Outcome(one, 200, last, Raw(msgspec.json.encode([items]))))
    if told is last:
        events.end(len(items))
    elif told is not None:  # it cannot be recorded, and must be
        events.fail(told)
    return None
