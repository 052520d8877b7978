"""Request bodies: receiving them within limits, and the instances in their JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
from typing import Any, Protocol

from .messages import Receive, RequestContext
from .problems import Problem

DRAIN_SECONDS = 5.0

RECEIVE_SECONDS = 300.0
"""Time limit for a body that is not known to be short; a gateway has a shorter one."""

# A client that withholds a short body costs no more than a connection; a time limit would cost every request.
_SHORT_BYTES = 32 * 1024

JSON_TYPE = re.compile(r"(application|text)/([\w.+-]+\+)?json", re.ASCII | re.IGNORECASE)

# A number that may be beyond the range of a float, and an escape that may be half of a surrogate pair. Both are rare,
# and texts without them skip the slow check of each value.
PERHAPS_TOO_LARGE = re.compile(r"[eE]\+?0*[1-9]\d\d|\d{200}")
PERHAPS_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


def require_json_type(context: RequestContext) -> None:
    """Raise Problem 415 unless the body is declared as uncompressed JSON."""
    # A missing type is refused too: like a form, any web page may send it to this machine without a preflight request.
    content_type = context.header(b"content-type")
    if not JSON_TYPE.fullmatch(content_type.partition(";")[0].strip()):
        raise Problem(415, f"send JSON, with the header 'content-type: application/json' (it is {content_type[:80]!r})")
    encoding = context.header(b"content-encoding")
    if encoding and encoding.lower() != "identity":
        raise Problem(415, f"send the JSON uncompressed, without 'content-encoding: {encoding[:80]}'")


class Memory(Protocol):
    """The memory for the bodies of all requests (``dispatch/byte_budget.py``)."""

    refusal: Problem | None
    """The reason for which the body must not be received any longer."""

    def add(self, length: int) -> None:
        """Reserve a piece before it is kept; may raise Problem."""

    def arrive(self, timer: asyncio.Timeout) -> None:
        """Called with the time limit of a body that is not known to be short: it may be brought forward."""


async def read(context: RequestContext, receive: Receive, limit: int, memory: Memory | None = None) -> bytes:
    """Receive the request's body.

    Raises
    ------
    Problem
        413 if the body is longer than ``limit`` bytes (the excess is not kept). 408 if it is not complete within
        ``RECEIVE_SECONDS``. The refusal of ``memory``.
    ClientGone
        The client disconnected before the body was complete.
    """
    announced = context.header(b"content-length")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        await _drain(receive)
        raise too_large(limit)
    if announced.isdecimal() and int(announced) <= _SHORT_BYTES:
        return await _whole(receive, limit, memory)
    try:
        async with asyncio.timeout(RECEIVE_SECONDS) as timer:
            if memory is not None:
                memory.arrive(timer)
            return await _whole(receive, limit, memory)
    except TimeoutError as error:
        refusal = memory.refusal if memory is not None else None
        if refusal is None:
            detail = f"the request was not complete after {RECEIVE_SECONDS:g} s"
            raise Problem(408, detail, headers=[(b"connection", b"close")]) from error
    await _discard(receive, limit)
    raise refusal


async def _whole(receive: Receive, limit: int, memory: Memory | None) -> bytes:
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client closed the connection before its request was complete")
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > limit:
            chunks.clear()
            if message.get("more_body", False):
                await _drain(receive)
            raise too_large(limit)
        if memory is not None:
            try:
                memory.add(len(chunk))
            except Problem:
                chunks.clear()
                if message.get("more_body", False):
                    await _discard(receive, limit)
                raise
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


async def disconnected(receive: Receive) -> None:
    """Wait until the client disconnects; called after its request was read."""
    if (await receive())["type"] != "http.disconnect":
        await asyncio.get_running_loop().create_future()  # no disconnect will be reported


async def _drain(receive: Receive) -> None:
    """Receive and discard the rest of a body for at most ``DRAIN_SECONDS``.

    If a server answers and closes while a proxy is still sending, the proxy reports 503 instead of our 413.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass


async def _discard(receive: Receive, limit: int) -> None:
    """Receive and discard the rest of a body of at most ``limit`` bytes, while its pieces follow each other."""
    length = 0
    with contextlib.suppress(TimeoutError):
        while length <= limit:
            async with asyncio.timeout(DRAIN_SECONDS):
                message = await receive()
            length += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return


def too_large(limit: int) -> Problem:
    """Return the problem for a body of more than ``limit`` bytes."""
    # The body may not be read completely, so the connection is not reused.
    return Problem(
        413,
        f"the request is larger than {limit} bytes; split it into several requests",
        headers=[(b"connection", b"close")],
    )


def parse(body: bytes) -> Any:
    """Parse a JSON document.

    Raises
    ------
    Problem
        400: the body is not strict JSON in UTF-8.
    """
    try:
        text = body.decode("utf-8")
        if PERHAPS_TOO_LARGE.search(text):
            document = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_int)
        else:
            document = json.loads(text, parse_constant=_no_constant)
        if PERHAPS_HALF_A_CHARACTER.search(text):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise Problem(
            400, "a string holds half of a surrogate pair, such as \\ud800, which is not a character"
        ) from error
    except json.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Problem(400, "the JSON is nested too deeply") from error
    except ValueError as error:  # from _no_constant, _finite and _int
        raise Problem(400, f"the body is not strict JSON: {error}") from error
    return document


def instances_in(document: Any) -> list[Any]:
    """Return the instances in ``{"instances": [...]}``.

    Raises
    ------
    Problem
        422: the document has another form.
    """
    if not isinstance(document, dict):
        raise _unfit([{"loc": [], "msg": 'must be an object such as {"instances": [...]}'}])
    errors: list[dict[str, Any]] = [
        {"loc": [key], "msg": f"unknown key '{key}'; the only key is 'instances'"}
        for key in list(document)[:20]
        if key != "instances"
    ]
    if "instances" not in document:
        errors.insert(0, {"loc": ["instances"], "msg": "missing: the body must be an object with a list of instances"})
    elif not isinstance(document["instances"], list):
        errors.insert(0, {"loc": ["instances"], "msg": "must be a list with one item for each prediction"})
    if errors:
        raise _unfit(errors)
    instances: list[Any] = document["instances"]
    return instances


def _unfit(errors: list[dict[str, Any]]) -> Problem:
    return Problem(422, f"the request does not have the expected form: {errors[0]['msg']}", errors)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON (write null for a missing value)")


def _finite(text: str) -> float:
    number = float(text)
    if math.isfinite(number):
        return number
    raise ValueError(f"the number {text[:40]} is out of range")


def _int(text: str) -> int:
    _finite(text)
    return int(text)
