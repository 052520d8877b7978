"""RabbitMQ by AMQP 0-9-1: https://www.rabbitmq.com/docs/consumers.

A queue is its own consumer group: it gives each message to one reader and keeps it until that one acknowledges it. The
broker holds back what is over ``_MOST_OPEN`` open messages. What a reader left open comes again before newer messages,
in their order.

An answer is stored once the broker confirms it. AMQP has no step that stores an answer and acknowledges its message,
so a kill between the two repeats the answer, with the same ``message-id``.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    DeliveryError,
    ProbableAuthenticationError,
)
from yarl import URL

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.stream.spec import Begin, StreamAddress

from .broker_errors import away, other_reader, refused_user
from .deliveries import Delivery
from .positions import position_of

_MOST_OPEN = 512
_ANSWER_SECONDS = 5.0
_HEARTBEAT_SECONDS = 5
"""Client and broker end a connection that was silent for a few of these."""

KEY_HEADER = "x-sticky-key"


class AmqpDelivery:
    """A message of a queue."""

    __slots__ = ("_source", "body", "content_type", "id", "key", "place", "position", "unique")

    def __init__(self, source: AmqpSource, message: AbstractIncomingMessage) -> None:
        self._source = source
        self.body = message.body
        self.place = source.address.place
        self.position = position_of(self.place, message.message_id, message.body)
        self.id = self.unique = message.message_id or self.position
        self.key = _text(message.headers.get(KEY_HEADER)) or None
        self.content_type = message.content_type or ""

    async def acknowledge(self) -> None:
        for message in self._source.forget(self.position):
            await message.ack()

    async def extend(self) -> None:
        """Nothing: an open message is its reader's for as long as the connection lives."""

    async def give_back(self) -> None:
        for message in self._source.forget(self.position):
            await message.nack(requeue=True)


class _Connection:
    """A queue, and the connection to its broker."""

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None, name: str) -> None:
        self.address, self._login, self._name = address, login, name
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def channel(self) -> AbstractChannel:
        """Return a new channel of a new connection, whose publications the broker confirms."""
        url = URL(self.address.server)
        if self._login is not None:
            url = url.with_user(self._login[0]).with_password(self._login[1])
        await self.close()
        async with _translated(self.address):
            self._connection = await aio_pika.connect(
                url.with_query(heartbeat=_HEARTBEAT_SECONDS, name=self._name), timeout=_ANSWER_SECONDS
            )
            self._channel = await self._connection.channel(on_return_raises=True)
            return self._channel

    async def queue(self, channel: AbstractChannel) -> AbstractQueue:
        """Return the queue with its counts. Raises InvalidInput: there is none."""
        async with _translated(self.address), asyncio.timeout(_ANSWER_SECONDS):
            return await channel.declare_queue(self.address.place, passive=True)

    async def check(self) -> None:
        """Check that there is the queue, by a connection for that alone."""
        try:
            await self.queue(await self.channel())
        finally:
            await self.close()

    async def close(self) -> None:
        """Disconnect."""
        for one in (self._channel, self._connection):
            if one is not None:
                with suppress(AMQPError, OSError, TimeoutError):
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await one.close()
        self._channel = self._connection = None


class AmqpSource:
    """A queue that is read by one reader."""

    extend_seconds: float | None = None

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None, group: str, begin: Begin) -> None:  # noqa: ARG002 - a queue has what nobody has read: its next message is its first
        self.address = address
        self.lost = False
        self._connection = _Connection(address, login, group)
        self._channel: AbstractChannel | None = None
        self._reading: tuple[AbstractQueue, str] | None = None
        self._open: defaultdict[str, list[AbstractIncomingMessage]] = defaultdict(list)

    async def prepare(self, *, join: bool) -> None:  # noqa: ARG002 - the queue is the group
        """Check that there is the queue, by a connection of its own."""
        await self._connection.check()

    async def open(self, take: Callable[[Delivery], None]) -> None:
        channel = await self._connection.channel()
        channel.close_callbacks.add(self._lose)
        queue = await self._connection.queue(channel)
        if queue.declaration_result.consumer_count:  # a quorum queue does not refuse a second one
            raise other_reader(self.address, f"the queue '{self.address.place}'")

        async def taken(message: AbstractIncomingMessage) -> None:
            delivery = AmqpDelivery(self, message)
            self._open[delivery.position].append(message)
            take(delivery)

        async with _translated(self.address):
            await channel.set_qos(prefetch_count=_MOST_OPEN)
            self._reading = queue, await queue.consume(taken, exclusive=True, timeout=_ANSWER_SECONDS)
        self._channel = channel

    async def lag(self) -> int | None:
        if self._channel is None:
            return None
        queue = await self._connection.queue(self._channel)
        return (queue.declaration_result.message_count or 0) + sum(map(len, self._open.values()))

    async def pause(self) -> None:
        if self._reading is not None:
            queue, tag = self._reading
            self._reading = None
            with suppress(AMQPError, OSError, TimeoutError):
                await queue.cancel(tag, timeout=_ANSWER_SECONDS)

    async def close(self) -> None:
        await self._connection.close()

    def forget(self, position: str) -> list[AbstractIncomingMessage]:
        """Return the open messages of a position, which are open no more."""
        return self._open.pop(position, [])

    def _lose(self, *_: object) -> None:
        self.lost = True


class AmqpSink:
    """A queue that gets messages."""

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None) -> None:
        self._address = address
        self._connection = _Connection(address, login, "nbdeploy")
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def prepare(self) -> None:
        """Check that there is the queue, then disconnect."""
        await self._connection.check()

    async def open(self) -> None:
        channel = await self._connection.channel()
        await self._connection.queue(channel)
        self._channel = channel

    async def publish(self, body: bytes, headers: Mapping[str, str], number: str, message: Delivery) -> None:  # noqa: ARG002
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel()
            channel = self._channel
        stored = aio_pika.Message(
            body,
            headers={name: value for name, value in headers.items() if name != "content-type"},
            content_type=headers.get("content-type"),
            message_id=number,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        async with _translated(self._address):
            try:
                await channel.default_exchange.publish(
                    stored, self._address.place, mandatory=True, timeout=_ANSWER_SECONDS
                )
            except DeliveryError as error:  # the queue is full, or somebody deleted it
                raise TargetError(
                    f"{self._address.server} does not store messages for the queue '{self._address.place}': {error}",
                    "look whether there is the queue, and whether it is full",
                ) from error

    async def close(self) -> None:
        await self._connection.close()


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


@asynccontextmanager
async def _translated(address: StreamAddress) -> AsyncIterator[None]:
    """Turn the errors of the client into nbdeploy's."""
    try:
        yield
    except ChannelNotFoundEntity as error:
        raise InvalidInput(
            f"{address.server} has no queue '{address.place}', so its messages are not kept",
            "declare it: durable, best of the type quorum",
        ) from error
    except (AuthenticationError, ProbableAuthenticationError, ChannelAccessRefused) as error:
        raise refused_user(address, error) from error
    except (AMQPError, OSError, TimeoutError) as error:
        raise away(address, error) from error
