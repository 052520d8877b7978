"""What becomes of a request: its answer, and what its record says."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..asgi.body import ClientGone
from ..asgi.messages import Answer
from ..asgi.problems import Problem
from ..telemetry.logging import tell
from ..telemetry.records import Entry
from ..values.validation import InvalidInstances
from .out_of_memory import exhausted
from .parsed_request import Question, Raw
from .request_queue import Waiting

_HERE = f"{Path(__file__).parents[1]}{os.sep}"
_INTERNAL = "the model failed on this request; the service's log has the reason under this request_id"


@dataclass(slots=True)
class Outcome:
    """Of one request; without an answer if nobody is there to read it."""

    one: Waiting
    status: int
    answer: Answer | None
    outputs: Raw | None = None
    error: dict[str, str] | None = None

    def entry(self) -> Entry:
        """Its record."""
        asked, question = self.one.asked, self.one.question
        # Those of a table are only written out here, which takes longer than many a model.
        wanted = asked.record.kept == "full" and asked.record.keeps(asked.pair_id, asked.request_id)
        kept = question.inputs if question is not None and wanted else None
        return Entry(
            asked.request_id,
            asked.pair_id,
            asked.ts_ns,
            asked.role,
            504 if asked.abandoned and self.status == 200 else self.status,
            asked.latency_ms,
            None if question is None else question.rows,
            kept,
            self.outputs,
            self.error,
            asked.record,
        )


def of_error(one: Waiting, error: BaseException) -> Outcome:
    """What a request that led to ``error`` gets."""
    if isinstance(error, Problem):
        _keep_inputs(one, error)
        return _refused(one, error, error.title)
    if isinstance(error, InvalidInstances):
        _keep_inputs(one, error)
        detail = f"the instances do not fit the model: {error}"
        return _refused(one, Problem(422, detail, error.errors), type(error).__name__)
    if isinstance(error, ClientGone):
        return Outcome(one, 499, None, error=_error(type(error).__name__, error))
    return _failed(one, error)


def given_up(one: Waiting) -> Outcome:
    """Its time was over before the model was asked."""
    return of_error(one, Problem(504, "given up before the model was asked"))


def _keep_inputs(one: Waiting, refused: Problem | InvalidInstances) -> None:
    """For the record: the instances, if they could be read."""
    inputs = refused.inputs
    if one.question is None and inputs is not None:
        one.question = Question(None, len(inputs) if isinstance(inputs, list) else 0, inputs)


def _refused(one: Waiting, problem: Problem, kind: str) -> Outcome:
    return Outcome(one, problem.status, one.refusal(problem), error=_error(kind, problem))


def _failed(one: Waiting, error: BaseException) -> Outcome:
    """The model raised, or answered what is no answer."""
    # The whole of it goes to the log, none of it to the client: it may hold other callers' data and paths.
    where = _models_own(error.__traceback__)
    if one.asked.record.words:
        report = "".join(traceback.format_exception(type(error), error, where))
    else:  # where it failed and by what, without its words: they may hold what must not be kept
        report = "".join(traceback.format_tb(where)) + f"{type(error).__name__}\n"
    request_id = one.asked.request_id
    tell(f"request {request_id}: the model failed", details=report, request_id=request_id)
    problem = exhausted(error) or Problem(500, _INTERNAL)
    return Outcome(one, problem.status, one.refusal(problem), error=_error(type(error).__name__, error))


def _models_own(where: TracebackType | None) -> TracebackType | None:
    """Without the way to the model, which is the same each time."""
    while where is not None and where.tb_next is not None and where.tb_frame.f_code.co_filename.startswith(_HERE):
        where = where.tb_next
    return where


def _error(kind: str, reason: BaseException) -> dict[str, str]:
    try:
        message = str(reason)
    except Exception:  # noqa: BLE001  an exception whose own text fails must still be recorded
        message = "(its text could not be made)"
    return {"type": kind, "message": message}
