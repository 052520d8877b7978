"""The desired state of an endpoint's stream, and the addresses of brokers. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput

BROKERS = {
    "nats": "nats",
    "tls": "nats",
    "redis": "redis",
    "rediss": "redis",
    "amqp": "amqp",
    "amqps": "amqp",
    "kafka": "kafka",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
}
"""The extra of nbdeploy that reads a scheme."""

DEFAULT_ATTEMPTS = 3

Begin = Literal["next", "first"]

SOURCE = (
    "Messages to answer: nats://HOST:PORT/SUBJECT (JetStream), redis://HOST:PORT/STREAM, "
    "amqp://HOST:PORT/QUEUE (RabbitMQ), kafka://HOST:PORT/TOPIC or mqtt://HOST:PORT/TOPIC."
)
SINK = "Place of the answers, with the source's form."
DEAD_LETTERS = (
    "Place of the messages that cannot be answered, with the reason (default: the sink's with .dead at its end)."
)
CREDENTIALS = "A file whose one line is USER:PASSWORD for the broker."

_NAME = re.compile(r"[^\s/*>]+")
_LEVEL = r"(?:\+|[^\s/+#]*)"
_PLACES = {
    "nats": re.compile(r"[^\s./]+(?:\.[^\s./]+)*"),
    "redis": _NAME,
    "amqp": _NAME,
    "kafka": re.compile(r"[A-Za-z0-9._-]{1,249}"),
    # A topic, or a filter of topics, without those of the broker ($SYS) and shared subscriptions ($share).
    "mqtt": re.compile(rf"(?!\$)(?:{_LEVEL}(?:/{_LEVEL})*(?:/#)?|#)"),
}


class _Grammar(NamedTuple):
    """The patterns of a broker: the mark for one word, that for all that follow, and how many these are at least."""

    separator: str
    one: str
    rest: str
    shortest_rest: int


_GRAMMARS = {"nats": _Grammar(".", "*", ">", 1), "mqtt": _Grammar("/", "+", "#", 0)}


class StreamAddress(NamedTuple):
    """A place of a broker.

    Attributes
    ----------
    server
        The broker's URL without a path, such as ``nats://localhost:4222``.
    place
        The subject, stream, queue or topic there.
    """

    scheme: str
    server: str
    place: str

    @property
    def text(self) -> str:
        """The address as a URL."""
        return f"{self.server}/{self.place}"

    @property
    def is_pattern(self) -> bool:
        """Whether the place stands for several subjects."""
        return any(
            word in (self._grammar.one, self._grammar.rest) for word in self.place.split(self._grammar.separator)
        )

    def require_one(self, option: str) -> None:
        """Raise InvalidInput if the place is a pattern; ``option`` named it."""
        if self.is_pattern:
            raise InvalidInput(f"{option}: '{self.place}' is a pattern", "name one subject for the answers")

    def covers(self, place: str) -> bool:
        """Return whether the place is another one, or a pattern that matches it."""
        grammar = self._grammar
        wanted, given = self.place.split(grammar.separator), place.split(grammar.separator)
        for number, word in enumerate(wanted):
            if word == grammar.rest:
                return len(given) >= number + grammar.shortest_rest
            if number >= len(given) or word not in (grammar.one, given[number]):
                return False
        return len(given) == len(wanted)

    @property
    def _grammar(self) -> _Grammar:
        return _GRAMMARS.get(BROKERS[self.scheme], _GRAMMARS["nats"])


def parse_stream_address(text: str, option: str) -> StreamAddress:
    """Parse ``nats://HOST:PORT/SUBJECT``.

    Parameters
    ----------
    option
        The name of the option, for the error.

    Raises
    ------
    InvalidInput
        The text is no such URL, its scheme is unknown, or it has a password.
    """
    example = "write it as nats://localhost:4222/SUBJECT"
    try:
        parts = urlsplit(text, allow_fragments=False)  # "#" is a part of MQTT's patterns
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"{option}: '{text}' is not a URL: {error}", example) from error
    if "://" not in text or not parts.hostname:
        raise InvalidInput(f"{option}: '{text}' is not the URL of a broker", example)
    if parts.scheme not in BROKERS:
        known = ", ".join(f"{scheme}://" for scheme in BROKERS)
        raise InvalidInput(f"{option}: nbdeploy has no broker for {parts.scheme}://", f"the known ones are {known}")
    if parts.username or parts.password:
        raise InvalidInput(
            f"{option}: the URL has a user or a password, which each revision would show",
            "leave them out, and name a file whose one line is USER:PASSWORD with --credentials",
        )
    if parts.query or ("#" in text and BROKERS[parts.scheme] != "mqtt"):
        raise InvalidInput(f"{option}: '{text}' has a query or a fragment", example)
    # A topic of MQTT may begin and end with a slash.
    place = parts.path.removeprefix("/") if BROKERS[parts.scheme] == "mqtt" else parts.path.strip("/")
    if not place:
        raise InvalidInput(f"{option}: '{text}' names no subject, stream, queue or topic", example)
    if not _PLACES[BROKERS[parts.scheme]].fullmatch(place):
        raise InvalidInput(
            f"{option}: '{place}' is no name for a stream", "write letters, digits and dots, such as a.b"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return StreamAddress(parts.scheme, f"{parts.scheme}://{host}{f':{port}' if port else ''}", place)


Begins = Annotated[
    Begin,
    Field(
        description="Where the first start begins: with the next message, or with the first one that the broker has. "
        "Later starts go on where the last one ended."
    ),
]
Attempts = Annotated[int, Field(ge=1, le=100, description="Failures of the model on a message until it is given up.")]


class StreamSpec(Value):
    """The stream of an endpoint: what is read, and where the answers go; a part of its document too."""

    source: str = Field(description=SOURCE)
    sink: str = Field(description=SINK)
    dead_letters: str = Field(default="", description=DEAD_LETTERS)
    begin: Begins = "next"
    attempts: Attempts = DEFAULT_ATTEMPTS
    credentials: str = Field(default="", description=CREDENTIALS)

    @property
    def words(self) -> str:
        """The stream in short: ``nats://localhost:4222/rows → nats://localhost:4222/scores``."""
        return f"{self.source} → {self.sink}"

    def checked(self) -> StreamSpec:
        """Return it with whole addresses, that of dead letters included.

        Raises
        ------
        InvalidInput
            An address is wrong, answers would be read again, or the path of the credentials is not absolute.
        """
        read, written = parse_stream_address(self.source, "--source"), parse_stream_address(self.sink, "--sink")
        written.require_one("--sink")
        dead = parse_stream_address(self.dead_letters or f"{written.text}.dead", "--dead-letters")
        dead.require_one("--dead-letters")
        for option, address in (("--sink", written), ("--dead-letters", dead)):
            if address.server == read.server and read.covers(address.place):
                raise InvalidInput(
                    f"{option}: {address.text} is a part of the source, so the stream would read its own messages",
                    "write answers to a subject outside of the source",
                )
        if dead.text == written.text:
            raise InvalidInput("--dead-letters: it is the sink", "write dead letters to a subject of their own")
        if not (self.credentials or "/").startswith("/"):
            raise InvalidInput("the path of the stream's credentials is not absolute", "write the whole path")
        return self.model_copy(update={"source": read.text, "sink": written.text, "dead_letters": dead.text})
