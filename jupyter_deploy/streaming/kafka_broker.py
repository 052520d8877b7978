"""Kafka by librdkafka: https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html.

The group is one of Kafka's. Its position in a partition is the first message that is not answered yet, so a message
may come again with some that were answered after it. The reader pauses its partitions while ``_MOST_OPEN`` messages are
open, which is the back-pressure.

An answer is stored once all replicas in sync have it; librdkafka numbers what it sends, so that its own repetitions
store nothing twice. Kafka's transactions are not used, so a kill may repeat an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, Message, Producer, TopicPartition

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.stream.spec import Begin, StreamAddress

from .broker_errors import away
from .deliveries import Delivery

_MOST_OPEN = 512
_READ_AT_ONCE = 128
_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 5.0
_SESSION_SECONDS = 6
"""After so many seconds without a heartbeat, Kafka gives the partitions of a killed reader to the next one."""

ID_HEADER = "id"

T = TypeVar("T")


class KafkaDelivery:
    """A message of a partition."""

    __slots__ = (
        "_source",
        "body",
        "content_type",
        "id",
        "key",
        "number",
        "offset",
        "place",
        "position",
        "unique",
    )

    def __init__(self, source: KafkaSource, message: Message) -> None:
        self._source = source
        headers = {name: value for name, value in dict(message.headers() or ()).items() if isinstance(value, bytes)}
        self.body = _bytes(message.value())
        self.place = str(message.topic())
        self.number, self.offset = message.partition() or 0, message.offset() or 0
        self.position = f"{self.place}:{self.number}:{self.offset}"
        given = headers.get(ID_HEADER, b"").decode("utf-8", "replace")
        self.id = given or self.position
        self.unique = given or f"{self.position}@{message.timestamp()[1]}"
        self.key = _bytes(message.key()).decode("utf-8", "backslashreplace") or None
        self.content_type = headers.get("content-type", b"").decode("utf-8", "replace")

    async def acknowledge(self) -> None:
        self._source.forget(self)

    async def extend(self) -> None:
        """Nothing: a partition is its reader's for as long as that one sends heartbeats."""

    async def give_back(self) -> None:
        """Nothing: what is not acknowledged comes again."""


class _Position:
    """The open messages of a partition, and the offset behind the last one that was read."""

    def __init__(self) -> None:
        self.open: dict[int, None] = {}
        self.behind = 0

    @property
    def first_open(self) -> int:
        """The offset at which another reader has to begin."""
        return next(iter(self.open), self.behind)


