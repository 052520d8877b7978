"""The words of one protocol; what is asked by them is the same for all."""

from __future__ import annotations

import json
from typing import Any, Protocol

from ..asgi.messages import Response
from ..asgi.problems import CONTENT_TYPE, Problem
from ..dispatch.parsed_request import ParsedRequest, Raw
from .request import Request


class ProtocolAdapter(Protocol):
    """How one protocol asks the model."""

    def parse(self, content: bytes, request: Request) -> ParsedRequest:
        """What the body asks.

        Raises
        ------
        Problem, InvalidInstances
            It asks nothing that the model could answer.
        """
        ...

    def answer(self, parsed: ParsedRequest, native: Any, predictions: Raw, request: Request) -> Response:
        """The response.

        Parameters
        ----------
        native
            This request's part of the model's answer; None when it asked for no rows.
        predictions
            The same as a list in JSON.
        """
        ...

    def problem(self, problem: Problem, request_id: str) -> Response:
        """The response to a request that gets no answer."""
        ...


def as_predictions(predictions: Raw) -> Response:
    """The answer of those protocols that have JSON alone."""
    return Response(200, b'{"predictions":' + predictions + b"}")


def with_error(problem: Problem, request_id: str) -> Response:
    """A problem document that is what KServe's clients look for too: ``error``, in words with their place."""
    document = json.loads(problem.response(request_id).body)
    return Response(
        problem.status, json.dumps({"error": summary(problem), **document}).encode(), CONTENT_TYPE, problem.headers
    )


def summary(problem: Problem) -> str:
    """All that is wrong, in one line."""
    details = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in problem.errors[1:]]
    return "; ".join([problem.detail, *details])
