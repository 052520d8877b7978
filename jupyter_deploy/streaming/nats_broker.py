"""NATS JetStream: https://docs.nats.io/nats-concepts/jetstream.

The group is a durable push consumer with explicit acknowledgement. JetStream delivers at most ``_MOST_OPEN`` messages
that are not acknowledged, which is the back-pressure; one that is neither acknowledged nor extended for
``_ACK_SECONDS`` is delivered again, before newer ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import AuthorizationError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import NotFoundError, ServiceUnavailableError

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.stream.spec import Begin, StreamAddress

from .broker_errors import away, other_reader, refused_user
from .deliveries import Delivery

_MOST_OPEN = 512
_ACK_SECONDS = 6.0
_ANSWER_SECONDS = 5.0
_RECONNECT_SECONDS = 0.5
_HINT = "; 'nats-server --jetstream' is one that keeps messages"

KEY_HEADER = "x-sticky-key"
ID_HEADER = "Nats-Msg-Id"
"""The header by which JetStream drops a message that it has stored within its window (two minutes by default)."""


class NatsDelivery:
    """A message of JetStream."""

    __slots__ = ("_message", "again", "body", "content_type", "id", "key", "place", "position", "sequence", "unique")

    def __init__(self, message: Msg, *, keyed_by_place: bool) -> None:
        headers = message.headers or {}
        origin = message.metadata
        self._message = message
        self.body: bytes = message.data
        self.place: str = message.subject
        self.sequence = origin.sequence.stream
        self.again = (origin.num_delivered or 1) > 1
        self.position = f"{origin.stream}:{self.sequence}"
        given = headers.get(ID_HEADER)
        self.id: str = given or self.position
        self.unique: str = given or f"{self.position}@{origin.timestamp.isoformat()}"
        self.key: str | None = headers.get(KEY_HEADER) or (message.subject if keyed_by_place else None)
        self.content_type: str = headers.get("content-type") or ""

    async def acknowledge(self) -> None:
        await self._message.ack()

    async def extend(self) -> None:
        await self._message.in_progress()

    async def give_back(self) -> None:
        await self._message.nak()


class _Reordering:
    """Passes deliveries on, at first those that a former reader left open, in the order of the stream.

    JetStream delivers these again in the order in which their times ran out, and after ``_ACK_SECONDS`` at the latest.
    A newer message of the same key must not overtake one of them.

    Parameters
    ----------
    left_open
        Their number.
    """

    def __init__(self, take: Callable[[Delivery], None], left_open: int) -> None:
        self._take = take
        self._left_open = left_open
        self._again: list[NatsDelivery] = []
        self._newer: list[NatsDelivery] = []
        self._timer = asyncio.get_running_loop().call_later(2 * _ACK_SECONDS, self._flush) if left_open else None

    def put(self, delivery: NatsDelivery) -> None:
        """Pass a delivery on, or hold it until those before it are there."""
        if self._timer is None:
            self._take(delivery)
            return
        (self._again if delivery.again else self._newer).append(delivery)
        if len({one.sequence for one in self._again}) >= self._left_open:
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for delivery in (*sorted(self._again, key=lambda one: one.sequence), *self._newer):
            self._take(delivery)
        self._again, self._newer = [], []


class _Connection:
    """A place of a server, and the connection to it.

    Parameters
    ----------
    ended
        Called when the connection has ended, in place of a reconnection; None: it is made again.
    """

    def __init__(
        self, address: StreamAddress, login: tuple[str, str] | None, ended: Callable[[], None] | None = None
    ) -> None:
        self._address, self._login = address, login
        self._ended = ended
        self._client: Client | None = None

    async def connect(self) -> JetStreamContext:
        """Connect. Raises TargetError, InvalidInput."""
        user, password = self._login or (None, None)

        async def closed() -> None:
            if self._ended is not None:
                self._ended()

        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._client = await nats.connect(
                    self._address.server,
                    user=user,
                    password=password,
                    connect_timeout=int(_ANSWER_SECONDS),
                    allow_reconnect=self._ended is None,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_RECONNECT_SECONDS,
                    closed_cb=closed,
                    error_cb=_ignore,  # the calls raise too
                )
        except (NatsError, OSError, TimeoutError) as error:
            if isinstance(error, AuthorizationError) or "authorization" in str(error).lower():
                raise refused_user(self._address) from error
            raise away(self._address, error, _HINT) from error
        return self._client.jetstream(timeout=_ANSWER_SECONDS)

    async def close(self) -> None:
        """Disconnect after what was sent has arrived."""
        if self._client is None:
            return
        with suppress(NatsError, OSError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._client.flush()
        with suppress(NatsError, OSError):
            await self._client.close()
        self._client = None


async def _ignore(_error: Exception) -> None:
    """The default would print each."""


class NatsSource:
    """A subject of JetStream that is read in a durable consumer."""

    extend_seconds: float | None = _ACK_SECONDS / 3

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None, group: str, begin: Begin) -> None:
        self._address, self._group, self._begin = address, group, begin
        self.lost = False
        self._connection = _Connection(address, login, self._lose)
        self._context: JetStreamContext | None = None
        self._subscription: JetStreamContext.PushSubscription | None = None
        self._stream = ""

    async def prepare(self, *, join: bool) -> None:
        """Check the subject, and with ``join`` make the group unless there is one; then disconnect."""
        try:
            context = await self._connection.connect()
            if join:
                await self._join(context)
            else:
                async with _translated(self._address):
                    await _stream_of(context, self._address)
        finally:
            await self._connection.close()

    async def open(self, take: Callable[[Delivery], None]) -> None:
        context = await self._connection.connect()
        info = await self._join(context)
        left_open = info.num_ack_pending or 0
        if left_open:  # until JetStream delivers them again, it would deliver newer ones
            await asyncio.sleep(_ACK_SECONDS + 0.5)
        reordering = _Reordering(take, left_open)
        keyed = self._address.is_pattern

        async def taken(message: Msg) -> None:
            reordering.put(NatsDelivery(message, keyed_by_place=keyed))

        async with _translated(self._address):
            self._subscription = await context.subscribe(
                self._address.place, durable=self._group, stream=self._stream, manual_ack=True, cb=taken
            )
        self._context = context

    async def lag(self) -> int | None:
        if self._context is None:
            return None
        async with _translated(self._address):
            try:
                info = await self._context.consumer_info(self._stream, self._group)
            except NotFoundError:  # somebody deleted the group
                self._lose()
                return None
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def pause(self) -> None:
        if self._subscription is not None:
            with suppress(NatsError, OSError):
                await self._subscription.unsubscribe()

    async def close(self) -> None:
        await self._connection.close()

    def _lose(self) -> None:
        self.lost = True

    async def _join(self, context: JetStreamContext) -> ConsumerInfo:
        async with _translated(self._address):
            self._stream = await _stream_of(context, self._address)
            try:
                info: ConsumerInfo = await context.consumer_info(self._stream, self._group)
            except NotFoundError:
                info = await context.add_consumer(self._stream, self._new_group())
            return info

    def _new_group(self) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=self._group,
            filter_subject=self._address.place,
            deliver_subject=f"_nbdeploy.{self._group}",
            deliver_policy=DeliverPolicy.ALL if self._begin == "first" else DeliverPolicy.NEW,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_SECONDS,
            max_ack_pending=_MOST_OPEN,
        )


class NatsSink:
    """A subject of JetStream that gets messages."""

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None) -> None:
        self._address = address
        self._connection = _Connection(address, login)
        self._context: JetStreamContext | None = None
        self._stream = ""

    async def prepare(self) -> None:
        """Check that a stream keeps the subject, then disconnect."""
        try:
            await self.open()
        finally:
            await self.close()

    async def open(self) -> None:
        context = await self._connection.connect()
        async with _translated(self._address):
            self._stream = await _stream_of(context, self._address)
        self._context = context

    async def publish(self, body: bytes, headers: Mapping[str, str], number: str, message: Delivery) -> None:  # noqa: ARG002
        if self._context is None:
            raise TargetError("the sink is not open")
        async with _translated(self._address):
            await self._context.publish(
                self._address.place, body, headers={**headers, ID_HEADER: number}, stream=self._stream
            )

    async def close(self) -> None:
        await self._connection.close()


async def _stream_of(context: JetStreamContext, address: StreamAddress) -> str:
    try:
        return await context.find_stream_name_by_subject(address.place)
    except NotFoundError as error:
        raise InvalidInput(
            f"{address.server} has no stream for the subject '{address.place}', so its messages are not kept",
            f"make one, such as: nats stream add NAME --subjects '{address.place}' --defaults",
        ) from error


@asynccontextmanager
async def _translated(address: StreamAddress) -> AsyncIterator[None]:
    """Turn the errors of NATS into nbdeploy's."""
    try:
        yield
    except ServiceUnavailableError as error:
        raise InvalidInput(
            f"{address.server} has no JetStream, which keeps messages until they are answered",
            "start it with JetStream: nats-server --jetstream --store_dir FOLDER",
        ) from error
    except (NatsError, OSError, TimeoutError) as error:
        if "already bound" in str(error):
            raise other_reader(address, "the endpoint's group") from error
        raise away(address, error, _HINT) from error
