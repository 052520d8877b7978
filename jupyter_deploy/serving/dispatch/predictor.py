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
from ..asgi.messages import Receive, RequestContext, Response, Sendable
from ..asgi.problems import Problem
from ..protocols import Events, ProtocolAdapter, Request, packed, unpacked
from ..role import in_role
from ..snapshot import Model
from ..telemetry import metrics
from . import outcomes
from .batch_sizing import MAX_ROWS, BatchSizer
from .json_answers import checked, part, strict_json
from .outcome_sink import OutcomeSink
from .outcomes import Outcome
from .parsed_request import ParsedRequest, Raw
from .request_queue import MAX_BYTES, ByteBudget, PendingRequest, RequestQueue
from .streaming import stream_events

# What is longer, or may become so, is read in the model's thread, and so is what makes objects of the notebook's own
# classes: meanwhile the loop answers others.
_SHORT_BYTES = 32 * 1024
_SLICE_SECONDS = 0.005

# Their calls compute and do nothing else. What a function does, nobody knows: it never holds up the event loop.
_PURE_FRAMEWORKS = frozenset(
    {"sklearn", "torch", "xgboost", "lightgbm", "catboost", "numpy", "onnx", "skorch", "statsmodels"}
)


class Predictor:
    """Asks one model, one call at a time: models seldom are made for several at once.

    While a call is made, who comes waits, and the next call takes who is there. Calls that are known to be short are
    made in the event loop: a thread would cost more than they do. All others are made in one thread, and the loop
    answers ``/livez`` meanwhile.
    """

    def __init__(self, model: Model, sink: OutcomeSink, *, max_body_bytes: int, max_waiting: int) -> None:
        self._model = model
        self._sink = sink
        self._limit = max_body_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._queue, self._budget = RequestQueue(max_waiting), ByteBudget(MAX_BYTES)
        self._calling = False  # a call is being made, or will be in this turn of the loop
        container = model.codec.container
        self._yields = container == "call"
        prototype = model.codec.prototype
        self._parse_early = not self._yields and not isinstance(prototype, tuple)  # which would be a form
        self._waiting, self._running, self._crowded = metrics.waiting(), metrics.running(), False
        self._sizer = BatchSizer(
            inline=model.manifest["framework"] in _PURE_FRAMEWORKS and container in ("frame", "array", "tensor"),
            joint=bool(model.manifest.get("batchable")) and model.decoder.joinable,
        )

    async def answer(self, context: RequestContext, protocol: ProtocolAdapter, receive: Receive) -> Sendable | None:
        """The answer, recorded before it is given; None when the client left before it was asked."""
        response = asyncio.get_running_loop().create_future()
        pending = PendingRequest(context, protocol, Request(context.headers, self._limit), response)
        held = 0

        def reserve(length: int) -> None:
            nonlocal held
            self._budget.reserve(length, held)
            held += length

        try:
            if context.deadline is not None and math.isnan(context.deadline):
                raise Problem(400, "x-request-timeout-ms must be a whole number of milliseconds")  # noqa: TRY301
            pending.content = await body.read(context, receive, self._limit, reserve)
            if self._yields and pending.request.wants_events:
                pending.events = Events(receive)
            elif (
                self._parse_early
                and len(pending.content) <= _SHORT_BYTES
                and b"content-encoding" not in context.headers
            ):
                pending.parsed = protocol.parse(pending.content, pending.request)
            self._queue.put(pending)
        except Exception as error:  # noqa: BLE001  a request is refused, and recorded, whatever reading it raises
            self._budget.release(held)
            return self._commit(outcomes.of_error(pending, error))
        try:
            self._schedule()
            return await self._response(pending, receive)
        finally:
            self._budget.release(held)

    def close(self) -> None:
        self._thread.shutdown(wait=False)
        self._sink.close()

    async def _response(self, pending: PendingRequest, receive: Receive) -> Sendable | None:
        try:
            if pending.events is not None:
                return await pending.events.start(pending.response)
            if self._sizer.quick and pending.context.deadline is None:
                return await pending.response
            return await self._wait(pending, receive)
        except asyncio.CancelledError:
            # What is begun is finished and recorded, even if a time limit cancels this task.
            pending.context.abandoned = True
            if not pending.began:
                pending.response.cancel()
                self._commit(outcomes.timed_out(pending))
            raise

    async def _wait(self, pending: PendingRequest, receive: Receive) -> Response | None:
        """As long as the client stays and its deadline is not over."""
        gone = asyncio.ensure_future(body.disconnected(receive))
        try:
            waited_for: set[asyncio.Future[Any]] = {pending.response, gone}
            await asyncio.wait(waited_for, timeout=pending.remaining, return_when=asyncio.FIRST_COMPLETED)
            if pending.began and gone.done():
                return await pending.response
            if pending.response.done():
                return pending.response.result()
            pending.response.cancel()
            if gone.done():
                reason = body.ClientGone("the client closed the connection before the model was asked")
                return self._commit(outcomes.of_error(pending, reason))
            pending.context.abandoned = True
            timed_out = outcomes.timed_out(pending)
            return timed_out.answer if pending.began else self._commit(timed_out)
        finally:
            gone.cancel()

    def _schedule(self) -> None:
        """A call will be made when all that has arrived in this turn of the loop waits in line."""
        if self._calling:
            self._update_waiting()
        else:
            self._calling = True
            asyncio.get_running_loop().call_soon(self._run_batches)

    def _run_batches(self) -> None:
        until = time.perf_counter() + _SLICE_SECONDS
        while batch := self._queue.next_batch(self._sizer.rows):
            if not self._sizer.quick or batch[0].parsed is None:
                work = asyncio.get_running_loop().run_in_executor(self._thread, self._process, batch)
                work.add_done_callback(partial(self._finish, batch))
                self._running.set(
                    len(batch)
                )  # of a call in the loop nobody could be told: it answers nothing meanwhile
                self._update_waiting()
                return
            _deliver(batch, partial(self._process, batch))
            if time.perf_counter() > until:
                asyncio.get_running_loop().call_soon(self._run_batches)  # who has come in meanwhile is looked at first
                return
        self._calling = False
        if self._crowded:
            self._update_waiting()

    def _update_waiting(self) -> None:
        waiting = len(self._queue.waiting)
        self._waiting.set(waiting)
        self._crowded = waiting > 0

    def _finish(self, batch: list[PendingRequest], work: asyncio.Future[list[Response | None]]) -> None:
        self._running.set(0)
        _deliver(batch, work.result)
        self._run_batches()

    def _process(self, batch: list[PendingRequest]) -> list[Response | None]:
        """One call of the model, its records in one write, its answers."""
        results: dict[PendingRequest, Outcome] = {}
        ready: list[PendingRequest] = []
        for pending in batch:
            refusal = _parse(pending)
            if refusal is None:
                ready.append(pending)
            else:
                results[pending] = refusal
        if len(ready) == 1 and (events := ready[0].events) is not None:
            (pending,) = ready
            if pending.parsed is not None and pending.parsed.rows == 1:
                return [stream_events(pending, pending.parsed, self._model, events, self._commit)]
        if ready:
            results |= zip(ready, self._predict(ready), strict=True)
        return self._sink.commit([results[pending] for pending in batch])

    def _predict(self, requests: list[PendingRequest]) -> list[Outcome]:
        parsed_requests = [pending.parsed for pending in requests if pending.parsed is not None]
        try:
            native = self._call_model(requests, parsed_requests)
            return [
                Outcome(
                    pending,
                    200,
                    packed(pending.protocol.answer(parsed, own, predictions, pending.request), pending.request),
                    predictions,
                )
                for pending, parsed, (own, predictions) in zip(
                    requests, parsed_requests, _split(native, parsed_requests), strict=True
                )
            ]
        except BaseException as error:  # noqa: BLE001  a model may raise anything, even SystemExit
            if len(requests) > 1:  # each alone: one that cannot be answered takes no other with it
                return [outcome for pending in requests for outcome in self._predict([pending])]
            return [outcomes.of_error(requests[0], error)]

    def _call_model(self, requests: list[PendingRequest], parsed_requests: list[ParsedRequest]) -> Any:
        rows = sum(parsed.rows for parsed in parsed_requests)
        if not rows:
            return None
        batch = self._model.decoder.batch(parsed_requests)
        with in_role(requests[0].context.role):
            began, used = time.perf_counter(), time.thread_time()
            native = self._model.call_native(batch)
            ended, used = time.perf_counter(), time.thread_time() - used
        for pending in requests:
            pending.model_call = (began, ended, rows)
        if rows <= MAX_ROWS:  # the time of a long table's call says nothing about those of others
            self._sizer.observe(rows, ended - began, used)
        return native

    def _commit(self, outcome: Outcome) -> Response | None:
        return self._sink.commit([outcome])[0]


