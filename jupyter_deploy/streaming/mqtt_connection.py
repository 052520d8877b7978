"""A connection of MQTT 5 by paho-mqtt, for a program of asyncio: https://eclipse.dev/paho/files/paho.mqtt.python/html/.

The client's network thread calls back; each call is passed on to the event loop. The client does not connect again by
itself: what it still had to send would be sent to another session of the broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.stream.spec import StreamAddress

from .broker_errors import away, other_reader, refused_user

MOST_OPEN = 512
SESSION_SECONDS = 7 * 24 * 3600
"""The broker keeps the session of a reader that is away for so long."""

_ANSWER_SECONDS = 5.0
_KEEPALIVE_SECONDS = 5
"""Client and broker end a connection that was silent for about two of these."""

_MOST_SENT = 64
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_REFUSED_USER = {134, 135}  # bad user name or password, not authorized
_OTHER_VERSION = 132
_TAKEN_OVER = 142
_NOBODY_READS = 16


class MqttConnection:
    """A connection to a broker, which is made once.

    Parameters
    ----------
    session
        The name of the reader's session, which the broker keeps; empty: one that ends with the connection.
    take
        Gets each message.
    ended
        Called once when the connection has ended and ``close`` was not called; True: another client took the session.
    """

    def __init__(
        self,
        address: StreamAddress,
        login: tuple[str, str] | None,
        session: str = "",
        *,
        take: Callable[[MQTTMessage], None] | None = None,
        ended: Callable[[bool], None] | None = None,
        most_open: int = MOST_OPEN,
    ) -> None:
        self._address, self._session = address, session
        self._take, self._ended = take, ended
        self._most_open = most_open
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            session,
            protocol=MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _ANSWER_SECONDS
        client.max_inflight_messages = 0  # ``_slots`` bounds them
        if login is not None:
            client.username_pw_set(*login)
        if address.scheme == "mqtts":
            client.tls_set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connecting: asyncio.Future[None] | None = None
        self._waiting: dict[int, asyncio.Future[ReasonCode]] = {}  # by the numbers of their packets
        self._slots = asyncio.Semaphore(_MOST_SENT)
        self._closing = False
        self.is_open = False

    async def open(self) -> None:
        """Connect, once.

        Raises
        ------
        InvalidInput
            The broker refuses the user, or has no MQTT 5.
        TargetError
            It does not answer.
        """
        self._loop = asyncio.get_running_loop()
        self._connecting = self._loop.create_future()
        client = self._client
        client.on_connect = self._passed_on(self._connected)
        client.on_disconnect = self._passed_on(self._disconnected)
        client.on_message = self._passed_on(self._taken)
        client.on_publish = self._passed_on(self._published)
        client.on_subscribe = client.on_unsubscribe = self._passed_on(self._subscribed)
        parts = urlsplit(self._address.server)
        wanted = properties_of(PacketTypes.CONNECT)
        wanted.ReceiveMaximum = self._most_open
        if self._session:
            wanted.SessionExpiryInterval = SESSION_SECONDS
        async with self._translated(), asyncio.timeout(2 * _ANSWER_SECONDS):
            await asyncio.to_thread(
                client.connect,
                parts.hostname or "",
                parts.port or _PORTS[self._address.scheme],
                _KEEPALIVE_SECONDS,
                clean_start=not self._session,
                properties=wanted,
            )
            client.loop_start()
            await self._connecting

    async def subscribe(self, *, retained: bool) -> None:
        """Subscribe the session to the address, unless it is.

        Parameters
        ----------
        retained
            Whether a new subscription begins with the retained messages.

        Raises
        ------
        InvalidInput
            The broker refuses.
        TargetError
            It does not answer.
        """
        options = SubscribeOptions(
            qos=1,
            retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB if retained else SubscribeOptions.RETAIN_DO_NOT_SEND,
        )
        async with self._translated():
            code, number = self._client.subscribe(self._address.place, options=options)
            reason = await self._answer(code, number)
        if reason.value != 1:
            raise InvalidInput(
                f"{self._address.server} refuses a subscription of '{self._address.place}' with QoS 1: {reason}",
                "let the user read the topic, at a broker that keeps messages with QoS 1",
            )

    async def publish(self, body: bytes, properties: Properties) -> None:
        """Publish a message with QoS 1, and return once the broker has it for at least one subscription.

        Raises
        ------
        TargetError
            It does not have it.
        """
        async with self._slots, self._translated():
            sent = self._client.publish(self._address.place, body, qos=1, properties=properties)
            reason = await self._answer(sent.rc, sent.mid)
        if reason.value == _NOBODY_READS:
            raise TargetError(
                f"{self._address.server} has no subscription to '{self._address.place}', so it keeps no message",
                "subscribe a client to it, with QoS 1 and a session that the broker keeps",
            )
        if reason.is_failure:
            raise TargetError(
                f"{self._address.server} refuses messages for '{self._address.place}': {reason}",
                "let the user write to the topic, or look at the broker's limits",
            )

    def acknowledge(self, number: int) -> None:
        """Acknowledge a message by its packet's number."""
        self._client.ack(number, 1)

    async def close(self) -> None:
        """Disconnect after what was sent has arrived. The broker keeps the session."""
        self._closing = True
        if self.is_open and self._session:
            # Messages that nobody reads any more reset the connection, and acknowledgements on their way are lost.
            # The broker answers this behind them.
            with suppress(OSError, TimeoutError):
                await self._answer(*self._client.unsubscribe(f"{self._session}/none"))
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self._end("disconnected")

    async def _answer(self, code: MQTTErrorCode, number: int | None) -> ReasonCode:
        """Return the broker's answer to a packet."""
        if self._loop is None or number is None or code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise OSError("there is no connection")
        answer = self._waiting[number] = self._loop.create_future()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reason: ReasonCode = await answer
                return reason
        finally:
            self._waiting.pop(number, None)

    def _passed_on(self, call: Callable[..., None]) -> Callable[..., None]:
        """Return a callback for the network thread that has the event loop call ``call``."""

        def passed_on(_client: Client, _data: Any, *given: Any) -> None:
            if self._loop is not None:
                with suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(call, *given)

        return passed_on

    def _connected(self, _flags: object, reason: ReasonCode, properties: Properties | None) -> None:
        if self._connecting is None or self._connecting.done():
            return
        if reason.is_failure:
            self._connecting.set_exception(self._refusal(reason))
            return
        most = getattr(properties, "ReceiveMaximum", _MOST_SENT)
        self._slots = asyncio.Semaphore(min(most, _MOST_SENT))
        self.is_open = True
        self._connecting.set_result(None)

    def _disconnected(self, _flags: object, reason: ReasonCode, _properties: object) -> None:
        was_open = self.is_open
        self._end(str(reason))
        if was_open and not self._closing and self._ended is not None:
            self._ended(reason.value == _TAKEN_OVER)

    def _taken(self, message: MQTTMessage) -> None:
        if self._take is not None and not self._closing:
            self._take(message)

    def _published(self, number: int, reason: ReasonCode, _properties: object) -> None:
        self._tell(number, reason)

    def _subscribed(self, number: int, reasons: list[ReasonCode], _properties: object) -> None:
        self._tell(number, reasons[0])

    def _tell(self, number: int, reason: ReasonCode) -> None:
        answer = self._waiting.get(number)
        if answer is not None and not answer.done():
            answer.set_result(reason)

    def _end(self, why: str) -> None:
        self.is_open = False
        for one in (self._connecting, *self._waiting.values()):
            if one is not None and not one.done():
                one.set_exception(ConnectionError(why))

    def _refusal(self, reason: ReasonCode) -> Exception:
        if reason.value in _REFUSED_USER:
            return refused_user(self._address, OSError(str(reason)))
        if reason.value == _OTHER_VERSION:
            return InvalidInput(
                f"{self._address.server} has no MQTT 5", "name a broker that has it, such as mosquitto 1.6 or newer"
            )
        return ConnectionError(str(reason))

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """Turn the errors of the client into nbdeploy's."""
        try:
            yield
        except (OSError, TimeoutError) as error:
            raise away(self._address, error) from error


def properties_of(packet: int) -> Properties:
    """Return the properties of a packet, without any."""
    return Properties(packet)  # type: ignore[no-untyped-call]  # of the library


def taken_over(address: StreamAddress) -> TargetError:
    """Return the error of a session that another client has taken."""
    return other_reader(address, "the endpoint's session")
