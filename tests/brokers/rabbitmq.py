"""RabbitMQ on this machine, as a process of the test's own with an own name service of Erlang."""

import asyncio
import os
import shutil
import signal
import subprocess
from uuid import uuid4

import aio_pika

from tests.conftest import free_port
from tests.waiting import until

from .server import SECONDS, Server, Stored

_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in the path would become another user
_KEPT = {"x-queue-type": "quorum", "x-delivery-limit": -1}
_QUEUES = ("rows", "scores", "scores.dead")
_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
disk_free_limit.absolute = 1MB
"""


class RabbitServer(Server):
    """RabbitMQ with durable queues of the type quorum."""

    program, scheme = _PROGRAM, "amqp"
    answers_once = False

    def __init__(self, folder):
        super().__init__(folder)
        self._names = free_port()
        self._name_service = None
        self._distribution = free_port()

    def start(self):
        if self._name_service is None:
            given = os.environ | {"ERL_EPMD_ADDRESS": "127.0.0.1"}
            self._name_service = subprocess.Popen([shutil.which("epmd"), "-port", str(self._names)], env=given)
        (self.folder / "rabbitmq.conf").write_text(_CONFIGURATION.format(port=self.port))
        super().start()

    def environment(self):
        folder = str(self.folder)
        return os.environ | {
            "HOME": folder,  # of the cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_ALLOW_INPUT": "1",  # one process, which a signal ends
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
            "RABBITMQ_SERVER_START_ARGS": "-noshell -noinput",
        }

    def options(self):
        return []

    def answers(self):
        try:
            self.prepare()
        except (aio_pika.exceptions.AMQPError, OSError, TimeoutError):  # it is still starting
            return False
        return True

    def kill(self):
        """End it without a chance to write; a queue that was just declared is written after a while."""
        if self._process is not None:
            (file,) = self.folder.glob("*/quorum/*/names.dets")
            until(lambda: all(queue.encode() in file.read_bytes() for queue in _QUEUES))
        super().kill()

    def end(self):
        super().end()
        if self._name_service is not None:
            self._name_service.send_signal(signal.SIGKILL)
            self._name_service.wait()

    def prepare(self):
        """Declare the queues of a test, unless there are some."""

        async def declare(channel):
            for name in _QUEUES:
                await channel.declare_queue(name, durable=True, arguments=_KEPT)

        self._do(declare)

    def clear(self):
        """Empty them."""

        async def purge(channel):
            for name in _QUEUES:
                await (await channel.get_queue(name)).purge()

        self._do(purge)

    def delete(self, queue):
        """Delete a queue."""
        self._do(lambda channel: channel.queue_delete(queue))

    def publish(self, bodies, keys=(), *, ids=None):
        """Publish rows, and return their ids; ``keys`` are those of the first ones."""
        ids = [f"row-{uuid4().hex}" for _ in bodies] if ids is None else ids

        async def publish_all(channel):
            for number, body in enumerate(bodies):
                headers = {"x-sticky-key": keys[number]} if number < len(keys) else {}
                message = aio_pika.Message(body, headers=headers, message_id=ids[number], delivery_mode=2)
                await channel.default_exchange.publish(message, "rows", mandatory=True)

        self._do(publish_all)
        return ids

    def messages(self, queue):
        """All messages of a queue, in their order; they stay there."""

        async def read(channel):
            found, declared = [], await channel.declare_queue(queue, passive=True)
            for _ in range(declared.declaration_result.message_count):
                message = await declared.get(no_ack=False)
                headers = dict(message.headers) | {"content-type": message.content_type, "id": message.message_id}
                found.append(Stored(headers, message.body))
            return found

        return self._do(read)

    def count(self, queue):
        async def look(channel):
            return (await channel.declare_queue(queue, passive=True)).declaration_result.message_count

        return self._do(look)

    def _do(self, work):
        async def connected():
            async with (
                await aio_pika.connect(self.url, timeout=SECONDS) as connection,
                connection.channel(on_return_raises=True) as channel,
            ):
                return await work(channel)

        return asyncio.run(connected())
