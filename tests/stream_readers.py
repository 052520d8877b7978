"""Sources and sinks of a test's broker, without an endpoint."""

import asyncio
from contextlib import asynccontextmanager

from jupyter_deploy.domain.stream.spec import StreamSpec
from jupyter_deploy.streaming.brokers import sink_of, source_of

SECONDS = 60


def spec(broker, port=None, **more):
    url = f"{broker.scheme}://127.0.0.1:{port or broker.port}"
    places = {"source": f"{url}/rows", "sink": f"{url}/scores"} | more
    return StreamSpec(**places).checked()


@asynccontextmanager
async def reading(wanted):
    """A source that reads, and its deliveries."""
    source, deliveries = source_of("churn", wanted), []
    await source.open(deliveries.append)
    try:
        yield source, deliveries
    finally:
        await source.close()


@asynccontextmanager
async def writing(wanted):
    """A sink for answers."""
    sink = sink_of(wanted.sink, wanted)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def within(work):
    """Run a test, and end one that waits for ever."""

    async def limited():
        async with asyncio.timeout(SECONDS):
            return await work

    return asyncio.run(limited())


async def publish(broker, bodies, **more):
    return await asyncio.to_thread(broker.publish, bodies, **more)


def bodies_of(deliveries):
    return [delivery.body for delivery in deliveries]


def numbered(count):
    return [b"%d" % number for number in range(count)]
