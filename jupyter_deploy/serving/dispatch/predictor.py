"""The predictor: reads requests, calls the model in batches, records and answers."""

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
from ..output import restore_output
from ..protocols import Events, ProtocolAdapter, Request, packed, unpacked
from ..role import in_role
from ..snapshot import Model
from ..telemetry import metrics
from . import outcomes
from .batch_sizing import MAX_ROWS, BatchSizer
from .byte_budget import MAX_BYTES, ByteBudget, Reservation
from .json_answers import checked, part
from .load_board import own_slot
from .outcome_sink import OutcomeSink
from .outcomes import Outcome
from .parsed_request import ParsedRequest, Raw
from .predictions import Predictions, predictions_of
from .redacted_output import mask_output
from .request_queue import PendingRequest, RequestQueue
from .streaming import stream_events
from .thread_usage import ThreadUsage

# Longer bodies, compressed bodies, and those that become objects of the notebook's classes are parsed in the model's
# thread; the event loop stays free meanwhile.
_SHORT_BYTES = 32 * 1024
_SLICE_SECONDS = 0.005

_BATCH_CONTAINERS = ("frame", "array", "tensor")


_Process = Callable[[list[PendingRequest]], list[Response | None]]


class NeedsThread(Exception):
    """A call failed in the event loop, and has not yet failed in the model's thread."""


class Predictor:
    """Calls one model, one call at a time: few models support concurrent calls.

    Requests that arrive during a call wait, and the next call takes as many as pay off. Calls that are known to be
    short run in the event loop, where a thread would cost more than the call. All others run in one thread, and the
    loop answers ``/livez`` meanwhile (``hosting.liveness`` does if a call holds the loop).

    A model may depend on its thread, such as by a database connection or an event loop of its own. So a call that fails
    in the event loop is repeated in the thread: if it succeeds there, all further calls stay there.
    """

    def __init__(self, model: Model, sink: OutcomeSink, *, max_body_bytes: int, max_waiting: int) -> None:
        self._model = model
        self._sink = sink
        self._limit = max_body_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._queue, self._budget = RequestQueue(max_waiting), ByteBudget(MAX_BYTES)
        self._calling = False  # a call is running or scheduled
        container = model.codec.container
        self._yields = container == "call"
        prototype = model.codec.prototype
        self._parse_early = not self._yields and not isinstance(prototype, tuple)  # a tuple is a value type
        self._waiting, self._running, self._crowded = metrics.waiting(), metrics.running(), False
        self._sizer = BatchSizer(
            inline=container in _BATCH_CONTAINERS and not model.decoder.looks_up,
            joint=bool(model.manifest.get("batchable")) and model.decoder.joinable,
            first=MAX_ROWS if model.decoder.looks_up else 1,
        )
        self._in_loop = False  # whether this call runs in the event loop
        self._failures = 0
        self._fails_alike = False  # whether a call failed in the event loop and in the thread

    async def answer(self, context: RequestContext, protocol: ProtocolAdapter, receive: Receive) -> Sendable | None:
        """Return the response, which is recorded before; None if the client disconnected before the call."""
        response = asyncio.get_running_loop().create_future()
        pending = PendingRequest(context, protocol, Request(context.headers, self._limit), response)
        reservation = Reservation(self._budget)
        try:
            _check_deadline(context.deadline)
            pending.content = await body.read(context, receive, self._limit, reservation)
            reservation.complete()
            if self._yields and pending.request.wants_events:
                pending.events = Events(receive)
            elif (
                self._parse_early
                and len(pending.content) <= _SHORT_BYTES
                and b"content-encoding" not in context.headers
            ):
                pending.parsed = protocol.parse(pending.content, pending.request)
            self._queue.put(pending)
        except Exception as error:  # noqa: BLE001 - any error of reading refuses the request, and is recorded
            reservation.release()
            return self._commit(outcomes.of_error(pending, error))
        try:
            self._schedule()
            return await self._response(pending, receive)
        finally:
            reservation.release()

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
            # A started call is completed and recorded, even if a time limit cancels this task.
            pending.context.abandoned = True
            if not pending.began:
                pending.response.cancel()
                self._commit(outcomes.timed_out(pending))
            raise

    async def _wait(self, pending: PendingRequest, receive: Receive) -> Response | None:
        """Wait for the response until the client disconnects or the deadline passes."""
        disconnect = asyncio.ensure_future(body.disconnected(receive))
        try:
            futures: set[asyncio.Future[Any]] = {pending.response, disconnect}
            await asyncio.wait(futures, timeout=pending.remaining, return_when=asyncio.FIRST_COMPLETED)
            if pending.began and disconnect.done():
                return await pending.response
            if pending.response.done():
                return pending.response.result()
            pending.response.cancel()
            if disconnect.done():
                reason = body.ClientGone("the client closed the connection before the model was called")
                return self._commit(outcomes.of_error(pending, reason))
            pending.context.abandoned = True
            timed_out = outcomes.timed_out(pending)
            return timed_out.answer if pending.began else self._commit(timed_out)
        finally:
            disconnect.cancel()

    def _schedule(self) -> None:
        """Schedule a call for after all requests of this turn of the event loop are queued."""
        if self._calling:
            self._update_waiting()
        else:
            self._calling = True
            asyncio.get_running_loop().call_soon(self._run_batches)

    def _run_batches(self) -> None:
        until = time.perf_counter() + _SLICE_SECONDS
        while batch := self._queue.next_batch(self._sizer.rows):
            if not self._sizer.quick or batch[0].parsed is None:
                self._start_in_thread(batch, self._process)
                return
            try:
                _deliver(batch, partial(self._process_in_loop, batch))
            except NeedsThread:
                self._start_in_thread(batch, self._process_again)
                return
            if time.perf_counter() > until:
                asyncio.get_running_loop().call_soon(self._run_batches)  # newly arrived requests are read first
                return
        self._calling = False
        if self._crowded:
            self._update_waiting()

    def _start_in_thread(self, batch: list[PendingRequest], process: _Process) -> None:
        work = asyncio.get_running_loop().run_in_executor(self._thread, process, batch)
        work.add_done_callback(partial(self._finish, batch))
        self._running.set(len(batch))  # during a call in the event loop nobody could read the gauge
        self._update_waiting()

    def _update_waiting(self) -> None:
        waiting = len(self._queue.waiting)
        self._waiting.set(waiting)
        if (slot := own_slot()) is not None:
            slot.wait(waiting)
        self._crowded = waiting > 0

    def _finish(self, batch: list[PendingRequest], work: asyncio.Future[list[Response | None]]) -> None:
        self._running.set(0)
        _deliver(batch, work.result)
        self._run_batches()

    def _process_in_loop(self, batch: list[PendingRequest]) -> list[Response | None]:
        self._in_loop = not self._fails_alike
        try:
            return self._process(batch)
        finally:
            self._in_loop = False

    def _process_again(self, batch: list[PendingRequest]) -> list[Response | None]:
        """Process a batch that failed in the event loop; if it succeeds, the model needs its thread."""
        failures = self._failures
        answers = self._process(batch)
        if self._failures > failures:
            self._fails_alike = True
        else:
            self._sizer.stay_in_thread()
        return answers

    def _process(self, batch: list[PendingRequest]) -> list[Response | None]:
        """Parse a batch, call the model, record in one write, and return the responses."""
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
        except BaseException as error:
            if self._in_loop:
                raise NeedsThread from error
            self._failures += 1
            if len(requests) > 1:  # each alone, so one bad request fails alone
                return [outcome for pending in requests for outcome in self._predict([pending])]
            return [outcomes.of_error(requests[0], error)]

    def _call_model(self, requests: list[PendingRequest], parsed_requests: list[ParsedRequest]) -> Any:
        rows = sum(parsed.rows for parsed in parsed_requests)
        if not rows:
            return None
        with in_role(requests[0].context.role), mask_output(requests):
            batch = self._model.decoder.batch(parsed_requests)
            began, before = time.perf_counter(), ThreadUsage.now()
            try:
                native = self._model.call_native(batch)
            finally:
                restore_output()
            ended, usage = time.perf_counter(), ThreadUsage.now()
        for pending in requests:
            pending.model_call = (began, ended, rows)
        if rows <= MAX_ROWS:  # the duration of a long table's call says nothing about other calls
            used, waited = usage.seconds - before.seconds, usage.waited_since(before)
            self._sizer.observe(rows, ended - began, used, waited=waited)
        return native

    def _commit(self, outcome: Outcome) -> Response | None:
        return self._sink.commit([outcome])[0]


