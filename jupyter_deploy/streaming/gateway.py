"""Requests of messages to an endpoint, through the gateway's socket: what a client of HTTP sends, and gets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import aiohttp
import msgspec

from .deliveries import Delivery

ATTEMPT_SECONDS = 120.0

_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_REQUEST = re.compile(rb'\s*\{\s*"instances"\s*:')
_DIED = "connection termination"
_VALID_ID = re.compile(r"[!-~](?:[ -~]{0,1022}[!-~])?")
_SYNTAX: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)

Verdict = Literal["answered", "refused", "failed", "died", "unavailable"]


class Answer(NamedTuple):
    """The answer to a message.

    Attributes
    ----------
    verdict
        ``refused``: the message is at fault, and another attempt is useless. ``failed``: the model raised, or took too
        long. ``died``: the release's process ended while it had the message. ``unavailable``: nothing has seen it.
    """

    verdict: Verdict
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def reason(self) -> str:
        """The reason of a refusal or failure, from the problem document (RFC 9457)."""
        try:
            problem = json.loads(self.body)
            return str(problem.get("detail") or problem.get("title") or "")
        except (ValueError, AttributeError):
            return f"status {self.status}"


class Gateway:
    """The endpoint behind the gateway's socket.

    Parameters
    ----------
    socket
        Path of the gateway's own socket.
    header_file
        The file with the header of the gateway's token, which is read again for each connection; it may not exist.
    parallel
        Requests at a time.
    """

    def __init__(self, socket: str, endpoint: str, header_file: Path, *, parallel: int) -> None:
        self._url = f"http://localhost/{endpoint}/predict"
        self._header_file = header_file
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(socket, limit=parallel),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ATTEMPT_SECONDS),
            auto_decompress=False,
            trust_env=False,
        )

    async def answer(self, message: Delivery) -> Answer:
        """Send a message once."""
        kind = message.content_type or "application/json"
        body = message.body
        if _JSON.fullmatch(kind):
            try:
                body = as_request(body)
            except msgspec.DecodeError as error:
                return Answer("refused", 400, problem(400, f"the message is not JSON: {error}"), {})
        headers = {"content-type": kind, **self._token()}
        if _VALID_ID.fullmatch(message.id):
            headers["x-request-id"] = message.id
        if message.key and _VALID_ID.fullmatch(message.key):
            headers["x-sticky-key"] = message.key
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                content = await response.read()
                status = response.status
                kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        except TimeoutError:
            return Answer("failed", 504, problem(504, f"no answer within {ATTEMPT_SECONDS:g} s"), {})
        except (aiohttp.ClientError, OSError) as error:
            return Answer("unavailable", 503, problem(503, f"the gateway does not answer: {error}"), {})
        return Answer(verdict_of(status, content), status, content, kept)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _token(self) -> dict[str, str]:
        try:
            name, _, value = self._header_file.read_text("utf-8").strip().partition(": ")
        except OSError:
            return {}
        return {name: value}


_KEPT = ("content-type", "x-request-id", "x-model-version")


def as_request(body: bytes) -> bytes:
    """Return a JSON message as the body of a request: a row or a list of rows is wrapped.

    Raises
    ------
    msgspec.DecodeError
        The body is not JSON.
    """
    if _REQUEST.match(body):
        return body  # the release checks the rest
    _SYNTAX.decode(body)
    start = body.lstrip()[:1]
    if start == b"{" and b'"instances"' in body and "instances" in msgspec.json.decode(body):
        return body
    return b'{"instances":' + body + b"}" if start == b"[" else b'{"instances":[' + body + b"]}"


def verdict_of(status: int, body: bytes) -> Verdict:
    """Return the meaning of a response."""
    if status == 200:
        return "answered"
    if status == 503:
        return "died" if _DIED.encode() in body else "unavailable"
    if status in (401, 404, 408, 421, 429):  # of the gateway: the endpoint is stopped or moved, or the token changed
        return "unavailable"
    return "refused" if 400 <= status < 500 else "failed"


def problem(status: int, detail: str) -> bytes:
    """Return a problem document."""
    return json.dumps({"status": status, "detail": detail}).encode()
