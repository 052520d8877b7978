"""MQTT 5: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html.

The group is a session that the broker keeps, with one subscription. The broker sends at most ``MOST_OPEN`` messages
that are not acknowledged. It sends these again to the session's next connection, before newer ones and in their order,
and never before that.

MQTT asks for acknowledgements in the order of the messages, so an answered one waits for those before it.

An answer is stored once the broker acknowledges it. MQTT has no step that stores an answer and acknowledges its
message, so a kill may repeat answers, with the same ``id``.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from hashlib import sha256

from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes

from jupyter_deploy.domain.stream.spec import Begin, StreamAddress

from .deliveries import Delivery
from .mqtt_connection import MOST_OPEN, MqttConnection, properties_of, taken_over
from .positions import position_of

_AGAIN_SECONDS = 5.0
"""Two readers of one session would else take it from each other at once."""

KEY_PROPERTY = "x-sticky-key"
ID_PROPERTY = "id"


class MqttDelivery:
    """A message of a session."""

    __slots__ = ("_source", "body", "content_type", "id", "key", "place", "position", "unique")

    def __init__(self, source: MqttSource, message: MQTTMessage) -> None:
        given = dict(getattr(message.properties, "UserProperty", ()))
        self._source = source
        self.body = bytes(message.payload)
        self.place: str = message.topic
        self.position = position_of(self.place, given.get(ID_PROPERTY), self.body)
        self.id = self.unique = given.get(ID_PROPERTY) or self.position
        self.key: str | None = given.get(KEY_PROPERTY) or (self.place if source.address.is_pattern else None)
        self.content_type: str = getattr(message.properties, "ContentType", "")

    async def acknowledge(self) -> None:
        self._source.acknowledge(self.position)

    async def extend(self) -> None:
        """Nothing: an open message is its session's."""

    async def give_back(self) -> None:
        self._source.connect_again()


class MqttSource:
    """A topic, or several by a filter, that a session reads."""

    extend_seconds: float | None = None

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None, group: str, begin: Begin) -> None:
        self.address = address
        self.lost = False
        self._login, self._begin = login, begin
        # A session keeps its subscriptions, and no client can list them: each source has a session of its own.
        self._session = f"{group}-{sha256(address.place.encode()).hexdigest()[:8]}"
        self._connection: MqttConnection | None = None
        self._take: Callable[[Delivery], None] | None = None
        self._numbers: defaultdict[str, list[int]] = defaultdict(list)
        self._unacknowledged: deque[int] = deque()
        self._finished: set[int] = set()
        self._other_reader = False

    async def prepare(self, *, join: bool) -> None:
        """Check the broker, and with ``join`` subscribe the session unless it is; then disconnect."""
        connection = MqttConnection(self.address, self._login, self._session if join else "", most_open=1)
        try:
            await connection.open()
            if join:
                await connection.subscribe(retained=self._begin == "first")
        finally:
            await connection.close()

    async def open(self, take: Callable[[Delivery], None]) -> None:
        self._take = take
        self._connection = MqttConnection(
            self.address, self._login, self._session, take=self._deliver, ended=self._lose
        )
        await self._connection.open()
        await self._connection.subscribe(retained=self._begin == "first")

    async def lag(self) -> int | None:
        if self._other_reader:
            raise taken_over(self.address)
        # The broker holds back what is over the open messages, and tells no client how much.
        count = len(self._unacknowledged)
        return count if count < MOST_OPEN else None

    async def pause(self) -> None:
        self._take = None  # the broker sends what comes now again

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def acknowledge(self, position: str) -> None:
        """Acknowledge the messages of a position, each after those before it."""
        self._finished.update(self._numbers.pop(position, ()))
        while self._unacknowledged and self._unacknowledged[0] in self._finished and self._connection is not None:
            number = self._unacknowledged.popleft()
            self._finished.discard(number)
            self._connection.acknowledge(number)

    def connect_again(self) -> None:
        """Have the worker open another source: the broker then sends the open messages again."""
        self.lost = True

    def _deliver(self, message: MQTTMessage) -> None:
        if self._take is None:
            return
        delivery = MqttDelivery(self, message)
        if message.qos:  # one with QoS 0 has no number, and the broker has forgotten it
            self._numbers[delivery.position].append(message.mid)
            self._unacknowledged.append(message.mid)
        self._take(delivery)

    def _lose(self, taken: bool) -> None:
        self._other_reader = taken
        if taken:
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self.connect_again)
        else:
            self.connect_again()


class MqttSink:
    """A topic that gets messages."""

    def __init__(self, address: StreamAddress, login: tuple[str, str] | None) -> None:
        self._address, self._login = address, login
        self._connection: MqttConnection | None = None
        self._opening = asyncio.Lock()

    async def prepare(self) -> None:
        """Check the broker, then disconnect. Whether somebody reads the topic, an answer shows."""
        try:
            await self.open()
        finally:
            await self.close()

    async def open(self) -> None:
        await self._open()

    async def publish(self, body: bytes, headers: Mapping[str, str], number: str, message: Delivery) -> None:  # noqa: ARG002
        properties = properties_of(PacketTypes.PUBLISH)
        properties.UserProperty = [
            *((name, value) for name, value in headers.items() if name != "content-type"),
            (ID_PROPERTY, number),
        ]
        if "content-type" in headers:
            properties.ContentType = headers["content-type"]
        async with self._opening:
            connection = self._connection
            if connection is None or not connection.is_open:
                connection = await self._open()
        await connection.publish(body, properties)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _open(self) -> MqttConnection:
        await self.close()
        self._connection = connection = MqttConnection(self._address, self._login)
        await connection.open()
        return connection
