"""What becomes of a request: its answer, and what its record says."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..asgi.body import ClientGone
from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..telemetry.logging import log
from ..telemetry.records import Entry
from ..values.validation import InvalidInstances
from .out_of_memory import out_of_memory_problem
from .parsed_request import ParsedRequest, Raw
from .request_queue import PendingRequest

_HERE = f"{Path(__file__).parents[1]}{os.sep}"
_INTERNAL = "the model failed on this request; the service's log has the reason under this request_id"


@dataclass(slots=True)
class Outcome:
    """Of one request; without an answer if nobody is there to read it."""

    pending: PendingRequest
    status: int
    answer: Response | None
    outputs: Raw | None = None
    error: dict[str, str] | None = None

    def entry(self) -> Entry:
        """Its record."""
        context, parsed = self.pending.context, self.pending.parsed
        # Those of a table are only written out here, which takes longer than many a model.
        recorded = context.record.kept == "full" and context.record.keeps(context.pair_id, context.request_id)
        inputs = parsed.inputs if parsed is not None and recorded else None
        return Entry(
            context.request_id,
            context.pair_id,
            context.ts_ns,
            context.role,
            504 if context.abandoned and self.status == 200 else self.status,
            context.latency_ms,
            None if parsed is None else parsed.rows,
            inputs,
            self.outputs,
            self.error,
            context.record,
        )


def of_error(pending: PendingRequest, error: BaseException) -> Outcome:
    """What a request that led to ``error`` gets."""
    if isinstance(error, Problem):
        _keep_inputs(pending, error)
        return _refused(pending, error, error.title)
    if isinstance(error, InvalidInstances):
        _keep_inputs(pending, error)
        detail = f"the instances do not fit the model: {error}"
        return _refused(pending, Problem(422, detail, error.errors), type(error).__name__)
    if isinstance(error, ClientGone):
        return Outcome(pending, 499, None, error=_error(type(error).__name__, error))
    return _failed(pending, error)


def timed_out(pending: PendingRequest) -> Outcome:
    """Its time was over before the model was asked."""
    return of_error(pending, Problem(504, "given up before the model was asked"))


def _keep_inputs(pending: PendingRequest, refused: Problem | InvalidInstances) -> None:
    """For the record: the instances, if they could be read."""
    inputs = refused.inputs
    if pending.parsed is None and inputs is not None:
        pending.parsed = ParsedRequest(None, len(inputs) if isinstance(inputs, list) else 0, inputs)


def _refused(pending: PendingRequest, problem: Problem, kind: str) -> Outcome:
    return Outcome(pending, problem.status, pending.refusal(problem), error=_error(kind, problem))


def _failed(pending: PendingRequest, error: BaseException) -> Outcome:
    """The model raised, or answered what is no answer."""
    # The whole of it goes to the log, none of it to the client: it may hold other callers' data and paths.
    trace = _model_frames(error.__traceback__)
    if pending.context.record.keeps_messages:
        report = "".join(traceback.format_exception(type(error), error, trace))
    else:  # where it failed and by what, without its words: they may hold what must not be kept
        report = "".join(traceback.format_tb(trace)) + f"{type(error).__name__}\n"
    request_id = pending.context.request_id
    log(f"request {request_id}: the model failed", details=report, request_id=request_id)
    problem = out_of_memory_problem(error) or Problem(500, _INTERNAL)
    return Outcome(pending, problem.status, pending.refusal(problem), error=_error(type(error).__name__, error))


def _model_frames(trace: TracebackType | None) -> TracebackType | None:
    """Without the way to the model, which is the same each time."""
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
        trace = trace.tb_next
    return trace


def _error(kind: str, reason: BaseException) -> dict[str, str]:
    try:
        message = str(reason)
    except Exception:  # noqa: BLE001  an exception whose own text fails must still be recorded
        message = "(its text could not be made)"
    return {"type": kind, "message": message}
