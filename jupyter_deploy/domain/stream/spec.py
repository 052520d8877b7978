"""The desired state of an endpoint's stream, and the addresses of brokers. Pure."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput

BROKERS = {"nats": "nats", "tls": "nats", "redis": "redis", "rediss": "redis"}
"""The extra of nbdeploy that reads a scheme."""

DEFAULT_ATTEMPTS = 3

Begin = Literal["next", "first"]

_PLACES = {"nats": re.compile(r"[^\s./]+(?:\.[^\s./]+)*"), "redis": re.compile(r"[^\s/*>]+")}


class StreamAddress(NamedTuple):
    """A place of a broker.

    Attributes
    ----------
    server
        The broker's URL without a path, such as ``nats://localhost:4222``.
    place
        The subject or stream there.
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
        return any(token in ("*", ">") for token in self.place.split("."))


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
        parts = urlsplit(text)
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
    if parts.query or parts.fragment:
        raise InvalidInput(f"{option}: '{text}' has a query or a fragment", example)
    place = parts.path.strip("/")
    if not place:
        raise InvalidInput(f"{option}: '{text}' names no subject or stream", example)
    if not _PLACES[BROKERS[parts.scheme]].fullmatch(place):
        raise InvalidInput(
            f"{option}: '{place}' is no name for a stream", "write letters, digits and dots, such as a.b"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return StreamAddress(parts.scheme, f"{parts.scheme}://{host}{f':{port}' if port else ''}", place)


class StreamSpec(Value):
    """The stream of an endpoint: what is read, and where the answers go.

    Attributes
    ----------
    begin
        Which messages the first start reads: those that come ``next``, or all from the ``first`` on.
    attempts
        Failures of the model on a message after which that is a dead letter.
    credentials
        Path of a file whose one line is ``USER:PASSWORD``; empty: none.
    """

    source: str
    sink: str
    dead_letters: str
    begin: Begin = "next"
    attempts: int = Field(default=DEFAULT_ATTEMPTS, ge=1)
    credentials: str = ""

    @property
    def words(self) -> str:
        """The stream in short: ``nats://localhost:4222/rows → nats://localhost:4222/scores``."""
        return f"{self.source} → {self.sink}"


def stream_spec(
    source: str, sink: str, *, dead_letters: str | None, begin: Begin, attempts: int, credentials: str
) -> StreamSpec:
    """Return the checked desired state; ``dead_letters`` None: the sink's place with ``.dead`` at its end.

    Raises
    ------
    InvalidInput
        An address is wrong, or answers would be read again.
    """
    read, written = parse_stream_address(source, "--source"), parse_stream_address(sink, "--sink")
    dead = parse_stream_address(dead_letters or f"{written.text}.dead", "--dead-letters")
    for option, address in (("--sink", written), ("--dead-letters", dead)):
        if address.is_pattern:
            raise InvalidInput(f"{option}: '{address.place}' is a pattern", "name one subject for the answers")
        if address.server == read.server and _covers(read.place, address.place):
            raise InvalidInput(
                f"{option}: {address.text} is a part of the source, so the stream would read its own messages",
                "write answers to a subject outside of the source",
            )
    if dead.text == written.text:
        raise InvalidInput("--dead-letters: it is the sink", "write dead letters to a subject of their own")
    return StreamSpec(
        source=read.text,
        sink=written.text,
        dead_letters=dead.text,
        begin=begin,
        attempts=attempts,
        credentials=credentials,
    )


def _covers(pattern: str, place: str) -> bool:
    """Return whether a pattern of subjects matches a subject; ``*`` is one word, ``>`` all that follow."""
    wanted, given = pattern.split("."), place.split(".")
    for number, word in enumerate(wanted):
        if word == ">":
            return len(given) > number
        if number >= len(given) or word not in ("*", given[number]):
            return False
    return len(given) == len(wanted)
