"""Requests that wait for the model, and how many of them, and of their bytes, may."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from ..asgi.messages import Answer, Asked
from ..asgi.problems import Problem
from ..protocols import Asking, Events, Request
from .parsed_request import Question

MOST_WAITING = 1024
MOST_BYTES = 256 * 1024 * 1024
"""Of all requests together that are read, wait or are computed; a lone one of any allowed length is always let in."""


@dataclass(eq=False, slots=True)
class Waiting:
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

    asked: Asked
    asking: Asking
    request: Request
    answered: asyncio.Future[Answer | None]
    content: bytes = b""
    question: Question | None = None
    events: Events | None = None
    began: bool = False
    called: tuple[float, float, int] | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds until its deadline; None: it has none."""
        deadline = self.asked.deadline
        return None if deadline is None else deadline - time.perf_counter()

    def refusal(self, problem: Problem) -> Answer:
        """The answer that it gets none, in its protocol's words."""
        return self.asking.problem(problem, self.asked.request_id)


@dataclass(slots=True)
class Line:
    """Who waits, in the order of arrival."""

    most: int
    waiting: deque[Waiting] = field(default_factory=deque)

    def join(self, one: Waiting) -> None:
        """At its end.

        Raises
        ------
        Problem
            503: it is full.
        """
        if len(self.waiting) >= self.most:
            raise Problem(503, f"{self.most} requests wait for the model already; try again")
        self.waiting.append(one)

    def next(self, rows: int) -> list[Waiting]:
        """Who is asked in the next call: the first, and of those behind it whose role is the same, up to ``rows``.

        Asked alone is one that is not read yet, and one whose answer comes as events.
        """
        batch: list[Waiting] = []
        room = rows
        while self.waiting:
            one = self.waiting[0]
            if one.answered.done():  # given up while it waited
                self.waiting.popleft()
                continue
            alone = one.events is not None or one.question is None
            asks = room if alone or one.question is None else one.question.rows
            if batch and (alone or asks > room or one.asked.role != batch[0].asked.role):
                break
            room -= asks
            one.began = True
            batch.append(self.waiting.popleft())
            if room <= 0:
                break
        return batch


@dataclass(slots=True)
class Room:
    """How many bytes of requests this process holds."""

    most: int
    held: int = 0

    def take(self, length: int, already: int) -> None:
        """``length`` bytes more for a request that holds ``already`` so many.

        Raises
        ------
        Problem
            503: others hold too many.
        """
        others = self.held - already
        if others and self.held + length > self.most:
            raise Problem(503, "the requests that wait already are too large together; try again")
        self.held += length

    def give_back(self, length: int) -> None:
        self.held -= length