class KafkaSource:
    """A topic that is read in a consumer group."""

    extend_seconds: float | None = None
    lost = False

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None, group: str, begin: Begin) -> None:
        _refuse_login(address, login)
        self._address, self._group, self._begin = address, group, begin
        self._thread = ThreadPoolExecutor(1, "nbdeploy-kafka")  # a consumer is one thread's
        self._consumer: Consumer | None = None
        self._positions: dict[int, _Position] = {}
        self._committed: dict[int, int] = {}
        self._revoked: list[int] = []
        self._reading: asyncio.Task[None] | None = None

    async def prepare(self, *, join: bool) -> None:
        """Check the topic, and with ``join`` note the group's first positions unless it has some; then disconnect."""
        await asyncio.to_thread(self._prepare, join=join)

    async def open(self, take: Callable[[Delivery], None]) -> None:
        # Kafka forgets the positions of a group that nobody reads for a week; then all messages that it has come again.
        await asyncio.to_thread(self._prepare, join=False)
        self._consumer = await self._in_thread(self._subscribed)
        self._reading = asyncio.create_task(self._read(self._consumer, take))

    async def lag(self) -> int | None:
        if self._consumer is None:
            return None
        return await self._in_thread(partial(self._lag, self._consumer))

    async def pause(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None

    async def close(self) -> None:
        await self.pause()
        if self._consumer is not None:
            with suppress(TargetError):
                await self._in_thread(partial(self._commit, self._consumer, self._to_commit()))
            await self._in_thread(self._consumer.close)
            self._consumer = None
        self._thread.shutdown(wait=False)

    def forget(self, delivery: KafkaDelivery) -> None:
        """Note that a delivery is not open any more."""
        if delivery.number in self._positions:
            self._positions[delivery.number].open.pop(delivery.offset, None)

    async def _read(self, consumer: Consumer, take: Callable[[Delivery], None]) -> None:
        """Read, and commit what is acknowledged. librdkafka connects again by itself."""
        while True:
            free = _MOST_OPEN - sum(len(one.open) for one in self._positions.values())
            try:
                messages = await self._in_thread(partial(self._step, consumer, self._to_commit(), free))
            except TargetError:  # as for the lag, which tells it
                await asyncio.sleep(_POLL_SECONDS)
                continue
            while self._revoked:
                number = self._revoked.pop()
                self._positions.pop(number, None)
                self._committed.pop(number, None)
            for message in messages:
                delivery = KafkaDelivery(self, message)
                position = self._positions.setdefault(delivery.number, _Position())
                position.open[delivery.offset] = None
                position.behind = delivery.offset + 1
                take(delivery)

    def _step(self, consumer: Consumer, positions: dict[int, int], free: int) -> list[Message]:
        """Commit, and return what comes within ``_POLL_SECONDS``, at most ``free`` messages."""
        with suppress(TargetError):  # the group gets other partitions, which the poll below learns
            self._commit(consumer, positions)
        with _translated(self._address):
            if free <= 0:
                consumer.pause(consumer.assignment())
            else:
                consumer.resume(consumer.assignment())
            first = consumer.poll(_POLL_SECONDS)  # also sends heartbeats
            if first is None:
                return []
            more = consumer.consume(min(free, _READ_AT_ONCE) - 1, 0) if free > 1 else []
        return [message for message in (first, *more) if message.error() is None]

    def _to_commit(self) -> dict[int, int]:
        found = {number: position.first_open for number, position in self._positions.items()}
        return {number: offset for number, offset in found.items() if self._committed.get(number) != offset}

    def _commit(self, consumer: Consumer, positions: dict[int, int]) -> None:
        if positions:
            offsets = [TopicPartition(self._address.place, *position) for position in positions.items()]
            with _translated(self._address):
                consumer.commit(offsets=offsets, asynchronous=False)
            self._committed.update(positions)

    def _lag(self, consumer: Consumer) -> int | None:
        with _translated(self._address):
            partitions = consumer.assignment()
            if not partitions:  # it waits for the group, or another reader has all of them
                return None
            lag = 0
            for one in consumer.committed(partitions, timeout=_ANSWER_SECONDS):
                first, behind = consumer.get_watermark_offsets(one, timeout=_ANSWER_SECONDS)
                lag += behind - (first if one.offset == OFFSET_INVALID else max(first, one.offset))
            return lag

    def _prepare(self, *, join: bool) -> None:
        consumer = Consumer(_consumer_of(self._address, self._group))
        try:
            with _translated(self._address):
                numbers = _partitions(consumer, self._address)
                if join:
                    self._join(consumer, [TopicPartition(self._address.place, number) for number in numbers])
        finally:
            consumer.close()

    def _join(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        known = consumer.committed(partitions, timeout=_ANSWER_SECONDS)
        new = [one for one in known if one.offset == OFFSET_INVALID]
        if len(new) < len(known):
            return  # partitions that were added since are read from their first message
        for one in new:
            first, behind = consumer.get_watermark_offsets(one, timeout=_ANSWER_SECONDS)
            one.offset = first if self._begin == "first" else behind
        consumer.commit(offsets=new, asynchronous=False)

    def _subscribed(self) -> Consumer:
        def revoked(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._revoked += [one.partition for one in partitions]

        consumer = Consumer(_consumer_of(self._address, self._group))
        consumer.subscribe([self._address.place], on_revoke=revoked, on_lost=revoked)
        return consumer

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class KafkaSink:
    """A topic that gets messages; those of a key go to one partition."""

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None) -> None:
        _refuse_login(address, login)
        self._address = address
        self._producer: Producer | None = None
        self._serving: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Check that there is the topic, then disconnect."""
        await asyncio.to_thread(self._check)

    async def open(self) -> None:
        await self.prepare()
        self._producer = Producer(
            {
                **_common(self._address),
                "enable.idempotence": True,
                "linger.ms": 1,
                "message.timeout.ms": int(1000 * _ANSWER_SECONDS),
            }
        )
        self._serving = asyncio.create_task(self._serve(self._producer))

    async def publish(self, body: bytes, headers: Mapping[str, str], number: str, message: Delivery) -> None:  # noqa: ARG002
        if self._producer is None:
            raise TargetError("the sink is not open")
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()

        def told(error: Any, _message: Message) -> None:
            loop.call_soon_threadsafe(_tell, stored, error)

        with _translated(self._address):
            self._producer.produce(
                self._address.place,
                body,
                key=headers.get("x-sticky-key"),
                headers=[(name, value.encode()) for name, value in {**headers, ID_HEADER: number}.items()],
                on_delivery=told,
            )
            await stored

    async def close(self) -> None:
        if self._serving is not None and self._producer is not None:
            self._serving.cancel()
            with suppress(asyncio.CancelledError):
                await self._serving
            await asyncio.to_thread(self._producer.flush, _ANSWER_SECONDS)
            self._serving = self._producer = None

    async def _serve(self, producer: Producer) -> None:
        """Pass librdkafka's reports on to the publications that wait for them."""
        while True:
            await asyncio.to_thread(producer.poll, _POLL_SECONDS)

    def _check(self) -> None:
        consumer = Consumer(_consumer_of(self._address, "nbdeploy"))
        try:
            with _translated(self._address):
                _partitions(consumer, self._address)
        finally:
            consumer.close()


def _tell(stored: asyncio.Future[None], error: Any) -> None:
    if stored.done():
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(KafkaException(error))


def _common(address: StreamAddress) -> dict[str, Any]:
    return {
        "bootstrap.servers": address.server.partition("://")[2],
        "client.id": "nbdeploy",
        "log_level": 2,  # a broker that is away is no line a second
        "socket.timeout.ms": int(1000 * _ANSWER_SECONDS),
    }


def _consumer_of(address: StreamAddress, group: str) -> dict[str, Any]:
    return {
        **_common(address),
        "allow.auto.create.topics": False,
        "auto.offset.reset": "earliest",  # of a partition that was added, or whose position Kafka has deleted
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "group.id": group,
        "session.timeout.ms": 1000 * _SESSION_SECONDS,
    }


def _partitions(consumer: Consumer, address: StreamAddress) -> list[int]:
    """Return the numbers of a topic's partitions. Raises InvalidInput: there is no such topic."""
    topic = consumer.list_topics(address.place, timeout=_ANSWER_SECONDS).topics[address.place]
    if topic.error is not None or not topic.partitions:
        raise InvalidInput(
            f"{address.server} has no topic '{address.place}': {topic.error or 'it has no partitions'}",
            f"make it, such as: kafka-topics.sh --bootstrap-server HOST:PORT --create --topic {address.place}",
        )
    return sorted(topic.partitions)


def _refuse_login(address: StreamAddress, login: tuple[str, str] | None) -> None:
    if login is not None:
        raise InvalidInput(
            f"{address.server}: nbdeploy has no login to Kafka yet", "leave --credentials out, or choose another broker"
        )


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


@contextmanager
def _translated(address: StreamAddress) -> Iterator[None]:
    """Turn the errors of librdkafka into nbdeploy's."""
    try:
        yield
    except KafkaException as error:
        raise away(address, OSError(error.args[0].str())) from error
    except BufferError as error:  # librdkafka holds too many messages that are not stored yet
        raise away(address, error) from error
