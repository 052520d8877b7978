"""One request to the model: validated, answered, recorded."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import body, metrics
from .asgi import Answer, Asked, Receive, Scope
from .problems import Problem
from .records import Recorder
from .role import asked_as
from .snapshot import Model
from .validation import InvalidInstances


class Predictor:
    """Asks one model, in a thread of its own.

    One thread, since models seldom are made for several at once; a thread, since the event loop has to answer
    ``/livez`` while the model computes.

    Parameters
    ----------
    required
        What cannot be recorded is not answered, but refused with 503.
    """

    def __init__(self, model: Model, recorder: Recorder | None, max_body_bytes: int, *, required: bool = False) -> None:
        self._model = model
        self._recorder = recorder
        self._required = required
        self._limit = max_body_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def answer(self, asked: Asked, scope: Scope, receive: Receive) -> Answer | None:
        """The answer, recorded before it is given; None when the client left before it had asked."""
        try:
            content = await body.read(scope, receive, self._limit)
        except Problem as problem:
            return self._refuse(asked, problem, None)
        except body.ClientGone as gone:
            self._record(asked, 499, error=_error("ClientGone", gone))
            return None
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._work, asked, content)
        try:
            # Shielded: what is begun is finished and recorded, even if a time limit cancels this task.
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            asked.abandoned = True
            raise

    def close(self) -> None:
        self._thread.shutdown(wait=False)
        if self._recorder is not None:
            self._recorder.close()

    def _work(self, asked: Asked, content: bytes) -> Answer:
        inputs: Any = None
        try:
            document = body.parse(content)
            inputs = document.get("instances") if isinstance(document, dict) else None
            instances = body.instances_in(document)
            if asked.abandoned:
                raise Problem(504, "given up before the model was asked")  # noqa: TRY301  recorded below
            with asked_as(asked.role):
                predictions = self._model.answer(instances)
            # Strict JSON in UTF-8, or it is the model's failure.
            text = json.dumps({"predictions": predictions}, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
            answer = Answer(200, text.encode("utf-8"))
        except Problem as problem:
            return self._refuse(asked, problem, inputs)
        except InvalidInstances as invalid:
            detail = f"the instances do not fit the model: {invalid}"
            return self._refuse(asked, Problem(422, detail, invalid.errors), inputs, type(invalid).__name__)
        except BaseException as error:  # noqa: BLE001  a model may raise anything, even SystemExit
            return self._failed(asked, error, inputs)
        recorded = self._record(asked, 504 if asked.abandoned else 200, inputs, predictions)
        return answer if recorded else self._unrecorded(asked)

    def _refuse(self, asked: Asked, problem: Problem, inputs: Any, kind: str | None = None) -> Answer:
        recorded = self._record(asked, problem.status, inputs, error=_error(kind or problem.title, problem))
        return problem.answer(asked.request_id) if recorded else self._unrecorded(asked)

    def _failed(self, asked: Asked, error: BaseException, inputs: Any) -> Answer:
        # The whole of it goes to the log, none of it to the client: it may hold other callers' data and paths.
        if asked.record == "full":
            report = "".join(traceback.format_exception(error))
        else:  # where it failed and by what, without its words: they may hold what must not be kept
            report = "".join(traceback.format_tb(error.__traceback__)) + f"{type(error).__name__}\n"
        sys.stderr.write(f"request {asked.request_id}: the model failed\n{report}")
        sys.stderr.flush()
        recorded = self._record(asked, 500, inputs, error=_error(type(error).__name__, error))
        detail = "the model failed on this request; the service's log has the reason under this request_id"
        return Problem(500, detail).answer(asked.request_id) if recorded else self._unrecorded(asked)

    def _unrecorded(self, asked: Asked) -> Answer:
        detail = "the request cannot be recorded now (is the disk full?), and nothing is answered unrecorded; try again"
        return Problem(503, detail, headers=[(b"retry-after", b"10")]).answer(asked.request_id)

    def _record(
        self, asked: Asked, status: int, inputs: Any = None, outputs: Any = None, error: dict[str, str] | None = None
    ) -> bool:
        """Whether the answer may leave."""
        latency_ms = asked.latency_ms
        written = True
        if self._recorder is not None:
            written = self._recorder.write(
                request_id=asked.request_id,
                pair_id=asked.pair_id,
                ts_ns=asked.ts_ns,
                role=asked.role,
                status=status,
                latency_ms=latency_ms,
                inputs=inputs,
                outputs=outputs,
                error=error,
                mode=asked.record,
            )
        answered = written or not self._required
        metrics.requests().labels(str(status if answered else 503), asked.role).inc()
        metrics.seconds().observe(latency_ms / 1000)
        return answered


def _error(kind: str, reason: BaseException) -> dict[str, str]:
    try:
        message = str(reason)
    except Exception:  # noqa: BLE001  an exception whose own text fails must still be recorded
        message = "(its text could not be made)"
    return {"type": kind, "message": message}
