"""From delivery to acknowledgement: a message gets its answer, or becomes a dead letter, and is then acknowledged."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from jupyter_deploy.domain.errors import TargetError

from .dead_letters import CONTENT_TYPE, dead_letter
from .deliveries import Delivery, Sink
from .gateway import Answer
from .progress import Progress

PARALLEL = 64
"""Requests at a time; the release's queue makes joint calls of the model of those that wait."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 15.0


class Answerer(Protocol):
    async def answer(self, message: Delivery) -> Answer:
        """Send a message to the endpoint once."""


class Pipeline:
    """Answers deliveries: those of one key one after another, all others at the same time.

    A message is acknowledged after the broker has stored its answer, so a kill at any point repeats messages and loses
    none. A failure is tried again after a pause that grows. What the model fails on ``attempts`` times becomes a dead
    letter; while nothing can answer, messages wait, and the broker holds the rest back.

    Parameters
    ----------
    parallel
        Requests at a time.
    pause
        Waits so many seconds.
    """

    def __init__(
        self,
        endpoint: str,
        answerer: Answerer,
        sink: Sink,
        dead_letters: Sink,
        progress: Progress,
        *,
        attempts: int,
        parallel: int = PARALLEL,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._endpoint, self._answerer = endpoint, answerer
        self._sink, self._dead_letters = sink, dead_letters
        self._progress = progress
        self._attempts = attempts
        self._pause = pause
        self._slots = asyncio.Semaphore(parallel)
        # A process that died had several messages: each is tried alone, so that the one at fault is found.
        self._suspect = asyncio.Lock()
        self._open: dict[str, Delivery] = {}
        self._waiting: dict[str, deque[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False

    def take(self, message: Delivery) -> None:
        """Begin to answer a delivery. One that is open already, which the broker delivers again, is dropped."""
        if message.position in self._open:
            self._progress.repeated += 1
            # The newest delivery is the one to acknowledge.
            self._open[message.position] = message
            return
        self._open[message.position] = message
        self._progress.open = len(self._open)
        key = message.key
        if key is None:
            self._start(self._finish_or_give_back(message))
        elif key in self._waiting:
            self._waiting[key].append(message)
        else:
            self._waiting[key] = deque([message])
            self._start(self._finish_all(key))

    async def extend(self) -> None:
        """Extend all open deliveries."""
        for message in list(self._open.values()):
            with suppress(Exception):  # the broker is away: it delivers them again
                await message.extend()

    async def end(self, seconds: float) -> None:
        """Finish the requests in progress within so many seconds, and give the other messages back."""
        self._ending = True
        tasks = set(self._tasks)
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        for message in list(self._open.values()):
            with suppress(Exception):
                await message.give_back()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_all(self, key: str) -> None:
        """Finish the messages of a key in their order."""
        queue = self._waiting[key]
        while queue:
            if self._ending:
                return
            await self._finish_or_give_back(queue[0])
            queue.popleft()
        del self._waiting[key]

    async def _finish_or_give_back(self, message: Delivery) -> None:
        try:
            await self._finish(message)
        except Exception:  # noqa: BLE001 - a fault of this program must not hold a message for ever
            traceback.print_exc()
            latest = self._open.pop(message.position, message)
            await self._pause(_LONGEST_PAUSE)
            with suppress(Exception):
                await latest.give_back()

    async def _finish(self, message: Delivery) -> None:
        answer, attempts = await self._answered(message)
        if answer is None:
            return
        if answer.verdict == "answered":
            headers = dict(answer.headers) | ({"x-sticky-key": message.key} if message.key else {})
            await self._publish(self._sink, answer.body, headers, f"{self._endpoint}:{message.unique}", message)
            self._progress.answered += 1
        else:
            body = dead_letter(self._endpoint, message, answer, attempts, datetime.now(UTC))
            number = f"{self._endpoint}:dead:{message.unique}"
            await self._publish(self._dead_letters, body, {"content-type": CONTENT_TYPE}, number, message)
            self._progress.dead_lettered += 1
        latest = self._open.pop(message.position, message)
        self._progress.open = len(self._open)
        with suppress(Exception):  # the broker is away: it delivers the message again
            await latest.acknowledge()

    async def _answered(self, message: Delivery) -> tuple[Answer | None, int]:
        """Return the final answer to a message, and its failures; None: the pipeline ends first."""
        failures, pause = 0, _FIRST_PAUSE
        suspect = False
        while not self._ending:
            if suspect:
                async with self._suspect:
                    answer = await self._answerer.answer(message)
            else:
                async with self._slots:
                    if self._ending:
                        break
                    answer = await self._answerer.answer(message)
            if answer.verdict == "unavailable":
                self._progress.problems["endpoint"] = f"the endpoint does not answer: {answer.reason}"
            else:
                self._progress.problems.pop("endpoint", None)
            if answer.verdict in ("failed", "died"):
                failures += 1
                suspect = suspect or answer.verdict == "died"
            if answer.verdict in ("answered", "refused") or failures >= self._attempts:
                return answer, failures + (answer.verdict in ("answered", "refused"))
            self._progress.retried += 1
            await self._pause(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads attempts
            pause = min(2 * pause, _LONGEST_PAUSE)
        return None, failures

    async def _publish(self, sink: Sink, body: bytes, headers: dict[str, str], number: str, message: Delivery) -> None:
        """Publish until the broker has stored it."""
        what = "the sink" if sink is self._sink else "dead letters"
        pause = _FIRST_PAUSE
        while True:
            try:
                await sink.publish(body, headers, number, message)
            except TargetError as error:
                self._progress.problems[what] = error.message
                await self._pause(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads attempts
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._progress.problems.pop(what, None)
                return
