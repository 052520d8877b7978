"""Errors as problem documents (RFC 9457): ``application/problem+json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from .messages import Message, Response, Send

CONTENT_TYPE = "application/problem+json"

# Replacements of the inner application's messages, which are meant for developers.
DETAILS = {
    404: "there is nothing at this path; POST /predict calls the model, GET /openapi.json describes the service",
    405: "this path does not support this method",
    429: "too many requests at once; try again",
    503: "the service is not ready; try again",
    504: "the response took too long",
}

# Headers of the inner application's error that a client needs.
KEPT = {b"allow", b"retry-after", b"www-authenticate", b"set-cookie", b"vary"}


class Problem(Exception):
    """A refused or failed request, with its status and reason.

    Attributes
    ----------
    inputs
        The request's instances for its record; None if they are unknown.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[dict[str, Any]] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(detail)
        self.inputs: Any = None
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = tuple(headers)
        if status in (429, 503) and not any(name == b"retry-after" for name, _ in self.headers):
            self.headers += ((b"retry-after", b"1"),)

    @property
    def title(self) -> str:
        """The status's phrase."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Error"

    def response(self, request_id: str) -> Response:
        """Return the problem document as a response."""
        content = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            "errors": self.errors,
        }
        body = json.dumps(content).encode("ascii")  # ASCII: a key may hold characters that UTF-8 cannot encode
        return Response(self.status, body, CONTENT_TYPE, self.headers)


class ProblemSend:
    """A ``send`` that turns the inner application's errors into problems and passes other responses on."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self._problem: Problem | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            headers = [(name.lower(), value) for name, value in message.get("headers", ())]
            if not dict(headers).get(b"content-type", b"").startswith(CONTENT_TYPE.encode("ascii")):
                status = message["status"]
                detail = DETAILS.get(status, "the service failed" if status >= 500 else "the request was refused")
                self._problem = Problem(status, detail, headers=[pair for pair in headers if pair[0] in KEPT])
                return
        if self._problem is None:
            await self._send(message)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._problem.response(self._request_id).send_to(self._send)