def _check_deadline(deadline: float | None) -> None:
    if deadline is not None and math.isnan(deadline):
        raise Problem(400, "x-request-timeout-ms must be a whole number of milliseconds")


def _parse(pending: PendingRequest) -> Outcome | None:
    """Parse the request; return an outcome if it is not answered, else None."""
    remaining = pending.remaining
    if pending.context.abandoned or (remaining is not None and remaining <= 0):
        return outcomes.timed_out(pending)
    try:
        if pending.parsed is None:
            pending.parsed = pending.protocol.parse(unpacked(pending.content, pending.request), pending.request)
    except BaseException as error:  # noqa: BLE001 - a parameter's class may raise anything
        return outcomes.of_error(pending, error)
    return None


def _split(native: Any, parsed_requests: list[ParsedRequest]) -> Iterable[tuple[Any, Predictions]]:
    """Yield each request's part of the answer, as it is and as predictions."""
    if len(parsed_requests) == 1:
        rows = parsed_requests[0].rows
        yield native, predictions_of(native, rows) if rows else Predictions(Raw(b"[]"))
        return
    native = checked(native, sum(parsed.rows for parsed in parsed_requests))
    begin = 0
    for parsed in parsed_requests:
        end = begin + parsed.rows
        own = part(native, begin, end)
        yield own, predictions_of(own, parsed.rows)
        begin = end


def _deliver(batch: list[PendingRequest], answers: Callable[[], list[Response | None]]) -> None:
    """Set the response of each request that still waits; on failure set the exception, so no client waits for ever."""
    try:
        for pending, answer in zip(batch, answers(), strict=True):
            if not pending.response.done():
                pending.response.set_result(answer)
    except NeedsThread:
        raise
    except Exception as failure:  # noqa: BLE001 - Front logs it
        for pending in batch:
            if not pending.response.done():
                pending.response.set_exception(failure)
