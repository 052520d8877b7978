"""Brokers of messages on this machine, which tests start and kill."""

from .kafka import KafkaCluster
from .mosquitto import MosquittoServer
from .nats_server import NatsServer
from .rabbitmq import RabbitServer
from .redis_server import RedisServer
from .server import running
from .wire import Wire

__all__ = ["KafkaCluster", "MosquittoServer", "NatsServer", "RabbitServer", "RedisServer", "Wire", "running"]
