"""Requests that wait for the model, and how many of them, and of their bytes, may."""

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
MAX_BYTES = 256 * 1024 * 1024
"""Of all requests together that are read, wait or are computed; a lone one of any allowed length is always let in."""


@dataclass(eq=False, slots=True)
class PendingRequest:
    """One request on its way to the model.

    Attributes
    ----------
    question
        None: it is not read yet.
    answered
        Its answer, for the task that waits for it; None where there is nobody to answer, or it went as events.
    began
        Whether it was taken up: what has not been is given up without a trace in the model.
    called
        When the model's call began and ended, as ``time.perf_counter()``, and how many rows it had in all.
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
        """Seconds until its deadline; None: it has none."""
        deadline = self.context.deadline
        return None if deadline is None else deadline - time.perf_counter()

    def refusal(self, problem: Problem) -> Response:
        """The answer that it gets none, in its protocol's words."""
        return self.protocol.problem(problem, self.context.request_id)


@dataclass(slots=True)
class RequestQueue:
    """Who waits, in the order of arrival."""

    limit: int
    waiting: deque[PendingRequest] = field(default_factory=deque)

    def put(self, pending: PendingRequest) -> None:
        """At its end.

        Raises
        ------
        Problem
            503: it is full.
        """
        if len(self.waiting) >= self.limit:
            raise Problem(503, f"{self.limit} requests wait for the model already; try again")
        self.waiting.append(pending)

    def next_batch(self, rows: int) -> list[PendingRequest]:
        """Who is asked in the next call: the first, and of those behind it whose role is the same, up to ``rows``.

        Asked alone is one that is not read yet, and one whose answer comes as events.
        """
        batch: list[PendingRequest] = []
        capacity = rows
        while self.waiting:
            pending = self.waiting[0]
            if pending.response.done():  # given up while it waited
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


@dataclass(slots=True)
class ByteBudget:
    """How many bytes of requests this process holds."""

    limit: int
    held: int = 0

    def reserve(self, length: int, already: int) -> None:
        """``length`` bytes more for a request that holds ``already`` so many.

        Raises
        ------
        Problem
            503: others hold too many.
        """
        others = self.held - already
        if others and self.held + length > self.limit:
            raise Problem(503, "the requests that wait already are too large together; try again")
        self.held += length

    def release(self, length: int) -> None:
        self.held -= length