def _parse(pending: PendingRequest) -> Outcome | None:
    """Why it will not be asked; None: its question is read."""
    remaining = pending.remaining
    if pending.context.abandoned or (remaining is not None and remaining <= 0):
        return outcomes.timed_out(pending)
    try:
        if pending.parsed is None:
            pending.parsed = pending.protocol.parse(unpacked(pending.content, pending.request), pending.request)
    except BaseException as error:  # noqa: BLE001  the classes of a function's parameters may raise anything
        return outcomes.of_error(pending, error)
    return None


def _split(native: Any, parsed_requests: list[ParsedRequest]) -> Iterable[tuple[Any, Raw]]:
    """Each question's own part of the answer, and that as predictions."""
    if len(parsed_requests) == 1:
        rows = parsed_requests[0].rows
        yield native, strict_json(native, rows) if rows else Raw(b"[]")
        return
    native = checked(native, sum(parsed.rows for parsed in parsed_requests))
    begin = 0
    for parsed in parsed_requests:
        end = begin + parsed.rows
        own = part(native, begin, end)
        yield own, strict_json(own, parsed.rows)
        begin = end


def _deliver(batch: list[PendingRequest], answers: Callable[[], list[Response | None]]) -> None:
    """To those who still wait; nobody waits for ever, whatever went wrong."""
    try:
        for pending, answer in zip(batch, answers(), strict=True):
            if not pending.response.done():
                pending.response.set_result(answer)
    except Exception as failure:  # noqa: BLE001  the front door logs it
        for pending in batch:
            if not pending.response.done():
                pending.response.set_exception(failure)
