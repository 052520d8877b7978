"""The words of one protocol; what is asked by them is the same for all."""

from __future__ import annotations

import json
from typing import Any, Protocol

from ..asgi.messages import Answer
from ..asgi.problems import CONTENT_TYPE, Problem
from ..dispatch.parsed_request import Question, Raw
from .request import Request


class Asking(Protocol):
    """How one protocol asks the model."""

    def question(self, content: bytes, request: Request) -> Question:
        """What the body asks.

        Raises
        ------
        Problem, InvalidInstances
            It asks nothing that the model could answer.
        """
        ...

    def answer(self, question: Question, native: Any, predictions: Raw, request: Request) -> Answer:
        """The response.

        Parameters
        ----------
        native
            This request's part of the model's answer; None when it asked for no rows.
        predictions
            The same as a list in JSON.
        """
        ...

    def problem(self, problem: Problem, request_id: str) -> Answer:
        """The response to a request that gets no answer."""
        ...


def as_predictions(predictions: Raw) -> Answer:
    """The answer of those protocols that have JSON alone."""
    return Answer(200, b'{"predictions":' + predictions + b"}")


def with_error(problem: Problem, request_id: str) -> Answer:
    """A problem document that is what KServe's clients look for too: ``error``, in words with their place."""
    document = json.loads(problem.answer(request_id).body)
    return Answer(
        problem.status, json.dumps({"error": told(problem), **document}).encode(), CONTENT_TYPE, problem.headers
    )


def told(problem: Problem) -> str:
    """All that is wrong, in one line."""
    more = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in problem.errors[1:]]
    return "; ".join([problem.detail, *more])
