"""Redis streams (also Valkey's): https://redis.io/docs/latest/develop/data-types/streams/.

An entry has the field ``body``, and may have ``key``, ``id`` and ``content-type``. The group has one consumer. Redis
keeps the entries that were given to it until they are acknowledged, and a starting worker reads these first, in their
order. The worker reads no more while ``_MOST_OPEN`` entries are open, which is the back-pressure.

If sink and source are of one server, an answer is stored and its entry acknowledged in one step of a script, so that
each entry has exactly one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.stream.spec import Begin, StreamAddress

from .broker_errors import away, refused_user
from .deliveries import Delivery

_MOST_OPEN = 512
_READ_AT_ONCE = 128
_BLOCK_MS = 1000
_ANSWER_SECONDS = 5.0
_AGAIN_SECONDS = 0.5
_CONSUMER = "nbdeploy"

_ANSWER_ONCE = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
return 1
"""
"""Acknowledges an entry and stores its answer, unless it is acknowledged already."""

Fields = Mapping[bytes, bytes]


class RedisDelivery:
    """An entry of a stream."""

    __slots__ = (
        "_client",
        "_source",
        "body",
        "content_type",
        "entry",
        "group",
        "id",
        "key",
        "place",
        "position",
        "server",
        "unique",
    )

    def __init__(self, source: RedisSource, client: Redis, entry: bytes, fields: Fields) -> None:
        self._source, self._client = source, client
        self.entry = entry
        self.group = source.group
        self.server = source.address.server
        self.place = source.address.place
        self.position = f"{self.place}:{entry.decode()}"
        self.id = self.unique = _text(fields, b"id") or self.position
        self.key = _text(fields, b"key") or None
        self.content_type = _text(fields, b"content-type")
        self.body = fields.get(b"body", b"")

    async def acknowledge(self) -> None:
        self._source.forget(self)
        async with _translated(self._source.address):
            await self._client.xack(self.place, self._source.group, self.entry)

    async def extend(self) -> None:
        """Nothing: Redis gives an open entry to nobody else."""

    async def give_back(self) -> None:
        self._source.forget(self)


class RedisSource:
    """A stream that is read in a consumer group."""

    extend_seconds: float | None = None
    lost = False

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None, group: str, begin: Begin) -> None:
        self.address, self.group = address, group
        self._begin = begin
        self._client = _client(address, login)
        self._take: Callable[[Delivery], None] | None = None
        self._open: dict[bytes, RedisDelivery] = {}
        self._closed, self._forgotten = asyncio.Event(), asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def prepare(self, *, join: bool) -> None:
        """Check the name, and with ``join`` make the group unless there is one; by a connection of its own."""
        try:
            await _require_stream(self._client, self.address)
            if join:
                await self._join()
        finally:
            await self._client.aclose()

    async def open(self, take: Callable[[Delivery], None]) -> None:
        await self._join()
        self._take = take
        self._reading = asyncio.create_task(self._read())

    async def lag(self) -> int | None:
        async with _translated(self.address):
            groups = await self._client.xinfo_groups(self.address.place)
        own = next((one for one in groups if one["name"] == self.group.encode()), None)
        if own is None or own["lag"] is None:  # Redis does not count after entries were deleted in the middle
            return None
        return int(own["lag"]) + int(own["pending"])

    async def pause(self) -> None:
        self._closed.set()
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def close(self) -> None:
        await self.pause()
        with suppress(RedisError, OSError):
            await self._client.aclose()

    def forget(self, delivery: RedisDelivery) -> None:
        """Note that a delivery is not open any more."""
        self._open.pop(delivery.entry, None)
        self._forgotten.set()

    async def _join(self) -> None:
        async with _translated(self.address):
            try:
                start = "0" if self._begin == "first" else "$"
                await self._client.xgroup_create(self.address.place, self.group, id=start, mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def _read(self) -> None:
        """Read until the end; at first, and when nothing comes, what was given before and is not acknowledged."""
        while not self._closed.is_set():
            try:
                await self._read_open()
                while await self._read_some(">", block=_BLOCK_MS):
                    pass
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _read_open(self) -> None:
        after = "0"
        while last := await self._read_some(after):
            after = last

    async def _read_some(self, after: str, *, block: int | None = None) -> str | None:
        """Read entries, and return the last one's position; None: there are none."""
        while len(self._open) > _MOST_OPEN - _READ_AT_ONCE:
            self._forgotten.clear()
            await self._forgotten.wait()
        found: Any = await self._client.xreadgroup(
            self.group, _CONSUMER, {self.address.place: after}, count=_READ_AT_ONCE, block=block
        )
        entries = found[0][1] if found else []
        for entry, fields in entries:
            if entry in self._open or self._take is None:
                continue
            if not fields:  # it was deleted
                await self._client.xack(self.address.place, self.group, entry)
                continue
            delivery = self._open[entry] = RedisDelivery(self, self._client, entry, fields)
            self._take(delivery)
        return entries[-1][0].decode() if entries else None


class RedisSink:
    """A stream that gets entries."""

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None) -> None:
        self._address = address
        self._client = _client(address, login)

    async def prepare(self) -> None:
        """Check that the name is free or a stream, by a connection of its own."""
        try:
            await self.open()
        finally:
            await self._client.aclose()

    async def open(self) -> None:
        await _require_stream(self._client, self._address)

    async def publish(self, body: bytes, headers: Mapping[str, str], number: str, message: Delivery) -> None:
        fields: dict[Any, Any] = {"body": body, **headers, "id": number}
        async with _translated(self._address):
            if isinstance(message, RedisDelivery) and message.server == self._address.server:
                flat = [part for pair in fields.items() for part in pair]
                keys = (message.place, self._address.place)
                await self._client.eval(_ANSWER_ONCE, 2, *keys, message.group, message.entry, *flat)
            else:
                await self._client.xadd(self._address.place, fields)

    async def close(self) -> None:
        with suppress(RedisError, OSError):
            await self._client.aclose()


async def _require_stream(client: Redis, address: StreamAddress) -> None:
    """Raise InvalidInput if the name holds another type; the first entry makes a stream."""
    async with _translated(address):
        kind: bytes = await client.type(address.place)  # type: ignore[assignment]  # of this client it is bytes
    if kind not in (b"none", b"stream"):
        raise InvalidInput(
            f"'{address.place}' at {address.server} is a {kind.decode()}, not a stream", "name a stream, or a new one"
        )


def _client(address: StreamAddress, login: tuple[str, str] | None) -> Redis:
    user, password = login or (None, None)
    return Redis.from_url(
        address.server,
        username=user,
        password=password,
        socket_connect_timeout=_ANSWER_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),  # the pipeline repeats
    )


def _text(fields: Fields, name: bytes) -> str:
    return fields.get(name, b"").decode("utf-8", "replace")


@asynccontextmanager
async def _translated(address: StreamAddress) -> AsyncIterator[None]:
    """Turn the errors of Redis into nbdeploy's."""
    try:
        yield
    except (AuthenticationError, AuthorizationError) as error:
        raise refused_user(address, error) from error
    except (RedisError, OSError, TimeoutError) as error:
        raise away(address, error) from error
