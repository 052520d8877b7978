"""The broker of an address, and its check before a stream begins."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.stream.spec import BROKERS, StreamAddress, StreamSpec, parse_stream_address

from .deliveries import Sink, Source

_MODULES = {
    "amqp": ("amqp_broker", "AmqpSource", "AmqpSink"),
    "kafka": ("kafka_broker", "KafkaSource", "KafkaSink"),
    "mqtt": ("mqtt_broker", "MqttSource", "MqttSink"),
    "nats": ("nats_broker", "NatsSource", "NatsSink"),
    "redis": ("redis_broker", "RedisSource", "RedisSink"),
}


class _CheckedSource(Source, Protocol):
    async def prepare(self, *, join: bool) -> None:
        """Check the place, and with ``join`` make the group; by a connection of its own."""


class _CheckedSink(Sink, Protocol):
    async def prepare(self) -> None:
        """Check the place, by a connection of its own."""


class Brokers:
    """``domain.stream.ports.StreamBrokers``."""

    def prepare(self, endpoint: str, spec: StreamSpec, *, join: bool = True) -> None:
        """See ``StreamBrokers.prepare``."""
        sinks = [sink_of(place, spec) for place in (spec.sink, spec.dead_letters)]
        source = source_of(endpoint, spec)

        async def check() -> None:
            for sink in sinks:
                await sink.prepare()
            await source.prepare(join=join)  # last: a stream that is refused leaves no group

        # A notebook's kernel runs a loop in its thread.
        with ThreadPoolExecutor(1, "nbdeploy-brokers") as thread:
            thread.submit(asyncio.run, check()).result()


def source_of(endpoint: str, spec: StreamSpec) -> _CheckedSource:
    """Return the source of a stream. Raises InvalidInput: the broker's library is missing, or the credentials."""
    address = parse_stream_address(spec.source, "--source")
    source: _CheckedSource = _class(address, 1)(address, login_of(spec), group_of(endpoint), spec.begin)
    return source


def sink_of(place: str, spec: StreamSpec) -> _CheckedSink:
    """Return a sink of a stream. Raises InvalidInput: the broker's library is missing, or the credentials."""
    address = parse_stream_address(place, "--sink")
    sink: _CheckedSink = _class(address, 2)(address, login_of(spec))
    return sink


def group_of(endpoint: str) -> str:
    """Return the name of an endpoint's consumer group."""
    return f"nbdeploy-{endpoint}"


def login_of(spec: StreamSpec) -> tuple[str, str] | None:
    """Return user and password; None: the stream has no credentials.

    Raises
    ------
    InvalidInput
        The file cannot be read, or its line has another form; the error does not show it.
    """
    if not spec.credentials:
        return None
    path = Path(spec.credentials)
    try:
        user, separator, password = path.read_text("utf-8").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InvalidInput(
            f"the credentials {path} cannot be read: {reason}", "name a file that you can read"
        ) from error
    if not (user and separator and password) or "\n" in password:
        raise InvalidInput(f"{path} holds no credentials", "make it one line, USER:PASSWORD")
    return user, password


def _class(address: StreamAddress, number: int) -> Any:
    extra = BROKERS[address.scheme]
    names = _MODULES[extra]
    try:
        module = import_module(f".{names[0]}", __package__)
    except ImportError as error:
        raise InvalidInput(
            f"the library for {address.scheme}:// is missing ({error.name})", f"pip install 'nbdeploy[{extra}]'"
        ) from error
    return getattr(module, names[number])
