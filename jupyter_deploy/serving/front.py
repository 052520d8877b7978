"""The service's front door: an ASGI application that asks the model itself and leaves the rest to BentoML.

    client -> Front -> POST /predict, GET /metadata, /openapi.json    answered here
                    -> /livez, /readyz, /metrics, /, …                BentoML's own application

Every response gets ``x-request-id`` and ``x-model-version``; every error is RFC 9457's problem+json.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from . import metrics, workplace
from .asgi import Answer, App, Asked, Receive, Scope, Send, Stamped
from .openapi import metadata, openapi
from .predictor import Predictor
from .problems import Problem, ProblemsOf
from .records import SEGMENT_BYTES, Recorder
from .snapshot import Model, current

PASSED = "nbdeploy.front"
MAX_BODY_BYTES = 32 * 1024 * 1024
NOT_LOADED = "not-loaded"


class Front:
    """Wraps an ASGI application.

    It may stand outermost, ``Front(Service.to_asgi())``, or inside, ``Service.add_asgi_middleware(Front)``; where a
    request meets two, the outer one does the work. Settings come from the environment:

    ==========================  ========================================================================
    NBDEPLOY_RECORDS            folder for the records of all requests (default: none are written)
    NBDEPLOY_ENDPOINT           the endpoint's name in records (default: the snapshot's)
    NBDEPLOY_SEGMENT_BYTES      a file of records is closed at this size (default: 32 MiB)
    NBDEPLOY_WHEN_RECORD_FAILS  answer (default) or refuse, with 503, what cannot be recorded
    NBDEPLOY_MAX_BODY_BYTES     longest request (default: 32 MiB)
    NBDEPLOY_CHECK_ENVIRONMENT  1: refuse to start with other versions than those of the capture (``load``)
    ==========================  ========================================================================

    Parameters
    ----------
    app
        BentoML's application.
    model
        Default: the one that ``load`` loaded last in this process.
    """

    def __init__(self, app: App, *, model: Model | None = None) -> None:
        self._app = app
        self._given = model
        self._max_body_bytes = _bytes_setting("NBDEPLOY_MAX_BODY_BYTES", MAX_BODY_BYTES)
        self._segment_bytes = _bytes_setting("NBDEPLOY_SEGMENT_BYTES", SEGMENT_BYTES)
        self._required = _required()
        self._predictor: Predictor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                self._close()
                workplace.leave()  # a server that is told to end ends by the signal, without Python's own clearing up
        elif scope["type"] != "http" or PASSED in scope:
            await self._app(scope, receive, send)
        else:
            await self._meet({**scope, PASSED: True}, receive, send)

    async def _meet(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked.by(scope)
        model = self._model()
        release = NOT_LOADED if model is None else model.tag
        stamps = [(b"x-request-id", asked.request_id.encode("latin-1")), (b"x-model-version", release.encode())]
        stamped = Stamped(send, stamps)
        try:
            match _path(scope):
                case "/predict" | "/predict/":
                    answer = await self._predict(asked, model, scope, receive)
                # BentoML's own start page would load a tracker from elsewhere.
                case "/metadata" | "/":
                    answer = _document(scope, model, metadata)
                case "/openapi.json":
                    answer = _document(scope, model, openapi)
                case "/readyz" if model is None:
                    raise _not_loaded()
                case "/metrics" if not _many_processes():
                    answer = _metrics(scope)
                case _:
                    await self._hand_on(asked, scope, receive, stamped)
                    return
        except Problem as problem:
            answer = problem.answer(asked.request_id)
        if answer is not None:
            await answer.through(stamped)

    async def _predict(self, asked: Asked, model: Model | None, scope: Scope, receive: Receive) -> Answer | None:
        if _path(scope) == "/predict/":
            raise Problem(404, "the model is asked at /predict, without the slash at the end")
        if scope["method"] != "POST":
            raise Problem(405, "the model is asked with POST", headers=[(b"allow", b"POST")])
        if model is None:
            raise _not_loaded()
        if self._predictor is None:
            self._predictor = Predictor(model, self._recorder(model), self._max_body_bytes, required=self._required)
        return await self._predictor.answer(asked, scope, receive)

    async def _hand_on(self, asked: Asked, scope: Scope, receive: Receive, stamped: Stamped) -> None:
        try:
            await self._app(scope, receive, ProblemsOf(stamped, asked.request_id))
        except Exception as error:
            if stamped.started and not stamped.finished:
                raise  # half an answer is out: only the server can cut it off
            report = "".join(traceback.format_exception(error))
            sys.stderr.write(f"request {asked.request_id}: {scope['method']} {scope['path']} failed\n{report}")
            if not stamped.started:
                problem = Problem(500, "the service failed; its log has the reason under this request_id")
                await problem.answer(asked.request_id).through(stamped)

    def _model(self) -> Model | None:
        return self._given or current()

    def _recorder(self, model: Model) -> Recorder | None:
        folder = os.environ.get("NBDEPLOY_RECORDS")
        if not folder:
            return None
        endpoint = os.environ.get("NBDEPLOY_ENDPOINT") or model.manifest["name"]
        return Recorder(folder, endpoint, model.tag, segment_bytes=self._segment_bytes)

    def _close(self) -> None:
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = None


def _path(scope: Scope) -> str:
    """The path below the place where this application is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


def _document(scope: Scope, model: Model | None, describe: Callable[[Model], dict[str, Any]]) -> Answer:
    _only_get(scope)
    if model is None:
        raise _not_loaded()
    return _for(scope, Answer(200, json.dumps(describe(model), ensure_ascii=False).encode("utf-8")))


def _metrics(scope: Scope) -> Answer:
    # BentoML's own page works only where `bentoml serve` has prepared for many processes.
    _only_get(scope)
    text, content_type = metrics.all_of_this_process()
    return _for(scope, Answer(200, text, content_type))


def _many_processes() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ


def _only_get(scope: Scope) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        raise Problem(405, "this path is only read", headers=[(b"allow", b"GET, HEAD")])


def _for(scope: Scope, answer: Answer) -> Answer:
    """Without its body, if only the head was asked for."""
    return answer if scope["method"] != "HEAD" else Answer(answer.status, b"", answer.content_type, answer.headers)


def _not_loaded() -> Problem:
    return Problem(503, "the model is not loaded yet; try again")


def _required() -> bool:
    choice = os.environ.get("NBDEPLOY_WHEN_RECORD_FAILS") or "answer"
    if choice not in ("answer", "refuse"):
        raise ValueError(f"NBDEPLOY_WHEN_RECORD_FAILS must be answer or refuse, not {choice!r}")
    return choice == "refuse"


def _bytes_setting(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{name} must be a number of bytes above 0, not {text!r}")
    return int(text)
