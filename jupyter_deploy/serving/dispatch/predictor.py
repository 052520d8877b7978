"""Requests to the model: read, asked together where that pays, recorded, answered."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ..asgi import body
from ..asgi.messages import Answer, Answered, Asked, Receive
from ..asgi.problems import Problem
from ..protocols import Asking, Events, Request, packed, unpacked
from ..role import asked_as
from ..snapshot import Model
from ..telemetry import metrics
from . import outcomes
from .batch_sizing import MOST_ROWS, Pace
from .json_answers import checked, part, strict_json
from .outcome_sink import Register
from .outcomes import Outcome
from .parsed_request import Question, Raw
from .request_queue import MOST_BYTES, Line, Room, Waiting
from .streaming import in_events

# What is longer, or may become so, is read in the model's thread, and so is what makes objects of the notebook's own
# classes: meanwhile the loop answers others.
_SHORT_BYTES = 32 * 1024
_TURN_SECONDS = 0.005

# Their calls compute and do nothing else. What a function does, nobody knows: it never holds up the event loop.
_COMPUTE = frozenset({"sklearn", "torch", "xgboost", "lightgbm", "catboost", "numpy", "onnx", "skorch", "statsmodels"})


class Predictor:
    """Asks one model, one call at a time: models seldom are made for several at once.

    While a call is made, who comes waits, and the next call takes who is there. Calls that are known to be short are
    made in the event loop: a thread would cost more than they do. All others are made in one thread, and the loop
    answers ``/livez`` meanwhile.
    """

    def __init__(self, model: Model, register: Register, *, max_body_bytes: int, max_waiting: int) -> None:
        self._model = model
        self._register = register
        self._limit = max_body_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._line, self._room = Line(max_waiting), Room(MOST_BYTES)
        self._calling = False  # a call is being made, or will be in this turn of the loop
        container = model.codec.container
        self._yields = container == "call"
        prototype = model.codec.prototype
        self._plain = not self._yields and not isinstance(prototype, tuple)  # which would be a form
        self._waiting, self._running, self._crowded = metrics.waiting(), metrics.running(), False
        self._pace = Pace(
            inline=model.manifest["framework"] in _COMPUTE and container in ("frame", "array", "tensor"),
            joint=bool(model.manifest.get("batchable")) and model.decoder.joinable,
        )

    async def answer(self, asked: Asked, asking: Asking, receive: Receive) -> Answered | None:
        """The answer, recorded before it is given; None when the client left before it was asked."""
        answered = asyncio.get_running_loop().create_future()
        one = Waiting(asked, asking, Request(asked.headers, self._limit), answered)
        held = 0

        def take(length: int) -> None:
            nonlocal held
            self._room.take(length, held)
            held += length

        try:
            if asked.deadline is not None and math.isnan(asked.deadline):
                raise Problem(400, "x-request-timeout-ms must be a whole number of milliseconds")  # noqa: TRY301
            one.content = await body.read(asked, receive, self._limit, take)
            if self._yields and one.request.wants_events:
                one.events = Events(receive)
            elif self._plain and len(one.content) <= _SHORT_BYTES and b"content-encoding" not in asked.headers:
                one.question = asking.question(one.content, one.request)
            self._line.join(one)
        except Exception as error:  # noqa: BLE001  a request is refused, and recorded, whatever reading it raises
            self._room.give_back(held)
            return self._commit(outcomes.of_error(one, error))
        try:
            self._soon()
            return await self._answered(one, receive)
        finally:
            self._room.give_back(held)

    def close(self) -> None:
        self._thread.shutdown(wait=False)
        self._register.close()

    async def _answered(self, one: Waiting, receive: Receive) -> Answered | None:
        try:
            if one.events is not None:
                return await one.events.begun(one.answered)
            if self._pace.quick and one.asked.deadline is None:
                return await one.answered
            return await self._patiently(one, receive)
        except asyncio.CancelledError:
            # What is begun is finished and recorded, even if a time limit cancels this task.
            one.asked.abandoned = True
            if not one.began:
                one.answered.cancel()
                self._commit(outcomes.given_up(one))
            raise

    async def _patiently(self, one: Waiting, receive: Receive) -> Answer | None:
        """As long as the client stays and its deadline is not over."""
        gone = asyncio.ensure_future(body.left(receive))
        try:
            waited_for: set[asyncio.Future[Any]] = {one.answered, gone}
            await asyncio.wait(waited_for, timeout=one.remaining, return_when=asyncio.FIRST_COMPLETED)
            if one.began and gone.done():
                return await one.answered
            if one.answered.done():
                return one.answered.result()
            one.answered.cancel()
            if gone.done():
                reason = body.ClientGone("the client closed the connection before the model was asked")
                return self._commit(outcomes.of_error(one, reason))
            one.asked.abandoned = True
            given_up = outcomes.given_up(one)
            return given_up.answer if one.began else self._commit(given_up)
        finally:
            gone.cancel()

    def _soon(self) -> None:
        """A call will be made when all that has arrived in this turn of the loop waits in line."""
        if self._calling:
            self._tell_waiting()
        else:
            self._calling = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        until = time.perf_counter() + _TURN_SECONDS
        while batch := self._line.next(self._pace.rows):
            if not self._pace.quick or batch[0].question is None:
                work = asyncio.get_running_loop().run_in_executor(self._thread, self._call, batch)
                work.add_done_callback(partial(self._called, batch))
                self._running.set(
                    len(batch)
                )  # of a call in the loop nobody could be told: it answers nothing meanwhile
                self._tell_waiting()
                return
            _give(batch, partial(self._call, batch))
            if time.perf_counter() > until:
                asyncio.get_running_loop().call_soon(self._turn)  # who has come in meanwhile is looked at first
                return
        self._calling = False
        if self._crowded:
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        waiting = len(self._line.waiting)
        self._waiting.set(waiting)
        self._crowded = waiting > 0

    def _called(self, batch: list[Waiting], work: asyncio.Future[list[Answer | None]]) -> None:
        self._running.set(0)
        _give(batch, work.result)
        self._turn()

    def _call(self, batch: list[Waiting]) -> list[Answer | None]:
        """One call of the model, its records in one write, its answers."""
        found: dict[Waiting, Outcome] = {}
        ready: list[Waiting] = []
        for one in batch:
            refusal = _read(one)
            if refusal is None:
                ready.append(one)
            else:
                found[one] = refusal
        if len(ready) == 1 and (events := ready[0].events) is not None:
            (one,) = ready
            if one.question is not None and one.question.rows == 1:
                return [in_events(one, one.question, self._model, events, self._commit)]
        if ready:
            found |= zip(ready, self._ask(ready), strict=True)
        return self._register.commit([found[one] for one in batch])

    def _ask(self, ones: list[Waiting]) -> list[Outcome]:
        questions = [one.question for one in ones if one.question is not None]
        try:
            native = self._native(ones, questions)
            return [
                Outcome(one, 200, packed(one.asking.answer(question, own, told, one.request), one.request), told)
                for one, question, (own, told) in zip(ones, questions, _each(native, questions), strict=True)
            ]
        except BaseException as error:  # noqa: BLE001  a model may raise anything, even SystemExit
            if len(ones) > 1:  # each alone: one that cannot be answered takes no other with it
                return [outcome for one in ones for outcome in self._ask([one])]
            return [outcomes.of_error(ones[0], error)]

    def _native(self, ones: list[Waiting], questions: list[Question]) -> Any:
        rows = sum(question.rows for question in questions)
        if not rows:
            return None
        batch = self._model.decoder.batch(questions)
        with asked_as(ones[0].asked.role):
            began, used = time.perf_counter(), time.thread_time()
            native = self._model.call_native(batch)
            ended, used = time.perf_counter(), time.thread_time() - used
        for one in ones:
            one.called = (began, ended, rows)
        if rows <= MOST_ROWS:  # the time of a long table's call says nothing about those of others
            self._pace.note(rows, ended - began, used)
        return native

    def _commit(self, outcome: Outcome) -> Answer | None:
        return self._register.commit([outcome])[0]


def _read(one: Waiting) -> Outcome | None:
    """Why it will not be asked; None: its question is read."""
    left = one.remaining
    if one.asked.abandoned or (left is not None and left <= 0):
        return outcomes.given_up(one)
    try:
        if one.question is None:
            one.question = one.asking.question(unpacked(one.content, one.request), one.request)
    except BaseException as error:  # noqa: BLE001  the classes of a function's parameters may raise anything
        return outcomes.of_error(one, error)
    return None


def _each(native: Any, questions: list[Question]) -> Iterable[tuple[Any, Raw]]:
    """Each question's own part of the answer, and that as predictions."""
    if len(questions) == 1:
        rows = questions[0].rows
        yield native, strict_json(native, rows) if rows else Raw(b"[]")
        return
    native = checked(native, sum(question.rows for question in questions))
    begin = 0
    for question in questions:
        end = begin + question.rows
        own = part(native, begin, end)
        yield own, strict_json(own, question.rows)
        begin = end


def _give(batch: list[Waiting], answers: Callable[[], list[Answer | None]]) -> None:
    """To those who still wait; nobody waits for ever, whatever went wrong."""
    try:
        for one, answer in zip(batch, answers(), strict=True):
            if not one.answered.done():
                one.answered.set_result(answer)
    except Exception as failure:  # noqa: BLE001  the front door logs it
        for one in batch:
            if not one.answered.done():
                one.answered.set_exception(failure)
