"""The soak's clients, in a process of their own: plain HTTP/1.1 over asyncio, which takes little of the processors.

``python -m scripts.soak.client URL BODY-FILE RESULT-FILE NAME --seconds S (--connections C | --rate R)``. With
``--connections`` the load is closed: each connection asks again when it was answered. With ``--rate`` it is open:
requests leave on a fixed schedule, however long the answers take, and open more connections where all are busy.

The result has a line for each request, tabs between: its id, when it was to leave, when it left, when it was answered
(all in seconds since 1970), status (0: no answer), release, and what was said if it failed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

MOST_CONNECTIONS = 4096
IDLE_SECONDS = 5.0
PATIENCE_SECONDS = 60.0

_HEAD = re.compile(rb"HTTP/1\.1 (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RELEASE = re.compile(rb"\r\nx-model-version: *([^\r\n]*)", re.IGNORECASE)
_CLOSED = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")


@dataclass
class Asked:
    """One request on its way."""

    name: str
    scheduled: float
    left: float = 0.0


class Connection(asyncio.Protocol):
    """Asks one request after the other."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.asked: Asked | None = None
        self.idle_since = 0.0
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take what waits."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"TCP gives a Transport, not {transport!r}")
        self.transport = transport
        self.clients.freed(self)

    def ask(self, asked: Asked) -> None:
        """Send it."""
        self.asked, self._got = asked, b""
        asked.left = time.time()
        self.transport.write(self.clients.head + asked.name.encode() + self.clients.rest)

    def data_received(self, data: bytes) -> None:
        """Gather the answer; when it is whole, the next one may go."""
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return
        status, length = _HEAD.match(head), _LENGTH.search(head)
        if status is None or length is None or self.asked is None:
            self._answered(0, b"", "an answer that is not understood")
            self.transport.abort()
            return
        if len(body) < int(length[1]):
            return
        release = _RELEASE.search(head)
        code = int(status[1])
        self._answered(code, release[1] if release else b"", "" if code == 200 else body.decode(errors="replace"))
        if _CLOSED.search(head):
            self.transport.close()
        else:
            self.clients.freed(self)

    def connection_lost(self, error: Exception | None) -> None:
        """What was asked has no answer."""
        self._answered(0, b"", "cut off" if self._got else f"closed without an answer ({error})")
        self.clients.closed(self)

    def _answered(self, status: int, release: bytes, error: str) -> None:
        if self.asked is not None:
            asked, self.asked = self.asked, None
            self.clients.note(asked, status, release.decode(), error)


class Clients:
    """All connections, and what waits for one."""

    def __init__(self, url: str, body: bytes, result: TextIO, name: str, most: int) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._name, self._most = parts.hostname, parts.port, name, most
        self.head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\nx-request-id: ".encode()
        self.rest = f"\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        self._result = result
        self._idle: list[Connection] = []
        self._waiting: deque[Asked] = deque()
        self._opened = 0
        self._number = 0
        self._under_way: dict[str, Asked] = {}
        self._all_answered = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()
        self.again_until = 0.0  # a closed load asks again until then

    def ask(self, scheduled: float) -> None:
        """Ask as soon as a connection is free."""
        self._number += 1
        asked = Asked(f"{self._name}-{self._number}", scheduled)
        self._under_way[asked.name] = asked
        self._all_answered.clear()
        if self._idle:
            self._idle.pop().ask(asked)
            return
        self._waiting.append(asked)
        self._open()

    def _open(self) -> None:
        if self._opened < self._most:
            self._opened += 1
            task = asyncio.create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: Connection(self), self._host, self._port)
        except OSError as error:
            self._opened -= 1
            if self._waiting:
                self.note(self._waiting.popleft(), 0, "", f"no connection ({error})")

    def freed(self, connection: Connection) -> None:
        """A connection is free."""
        if self._waiting:
            connection.ask(self._waiting.popleft())
        elif not connection.transport.is_closing():
            connection.idle_since = time.time()
            self._idle.append(connection)

    def closed(self, connection: Connection) -> None:
        """A connection has gone; what waits gets another one."""
        self._opened -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._open()

    def note(self, asked: Asked, status: int, release: str, error: str) -> None:
        """Write down what became of it."""
        now = time.time()
        del self._under_way[asked.name]
        if not self._under_way:
            self._all_answered.set()
        said = _BLANKS.sub(" ", error)[:300].replace('"', "'")
        self._result.write(
            f"{asked.name}\t{asked.scheduled:.6f}\t{asked.left or now:.6f}\t{now:.6f}\t{status}\t{release}\t{said}\n"
        )
        if now < self.again_until:
            asyncio.get_running_loop().call_soon(self.ask, now)

    def tidy(self) -> None:
        """Close what has been idle for long: what a burst opened must not look like a leak of the gateway."""
        while self._idle and self._idle[0].idle_since < time.time() - IDLE_SECONDS:
            self._idle.pop(0).transport.close()

    async def ended(self) -> None:
        """Until all are answered, or nobody is that patient; then the others have no answer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_answered.wait(), PATIENCE_SECONDS)
        for asked in list(self._under_way.values()):
            self.note(asked, 0, "", f"not answered within {PATIENCE_SECONDS:g} s after the end")


async def main() -> None:
    """Ask until the end and write what came back."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("name", help="with which the requests' ids begin")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int)
    parser.add_argument("--rate", type=float)
    given = parser.parse_args()
    with given.result.open("w", buffering=1 << 20) as result:
        most = given.connections or MOST_CONNECTIONS
        clients = Clients(given.url, given.body.read_bytes(), result, given.name, most)
        began = time.time()
        print(began, flush=True)
        if given.rate:
            await _open(clients, given.rate, began, given.seconds)
        else:
            clients.again_until = began + given.seconds
            for _ in range(most):
                clients.ask(began)
            await asyncio.sleep(given.seconds)
        await clients.ended()


async def _open(clients: Clients, rate: float, began: float, seconds: float) -> None:
    tidied = began
    for number in range(int(rate * seconds)):
        scheduled = began + number / rate
        wait = scheduled - time.time()
        if wait > 0 or number % 16 == 0:  # answers are read even if the schedule cannot be kept
            await asyncio.sleep(max(wait, 0))
        clients.ask(scheduled)
        if scheduled > tidied + 1:
            clients.tidy()
            tidied = scheduled


if __name__ == "__main__":
    asyncio.run(main())
