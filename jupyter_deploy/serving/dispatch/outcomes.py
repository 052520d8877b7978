"""The outcome of a request: its response and its record."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..asgi.body import ClientGone
from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..output_masking import without_secrets
from ..telemetry.logging import log
from ..telemetry.records import Entry
from ..values.validation import InvalidInstances
from .out_of_memory import out_of_memory_problem
from .parsed_request import ParsedRequest
from .predictions import Predictions
from .request_queue import PendingRequest
from .unavailable_resource import unavailable_problem

_HERE = f"{Path(__file__).parents[1]}{os.sep}"
_INTERNAL = "the model failed on this request; the service's log has the reason under this request_id"


@dataclass(slots=True)
class Outcome:
    """One request's outcome; ``answer`` is None if no client waits for it."""

    pending: PendingRequest
    status: int
    answer: Response | None
    outputs: Predictions | None = None
    error: dict[str, str] | None = None

    def entry(self) -> Entry:
        """Return the record."""
        context, parsed = self.pending.context, self.pending.parsed
        # Values are converted only here; that takes longer than many models.
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
            self.outputs.recorded if self.outputs is not None and recorded else None,
            self.error,
            context.record,
            context.routing,
            context.cluster,
        )


def of_error(pending: PendingRequest, error: BaseException) -> Outcome:
    """Return the outcome of a request that raised ``error``."""
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
    """Return the outcome of a request whose deadline passed before the model was called."""
    return of_error(pending, Problem(504, "the deadline passed before the model was called"))


def _keep_inputs(pending: PendingRequest, refused: Problem | InvalidInstances) -> None:
    """Keep the instances for the record if they could be read."""
    inputs = refused.inputs
    if pending.parsed is None and inputs is not None:
        pending.parsed = ParsedRequest(None, len(inputs) if isinstance(inputs, list) else 0, inputs)


def _refused(pending: PendingRequest, problem: Problem, kind: str) -> Outcome:
    return Outcome(pending, problem.status, pending.refusal(problem), error=_error(kind, problem))


def _failed(pending: PendingRequest, error: BaseException) -> Outcome:
    """Return the outcome if the model raised, or its answer is invalid."""
    # The whole error goes to the log and none of it to the client: it may hold other callers' data and paths.
    trace = _model_frames(error.__traceback__)
    if pending.context.record.keeps_messages:
        report = "".join(traceback.format_exception(type(error), error, trace))
    else:  # location and type without the message, which may hold data that must not be kept
        report = "".join(traceback.format_tb(trace)) + f"{type(error).__name__}\n"
    request_id = pending.context.request_id
    log(f"request {request_id}: the model failed", details=report, request_id=request_id)
    problem = out_of_memory_problem(error) or unavailable_problem(error) or Problem(500, _INTERNAL)
    return Outcome(pending, problem.status, pending.refusal(problem), error=_error(type(error).__name__, error))


def _model_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without the frames of this package, which are the same each time."""
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
        trace = trace.tb_next
    return trace


def _error(kind: str, reason: BaseException) -> dict[str, str]:
    try:
        message = str(reason)
    except Exception:  # noqa: BLE001 - an exception whose __str__ fails must still be recorded
        message = "(its message cannot be formatted)"
    return {"type": kind, "message": without_secrets(message)}
