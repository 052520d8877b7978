"""Brokers of messages on this machine, which tests start and kill."""

from .nats_server import NatsServer
from .redis_server import RedisServer
from .server import running

__all__ = ["NatsServer", "RedisServer", "running"]
