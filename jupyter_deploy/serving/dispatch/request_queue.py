"""The queue of requests that wait for the model, and its limits in requests and bytes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from ..asgi.messages import RequestContext, Response
from ..asgi.problems import Problem
from ..protocols import Events, ProtocolAdapter, Request
from .parsed_request import ParsedRequest

MAX_WAITING = 1024


@dataclass(eq=False, slots=True)
class PendingRequest:
    """A request on its way to the model.

    Attributes
    ----------
    parsed
        None: not parsed yet.
    response
        Future of the response; None if there is no client, or the response was sent as events.
    began
        Whether a call has taken the request; until then it can be dropped without a trace in the model.
    model_call
        Begin and end of the model's call as ``time.perf_counter()``, and the rows of the whole call.
    """

    context: RequestContext
    protocol: ProtocolAdapter
    request: Request
    response: asyncio.Future[Response | None]
    content: bytes = b""
    parsed: ParsedRequest | None = None
    events: Events | None = None
    began: bool = False
    model_call: tuple[float, float, int] | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline; None: no deadline."""
        deadline = self.context.deadline
        return None if deadline is None else deadline - time.perf_counter()

    def refusal(self, problem: Problem) -> Response:
        """Return the response to a request that is not answered, in its protocol's form."""
        return self.protocol.problem(problem, self.context.request_id)


@dataclass(slots=True)
class RequestQueue:
    """Waiting requests in the order of arrival."""

    limit: int
    waiting: deque[PendingRequest] = field(default_factory=deque)

    def put(self, pending: PendingRequest) -> None:
        """Append a request.

        Raises
        ------
        Problem
            503: the queue is full.
        """
        if len(self.waiting) >= self.limit:
            raise Problem(503, f"{self.limit} requests are waiting for the model already; try again")
        self.waiting.append(pending)

    def next_batch(self, rows: int) -> list[PendingRequest]:
        """Remove and return the requests of the next call: the first, and the next ones of its role, up to ``rows``.

        A request that is not parsed yet, or whose answer is sent as events, gets a call of its own.
        """
        batch: list[PendingRequest] = []
        capacity = rows
        while self.waiting:
            pending = self.waiting[0]
            if pending.response.done():  # dropped while it waited
                self.waiting.popleft()
                continue
            alone = pending.events is not None or pending.parsed is None
            rows_needed = capacity if alone or pending.parsed is None else pending.parsed.rows
            if batch and (alone or rows_needed > capacity or pending.context.role != batch[0].context.role):
                break
            capacity -= rows_needed
            pending.began = True
            batch.append(self.waiting.popleft())
            if capacity <= 0:
                break
        return batch
