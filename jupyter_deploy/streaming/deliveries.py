"""What a broker does for a stream: messages to answer, and places for the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class Delivery(Protocol):
    """A message that the broker keeps until it is acknowledged.

    Attributes
    ----------
    id
        The message's name at each delivery: its producer's id, else its position.
    unique
        The same, and other than that of any other message, also after the stream was deleted and made anew.
    key
        Messages of one key are answered one after another; None: in any order.
    body
        The payload.
    content_type
        Empty: not named.
    place, position
        The subject, and the position in its stream.
    """

    @property
    def id(self) -> str: ...

    @property
    def unique(self) -> str: ...

    @property
    def key(self) -> str | None: ...

    @property
    def body(self) -> bytes: ...

    @property
    def content_type(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def position(self) -> str: ...

    async def acknowledge(self) -> None:
        """Tell the broker that the message is done. If that is lost, the broker delivers it again."""

    async def extend(self) -> None:
        """Tell the broker that the message is still being worked on."""

    async def give_back(self) -> None:
        """Tell the broker to deliver the message again, at once."""


class Source(Protocol):
    """A place that is read in a consumer group.

    Attributes
    ----------
    extend_seconds
        Within so many seconds each open delivery must be extended; None: never.
    lost
        Whether deliveries may have been lost on their way: the source must be closed, and another one opened.
    """

    extend_seconds: float | None
    lost: bool

    async def open(self, take: Callable[[Delivery], None]) -> None:
        """Connect and begin to read; ``take`` gets each delivery, and at most as many are open as the source allows.

        Deliveries that a killed reader left open come before newer ones, so that the order of a key is kept.

        Raises
        ------
        InvalidInput, TargetError
            As ``StreamBrokers.prepare``.
        """

    async def lag(self) -> int | None:
        """Return the number of messages that are not acknowledged; None: the broker does not know it.

        Raises
        ------
        TargetError
            The broker does not answer.
        """

    async def pause(self) -> None:
        """Read no more; open deliveries can be acknowledged."""

    async def close(self) -> None:
        """Disconnect after what was sent has arrived."""


class Sink(Protocol):
    """A place for messages."""

    async def open(self) -> None:
        """Connect, and check that the place keeps messages. Raises as ``StreamBrokers.prepare``."""

    async def publish(self, body: bytes, headers: Mapping[str, str], number: str, message: Delivery) -> None:
        """Publish a message, and return once the broker has stored it.

        ``number`` identifies it: a broker that can drops a second one. ``message`` is the one that it answers.

        Raises
        ------
        TargetError
            It may not be stored.
        """

    async def close(self) -> None:
        """Disconnect."""
