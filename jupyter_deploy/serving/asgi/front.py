"""The service's front: an ASGI application that calls the model and passes all other requests to BentoML.

    client -> Front -> POST /predict, /invocations, /v2/models/<name>/infer, …    answered here (``protocols``)
                    -> POST /feedback, GET /metadata, /openapi.json               answered here
                    -> /livez, /readyz, /metrics, /, …                BentoML's own application

Every response has ``x-request-id`` and ``x-model-version``; every error is problem+json (RFC 9457).
"""

from __future__ import annotations

import gc
import json
import os
import traceback
from collections.abc import Callable
from typing import Any

from .. import workplace
from ..dispatch.outcome_sink import OutcomeSink
from ..dispatch.predictor import Predictor
from ..dispatch.request_queue import MAX_WAITING
from ..output import copy_output
from ..protocols import ProtocolAdapter, Protocols, health
from ..snapshot import Model, current
from ..telemetry import metrics
from ..telemetry.feedback import Feedback
from ..telemetry.logging import configure_log_format, log
from ..telemetry.recording import STDOUT
from ..telemetry.records import SEGMENT_BYTES, Recorder, Records, StdoutRecorder
from ..telemetry.tracing import tracing
from . import header_limit
from .messages import App, Message, Receive, RequestContext, Response, Scope, Send, Sendable, StampedSend
from .openapi import metadata, openapi
from .problems import Problem, ProblemSend

HANDLED = "nbdeploy.front"
MAX_BODY_BYTES = 32 * 1024 * 1024
NOT_LOADED = "not-loaded"

_OF_BENTOML = ("/livez", "/readyz", "/healthz", "/metrics", "/schema.json", "/docs.json")
_MOST_PATHS = 100
"""Paths that are passed to BentoML: its metrics keep ten kilobytes of each, and clients make paths up."""


