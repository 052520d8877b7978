"""``/predict`` and KServe's V1 protocol: ``{"instances": [...]}`` to ``{"predictions": [...]}``."""

from __future__ import annotations

from typing import Any

from ..asgi.body import JSON_TYPE
from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..dispatch.parsed_request import ParsedRequest
from ..dispatch.predictions import Predictions
from ..values.decoding import Decoder
from .columnar import Columnar
from .media_types import TABLES
from .protocol import as_predictions, with_error
from .request import Request


class Predict:
    """JSON, Arrow and Parquet at ``/predict``."""

    def __init__(self, decoder: Decoder, columnar: Columnar) -> None:
        self._decoder = decoder
        self._columnar = columnar

    def parse(self, content: bytes, request: Request) -> ParsedRequest:
        if is_json(request):
            return self._decoder.json(content)
        if request.media_type in TABLES:
            return self._columnar.parse(content, request)
        raise unknown_type(request, "JSON, with the header 'content-type: application/json', Arrow or Parquet")

    def answer(self, parsed: ParsedRequest, native: Any, predictions: Predictions, request: Request) -> Response:
        return self._columnar.answer(native, predictions, request) or as_predictions(predictions)

    def problem(self, problem: Problem, request_id: str) -> Response:
        return problem.response(request_id)


class V1:
    """JSON at ``/v1/models/<name>:predict``."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def parse(self, content: bytes, request: Request) -> ParsedRequest:
        if is_json(request):
            return self._decoder.json(content)
        raise unknown_type(request, "JSON, with the header 'content-type: application/json'")

    def answer(self, parsed: ParsedRequest, native: Any, predictions: Predictions, request: Request) -> Response:
        return as_predictions(predictions)

    def problem(self, problem: Problem, request_id: str) -> Response:
        return with_error(problem, request_id)


def is_json(request: Request) -> bool:
    """Return whether the body is declared as JSON.

    The declaration is required: without a type, or with a form's, any web page may send a body to this machine without
    a preflight request.
    """
    if request.headers.get(b"content-type") == b"application/json":
        return True
    return JSON_TYPE.fullmatch(request.media_type) is not None


def unknown_type(request: Request, known: str) -> Problem:
    """Return the problem for a body of another type."""
    return Problem(415, f"send {known} (it is {request.header(b'content-type')[:80]!r})")
