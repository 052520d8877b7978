"""The interface of a protocol, and the parts that several share."""

from __future__ import annotations

import json
from typing import Any, Protocol

from ..asgi.messages import Response
from ..asgi.problems import CONTENT_TYPE, Problem
from ..dispatch.parsed_request import ParsedRequest
from ..dispatch.predictions import Predictions
from .request import Request


class ProtocolAdapter(Protocol):
    """Parses requests and writes responses of one protocol."""

    def parse(self, content: bytes, request: Request) -> ParsedRequest:
        """Parse a body.

        Raises
        ------
        Problem, InvalidInstances
            The body does not fit the protocol or the model.
        """
        ...

    def answer(self, parsed: ParsedRequest, native: Any, predictions: Predictions, request: Request) -> Response:
        """Write the response.

        Parameters
        ----------
        native
            This request's part of the model's answer; None if the request has no rows.
        predictions
            The same for JSON.
        """
        ...

    def problem(self, problem: Problem, request_id: str) -> Response:
        """Write the response to a request that is not answered."""
        ...


def as_predictions(predictions: Predictions) -> Response:
    """Return the JSON response ``{"predictions": [...]}``."""
    return Response(200, b'{"predictions":' + predictions.json + b"}")


def with_error(problem: Problem, request_id: str) -> Response:
    """Return a problem document with the key ``error`` that KServe's clients read: all errors in one line."""
    document = json.loads(problem.response(request_id).body)
    return Response(
        problem.status, json.dumps({"error": summary(problem), **document}).encode(), CONTENT_TYPE, problem.headers
    )


def summary(problem: Problem) -> str:
    """Return all errors in one line."""
    details = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in problem.errors[1:]]
    return "; ".join([problem.detail, *details])