class Front:
    """Wraps an ASGI application.

    It may be the outermost application, ``Front(Service.to_asgi())``, or inside BentoML's,
    ``Service.add_asgi_middleware(Front)``; if a request meets both, the outer one handles it. Settings come from the
    environment:

    ==========================  ========================================================================
    NBDEPLOY_RECORDS            folder for the records of all requests, or stdout (default: no records)
    NBDEPLOY_FEEDBACK           folder for what is posted to /feedback (default: /feedback answers 501)
    NBDEPLOY_ENDPOINT           the endpoint's name in records (default: the snapshot's)
    NBDEPLOY_SEGMENT_BYTES      size at which a file of records is closed (default: 32 MiB)
    NBDEPLOY_WHEN_RECORD_FAILS  answer (default) or refuse, with 503, a request that cannot be recorded
    NBDEPLOY_MAX_BODY_BYTES     longest request (default: 32 MiB)
    NBDEPLOY_MAX_WAITING        requests that may wait for the model (default: 1024); others get 503
    NBDEPLOY_LOG_FORMAT         format of the service's log: text (default) or json
    OTEL_EXPORTER_OTLP_ENDPOINT URL of the trace collector, such as http://127.0.0.1:4318 (default: none)
    NBDEPLOY_CHECK_ENVIRONMENT  1: refuse to start with other versions than those of the capture (``load``)
    ==========================  ========================================================================

    Parameters
    ----------
    app
        BentoML's application.
    model
        Default: the model that ``load`` loaded last in this process.
    recorder
        Recorder of all requests; overrides ``NBDEPLOY_RECORDS``.

    Raises
    ------
    ValueError
        A setting is invalid.
    """

    def __init__(self, app: App, *, model: Model | None = None, recorder: Records | None = None) -> None:
        self._app = app
        self._explicit_model = model
        self._records = recorder
        self._max_body_bytes = _setting("NBDEPLOY_MAX_BODY_BYTES", MAX_BODY_BYTES)
        self._max_waiting = _setting("NBDEPLOY_MAX_WAITING", MAX_WAITING, "requests")
        self._segment_bytes = _setting("NBDEPLOY_SEGMENT_BYTES", SEGMENT_BYTES)
        self._required = _required()
        configure_log_format()
        header_limit.install()
        copy_output()
        self._predictor: Predictor | None = None
        self._protocols: Protocols | None = None
        self._feedback: Feedback | None = None
        self._paths = set(_OF_BENTOML)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, _freeze_on_startup(send))
            finally:
                self._close()
                workplace.leave()  # a server that is stopped by a signal skips Python's exit handlers
        elif scope["type"] != "http" or HANDLED in scope:
            await self._app(scope, receive, send)
        else:
            await self._handle(scope, receive, send)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = RequestContext.from_scope(scope)
        model = self._model()
        release = NOT_LOADED if model is None else model.tag
        stamps = [(b"x-request-id", context.request_id.encode("latin-1")), (b"x-model-version", release.encode())]
        path = _path(scope)
        try:
            _require_one_host(context, scope)
            protocol = self._protocol_at(model, path)
            match path:
                case _ if protocol is not None:
                    answer = await self._predict(context, protocol, scope, receive)
                case "/feedback" | "/feedback/":
                    answer = await self._take_feedback(context, model, scope, receive)
                # BentoML's own start page loads a tracker from another site.
                case "/metadata" | "/":
                    answer = _document(scope, model, metadata)
                case "/openapi.json":
                    answer = _document(scope, model, _openapi)
                case "/readyz" if model is None:
                    raise _not_loaded()
                case "/metrics" if not _many_processes():
                    answer = _metrics(scope)
                case _:
                    page = self._page(context, path, scope, loaded=model is not None)
                    if page is None:
                        await self._delegate(context, scope, receive, StampedSend(send, stamps))
                        return
                    answer = page
        except Problem as problem:
            answer = problem.response(context.request_id)
        if answer is not None:
            await answer.send_to(send, stamps)

    def _protocol_at(self, model: Model | None, path: str) -> ProtocolAdapter | None:
        """Return the protocol that is spoken at a path, or None; create the predictor on the first request."""
        if model is None:
            if path in ("/predict", "/invocations") or path.startswith(("/v1/models", "/v2/models")):
                raise _not_loaded()
            return None
        if self._predictor is None:
            traced = tracing(_endpoint_of(model), model.tag)
            sink = OutcomeSink(self._recorder(model), traced, required=self._required)
            self._predictor = Predictor(model, sink, max_body_bytes=self._max_body_bytes, max_waiting=self._max_waiting)
            self._protocols = Protocols(model, _endpoint_of(model))
            metrics.name_release(_endpoint_of(model), model.tag)
        return self._protocols.adapter_at(path) if self._protocols is not None else None

    async def _predict(
        self, context: RequestContext, protocol: ProtocolAdapter, scope: Scope, receive: Receive
    ) -> Sendable | None:
        if scope["method"] != "POST":
            problem = Problem(405, "the model is called with POST", headers=[(b"allow", b"POST")])
            return protocol.problem(problem, context.request_id)
        return await self._predictor.answer(context, protocol, receive) if self._predictor is not None else None

    def _page(self, context: RequestContext, path: str, scope: Scope, *, loaded: bool) -> Response | None:
        """Return a page of the protocols, such as health and metadata; None if the path is BentoML's."""
        page = health(path, loaded=loaded)
        if page is None and self._protocols is not None:
            if path.endswith("/") and self._protocols.adapter_at(path[:-1]) is not None:
                raise Problem(404, f"the model is served at {path[:-1]}, without the slash at the end")
            page = self._protocols.page(path)
            if page is None:
                return self._protocols.unknown(path, context.request_id)
        if page is None:
            return None
        _only_get(scope)
        return _for_method(scope, page)

    async def _take_feedback(
        self, context: RequestContext, model: Model | None, scope: Scope, receive: Receive
    ) -> Response | None:
        model = _posted_to(scope, "feedback is accepted", model)
        folder = os.environ.get("NBDEPLOY_FEEDBACK")
        if not folder:
            raise Problem(501, "feedback is not accepted here: NBDEPLOY_FEEDBACK is not set; set it to a folder")
        if self._feedback is None:
            limit, size = self._max_body_bytes, self._segment_bytes
            self._feedback = Feedback(folder, _endpoint_of(model), limit, segment_bytes=size)
        return await self._feedback.answer(context, receive)

    async def _delegate(self, context: RequestContext, scope: Scope, receive: Receive, stamped: StampedSend) -> None:
        if scope["path"] not in self._paths and len(self._paths) >= _MOST_PATHS:
            raise Problem(404, "there is nothing at this path; GET /openapi.json describes the service")
        self._paths.add(scope["path"])
        try:
            await self._app({**scope, HANDLED: True}, receive, ProblemSend(stamped, context.request_id))
        except Exception as error:
            if stamped.started and not stamped.finished:
                raise  # part of the response is sent: only the server can abort it
            message = f"request {context.request_id}: {scope['method']} {scope['path']} failed"
            log(message, details="".join(traceback.format_exception(error)), request_id=context.request_id)
            if not stamped.started:
                problem = Problem(500, "the service failed; its log has the reason under this request_id")
                await problem.response(context.request_id).send_to(stamped)

    def _model(self) -> Model | None:
        return self._explicit_model or current()

    def _recorder(self, model: Model) -> Records | None:
        if self._records is not None:
            return self._records
        folder = os.environ.get("NBDEPLOY_RECORDS")
        if not folder:
            return None
        columns = model.manifest["signature"]["instance_schema"].get("properties", ())
        if folder == STDOUT:
            return StdoutRecorder(_endpoint_of(model), model.tag, columns=tuple(columns))
        size = self._segment_bytes
        return Recorder(folder, _endpoint_of(model), model.tag, columns=tuple(columns), segment_bytes=size)

    def _close(self) -> None:
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = self._protocols = None
        if self._feedback is not None:
            self._feedback.close()
            self._feedback = None


