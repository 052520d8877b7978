"""NATS on this machine."""

import asyncio

import nats

from .server import SECONDS, Server, Stored


class NatsServer(Server):
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
            client = await nats.connect(self.url, connect_timeout=SECONDS)
            try:
                return await work(client.jetstream(timeout=SECONDS))
            finally:
                await client.close()

        return asyncio.run(connected())
