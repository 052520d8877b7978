"""Brokers of messages on this machine, which tests start and kill."""

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import NamedTuple

import nats
import redis

from tests.conftest import free_port

_SECONDS = 60


class Stored(NamedTuple):
    """A message that a broker keeps."""

    headers: dict
    data: bytes


class _Server:
    """A program that listens on a port of this machine and keeps its messages in a folder."""

    program, scheme = "", ""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self._log = folder.parent / f"{self.program}.log"
        self._process = None

    def start(self):
        """Start it, also after a kill, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [shutil.which(self.program) or f"/usr/sbin/{self.program}", *self.options()], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                if self.answers():
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.program} did not start: {self._log.read_text()}")

    def answers(self):
        """Whether it answers a connection."""
        return True

    def kill(self):
        """End it without a chance to write."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class NatsServer(_Server):
    """NATS with JetStream."""

    program, scheme = "nats-server", "nats"

    def options(self):
        return ["--jetstream", "--store_dir", str(self.folder), "-a", "127.0.0.1", "-p", str(self.port)]

    def make_stream(self, name, *subjects):
        """Make a stream that keeps subjects."""
        self._do(lambda context: context.add_stream(name=name, subjects=list(subjects)))

    def prepare(self):
        """Make the streams of a test."""
        self.make_stream("ROWS", "rows")
        self.make_stream("SCORES", "scores", "scores.dead")

    def clear(self):
        """Delete these streams."""

        async def delete(context):
            for name in ("ROWS", "SCORES"):
                await context.delete_stream(name)

        self._do(delete)

    def publish(self, bodies, keys=()):
        """Publish rows, and return their ids; ``keys`` are those of the first ones."""

        async def publish_all(context):
            ids = []
            for number, body in enumerate(bodies):
                headers = {"x-sticky-key": keys[number]} if number < len(keys) else None
                stored = await context.publish("rows", body, headers=headers)
                ids.append(f"{stored.stream}:{stored.seq}")
            return ids

        return self._do(publish_all)

    def messages(self, subject):
        """All messages of a subject, in their order."""

        async def read(context):
            found = []
            last = (await context.stream_info("SCORES")).state.last_seq
            for sequence in range(1, last + 1):
                message = await context.get_msg("SCORES", sequence)
                if message.subject == subject:
                    found.append(Stored(message.headers, message.data))
            return found

        return self._do(read)

    def count(self, subject):
        """The number of messages of a subject."""

        async def look(context):
            info = await context.stream_info("SCORES", subjects_filter=subject)
            return (info.state.subjects or {}).get(subject, 0)

        return self._do(look)

    def _do(self, work):
        async def connected():
            client = await nats.connect(self.url, connect_timeout=_SECONDS)
            try:
                return await work(client.jetstream(timeout=_SECONDS))
            finally:
                await client.close()

        return asyncio.run(connected())


class RedisServer(_Server):
    """Redis, which writes each change before it answers."""

    program, scheme = "redis-server", "redis"

    def options(self):
        kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", str(self.folder)]
        return ["--port", str(self.port), "--bind", "127.0.0.1", *kept]

    def answers(self):
        with suppress(redis.exceptions.RedisError):  # it may still be loading
            return self._client().ping()

    def prepare(self):
        """Nothing: the first entry makes a stream."""

    def clear(self):
        self._client().flushall()

    def publish(self, bodies, keys=()):
        client, ids = self._client(), []
        for number, body in enumerate(bodies):
            fields = {"body": body} | ({"key": keys[number]} if number < len(keys) else {})
            ids.append(f"rows:{client.xadd('rows', fields).decode()}")
        return ids

    def messages(self, stream):
        entries = [dict(fields) for _, fields in self._client().xrange(stream)]
        bodies = [fields.pop(b"body") for fields in entries]
        texts = [{name.decode(): value.decode() for name, value in fields.items()} for fields in entries]
        return [Stored(*pair) for pair in zip(texts, bodies, strict=True)]

    def count(self, stream):
        return self._client().xlen(stream)

    def _client(self):
        return redis.Redis(port=self.port, socket_timeout=_SECONDS)


@contextmanager
def running(kind, folder):
    """A running server, such as ``running(NatsServer, folder)``."""
    (folder / "store").mkdir(parents=True, exist_ok=True)
    server = kind(folder / "store")
    server.start()
    try:
        yield server
    finally:
        server.kill()