def _freeze_on_startup(send: Send) -> Send:
    """Freeze the garbage collector's objects at startup: a full collection of all imports takes a tenth of a second."""

    async def send_frozen(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            gc.freeze()
        await send(message)

    return send_frozen


def _require_one_host(context: RequestContext, scope: Scope) -> None:
    repeated = len(context.headers) < len(scope["headers"])
    if repeated and sum(name == b"host" for name, _ in scope["headers"]) > 1:
        raise Problem(400, "the request has several Host headers; send one")


def _path(scope: Scope) -> str:
    """Return the path relative to the mount point of this application."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root.rstrip("/")) if root else path


def _posted_to(scope: Scope, what: str, model: Model | None) -> Model:
    """Return the loaded model of a POST request whose path has no trailing slash; else raise Problem."""
    path = _path(scope)
    if path.endswith("/"):
        raise Problem(404, f"{what} at {path[:-1]}, without the slash at the end")
    if scope["method"] != "POST":
        raise Problem(405, f"{what} with POST", headers=[(b"allow", b"POST")])
    if model is None:
        raise _not_loaded()
    return model


def _endpoint_of(model: Model) -> str:
    name: str = os.environ.get("NBDEPLOY_ENDPOINT") or model.manifest["name"]
    return name


def _document(scope: Scope, model: Model | None, describe: Callable[[Model], dict[str, Any]]) -> Response:
    _only_get(scope)
    if model is None:
        raise _not_loaded()
    return _for_method(scope, Response(200, json.dumps(describe(model), ensure_ascii=False).encode("utf-8")))


def _openapi(model: Model) -> dict[str, Any]:
    return openapi(model, _endpoint_of(model))


def _metrics(scope: Scope) -> Response:
    # BentoML's own page works only if `bentoml serve` has set up several processes.
    _only_get(scope)
    text, content_type = metrics.exposition()
    return _for_method(scope, Response(200, text, content_type))


def _many_processes() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ


def _only_get(scope: Scope) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        raise Problem(405, "this path is read-only", headers=[(b"allow", b"GET, HEAD")])


def _for_method(scope: Scope, answer: Response) -> Response:
    """Remove the body from the response to a HEAD request."""
    return answer if scope["method"] != "HEAD" else Response(answer.status, b"", answer.content_type, answer.headers)


def _not_loaded() -> Problem:
    return Problem(503, "the model is not loaded yet; try again")


def _required() -> bool:
    choice = os.environ.get("NBDEPLOY_WHEN_RECORD_FAILS") or "answer"
    if choice not in ("answer", "refuse"):
        raise ValueError(f"NBDEPLOY_WHEN_RECORD_FAILS must be answer or refuse, not {choice!r}")
    return choice == "refuse"


def _setting(name: str, default: int, unit: str = "bytes") -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{name} must be a number of {unit} above 0, not {text!r}")
    return int(text)
