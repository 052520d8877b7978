"""The few ASGI words that are needed here, and what is read from a request's headers."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from .records import MODES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

SANE_ID = re.compile(r"[!-~\x80-\xff](?:[ -~\x80-\xff]{0,1022}[!-~\x80-\xff])?")

# A label of a metric must not take whatever value a client invents.
ROLES = frozenset({"direct", "stable", "canary", "shadow", "probe"})


@dataclass
class Asked:
    """Who asks, as the headers say, and when it came in."""

    request_id: str
    pair_id: str | None
    role: str
    record: str = "full"
    ts_ns: int = field(default_factory=time.time_ns)
    started: float = field(default_factory=time.perf_counter)
    abandoned: bool = False

    @classmethod
    def by(cls, scope: Scope) -> Asked:
        role = header(scope, b"x-rollout-role")
        record = header(scope, b"x-rollout-record") or "full"
        return cls(
            request_id=_sane(header(scope, b"x-request-id")) or str(uuid.uuid4()),
            pair_id=_sane(header(scope, b"x-pair-id")),
            role=role if role in ROLES else "direct",
            record=record if record in MODES else "meta",  # a newer gateway's wish: rather too little than too much
        )

    @property
    def latency_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def through(self, send: Send) -> None:
        headers = [
            (b"content-type", self.content_type.encode("ascii")),
            (b"content-length", str(len(self.body)).encode("ascii")),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Stamped:
    """A ``send`` that puts the same headers on every response and does not mind that the client has gone."""

    def __init__(self, send: Send, stamps: Headers) -> None:
        self._send = send
        self._stamps = list(stamps)
        self.started = False
        self.finished = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            names = {name for name, _ in self._stamps}
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message = {**message, "headers": [*kept, *self._stamps]}
        elif message["type"] == "http.response.body":
            self.finished = not message.get("more_body", False)
        with contextlib.suppress(OSError):  # what servers raise when the client has closed the connection
            await self._send(message)


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key.lower() == name:
            return bytes(value).decode("latin-1")
    return None


def _sane(value: str | None) -> str | None:
    return value if value is not None and SANE_ID.fullmatch(value) else None
