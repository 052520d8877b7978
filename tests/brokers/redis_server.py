"""Redis on this machine."""

from contextlib import suppress

import redis

from .server import SECONDS, Server, Stored


class RedisServer(Server):
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
        return redis.Redis(port=self.port, socket_timeout=SECONDS)
