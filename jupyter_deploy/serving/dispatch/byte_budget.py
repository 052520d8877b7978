"""The budget of bytes of all requests that a process holds: while their bodies arrive, wait, and are processed.

A sender that stops in the middle of its body must not take the budget from others. So if a request does not fit, the
budget ends the one that has stalled longest, and for a short request also the largest one that still arrives.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from ..asgi.problems import Problem

MAX_BYTES = 256 * 1024 * 1024
"""Limit of the bytes of all requests that are read, wait or run; a lone request of any allowed length is accepted."""

_STALLED_SECONDS = 1.0
_PROGRESS_BYTES = 64 * 1024
_SHORT_BYTES = 1024 * 1024


def _stalled() -> Problem:
    return _ended(408, "the request came too slowly while others needed the memory")


def _crowded() -> Problem:
    return _ended(413, "the requests that arrive are too large together; send smaller ones")


def _ended(status: int, detail: str) -> Problem:
    return Problem(status, detail, headers=[(b"connection", b"close")])


@dataclass(eq=False, slots=True)
class Reservation:
    """The bytes of one request.

    Attributes
    ----------
    timer
        The time limit of a body that still arrives; None: it is complete, or short.
    refusal
        The reason for which the budget ended it.
    """

    budget: ByteBudget
    held: int = 0
    timer: asyncio.Timeout | None = None
    refusal: Problem | None = None
    fresh: int = 0
    progressed: float = 0.0

    def add(self, length: int) -> None:
        """Reserve ``length`` more bytes.

        Raises
        ------
        Problem
            503: the waiting requests hold too many. 408, 413: those that arrive do, or the budget ended this one.
        """
        if self.refusal is not None:
            raise self.refusal
        try:
            self.budget.reserve(length, self)
        except Problem as refusal:
            self.end(refusal, at_once=False)  # its reader still discards the rest
            raise
        self.fresh += length
        if self.timer is not None and self.fresh >= _PROGRESS_BYTES:
            self.fresh, self.progressed = 0, time.monotonic()

    def arrive(self, timer: asyncio.Timeout) -> None:
        """Take part in the budget as a body that arrives and may be ended by its time limit."""
        self.timer, self.progressed = timer, time.monotonic()
        self.budget.arriving.add(self)

    def complete(self) -> None:
        """The body has arrived."""
        self.timer = None
        self.budget.arriving.discard(self)

    def release(self) -> None:
        """Return all bytes."""
        self.complete()
        self.budget.held -= self.held
        self.held = 0

    def end(self, refusal: Problem, *, at_once: bool = True) -> None:
        """Have the request refused, and return its bytes; ``at_once``: its reader's time is over."""
        timer = self.timer
        self.release()
        self.refusal = refusal
        if timer is not None and at_once:
            timer.reschedule(0)


@dataclass(slots=True)
class ByteBudget:
    """The bytes of requests that this process holds."""

    limit: int
    held: int = 0
    arriving: set[Reservation] = field(default_factory=set)

    def reserve(self, length: int, own: Reservation) -> None:
        """Reserve bytes for a request; see ``Reservation.add``."""
        while self.held > own.held and self.held + length > self.limit:
            self._make_space(own, length)
        self.held += length
        own.held += length

    def _make_space(self, own: Reservation, length: int) -> None:
        others = [one for one in self.arriving if one is not own and one.held]
        now = time.monotonic()
        stalled = min(others, key=lambda one: one.progressed, default=None)
        if stalled is not None and stalled.progressed < now - _STALLED_SECONDS:
            stalled.end(_stalled())
            return
        largest = max(others, key=lambda one: one.held, default=None)
        if largest is not None and own.held + length <= _SHORT_BYTES < largest.held:
            largest.end(_crowded())
            return
        waiting = self.held - sum(one.held for one in self.arriving)
        if own.timer is None or waiting + own.held + length > self.limit:
            raise Problem(503, "the waiting requests are too large together; try again")
        raise _crowded()
