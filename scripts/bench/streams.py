"""Rows a second from a broker through an endpoint and back, next to those of HTTP, and how long a message takes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import nats

from tests.brokers import NatsServer, running

from .figures import Figure, quantile
from .world import World, world
from .wrk import asked

CLIENTS, HTTP_SECONDS = 16, 8
BACKLOG = 20_000
PACED_SECONDS, PACED_SHARE = 10, 0.5
_WAIT_SECONDS = 300


def streams() -> Iterator[Figure]:
    """One model with thirty features, one row a message: by HTTP, from a backlog, and at half the rate of HTTP."""
    with world() as here, running(NatsServer, here.folder / "nats") as broker:
        broker.prepare()
        _, url = here.deploy("trained(1.0)", "model")
        asked(f"{url}/predict", here.body, clients=CLIENTS, seconds=2)
        http = asked(f"{url}/predict", here.body, clients=CLIENTS, seconds=HTTP_SECONDS)
        row = here.body.read_bytes()
        asyncio.run(_publish(broker, row, BACKLOG, None))
        _stream(here, broker)
        _wait(broker, BACKLOG)
        times = asyncio.run(_times(broker))
        answered = sorted(there for _, there in times)
        rate = (len(answered) - 1) / (answered[-1] - answered[0])
        by_http = f"{http.rate:,.0f} rows a second, p99 {http.p99_ms:.0f} ms, {CLIENTS} clients"
        note = f"{BACKLOG} waiting messages; HTTP: {by_http}"
        yield Figure("stream", "rows a second", rate, note=note)
        yield Figure("stream", "rows a second / HTTP", rate / http.rate, "×", note=note, least=0.8)
        paced = PACED_SHARE * http.rate
        asyncio.run(_publish(broker, row, int(paced * PACED_SECONDS), paced))
        _wait(broker, BACKLOG + int(paced * PACED_SECONDS))
        delays = [1000 * (there - here_) for here_, there in asyncio.run(_times(broker))[BACKLOG:]]
        note = f"from stored message to stored answer, at {paced:,.0f} messages a second from a client in Python"
        yield Figure("stream", "p50 of a message", quantile(delays, 0.5), "ms", note=note)
        yield Figure("stream", "p99 of a message", quantile(delays, 0.99), "ms", note=note, most=50)


def _stream(here: World, broker: NatsServer) -> None:
    places = ("--source", f"{broker.url}/rows", "--sink", f"{broker.url}/scores", "--begin", "first")
    command = [sys.executable, "-m", "jupyter_deploy", "stream", "model", *places]
    subprocess.run(command, env=here.environment, cwd=here.folder, check=True, capture_output=True)


def _wait(broker: NatsServer, count: int) -> None:
    until = time.monotonic() + _WAIT_SECONDS
    while broker.count("scores") < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{broker.count('scores')} of {count} messages were answered")
        time.sleep(1)


async def _publish(broker: NatsServer, body: bytes, count: int, rate: float | None) -> None:
    """Publish messages, at most so many a second; JetStream confirms them together at the end."""
    client = await nats.connect(broker.url, pending_size=64 * 1024 * 1024)
    context = client.jetstream(publish_async_max_pending=count)
    began = time.monotonic()
    waiting = []
    for number in range(count):
        if rate is not None and number % 20 == 0:
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        waiting.append(await context.publish_async("rows", body))
    await asyncio.gather(*waiting)
    await client.close()


async def _times(broker: NatsServer) -> list[tuple[float, float]]:
    """The server's times of each message and of its answer, in the order of the messages."""
    client = await nats.connect(broker.url)
    context = client.jetstream()
    asked_at = await _read(context, "rows")
    answered_at = await _read(context, "scores")
    await client.close()
    return [(asked_at[number][1], answered_at[f"ROWS:{number}"][1]) for number in sorted(asked_at, key=int)]


async def _read(context: nats.js.JetStreamContext, subject: str) -> dict[str, tuple[str, float]]:
    found = {}
    subscription = await context.subscribe(subject, ordered_consumer=True)
    while True:
        message = await subscription.next_msg(timeout=30)
        origin = message.metadata
        headers = message.headers or {}
        number = headers.get("x-request-id") or str(origin.sequence.stream)
        found[number] = (number, origin.timestamp.timestamp())
        if origin.num_pending == 0:
            await subscription.unsubscribe()
            return found
