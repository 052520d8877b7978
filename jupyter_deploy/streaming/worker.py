"""The worker of an endpoint's stream: ``python -m jupyter_deploy.streaming.worker DOCUMENT``.

The supervisor runs it, so it outlives notebook and shell. All state is in the broker: a killed worker is started again
and goes on where it ended. It waits for brokers that are away.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.stream.spec import StreamSpec
from jupyter_deploy.system.home import write_atomic

from .brokers import sink_of, source_of
from .deliveries import Sink, Source
from .gateway import Gateway
from .pipeline import PARALLEL, Pipeline
from .progress import Progress, metrics_of

END_SECONDS = 8.0
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 2.0


class WorkerDocument(Value):
    """What a worker works on.

    Attributes
    ----------
    socket
        The gateway's own socket.
    header_file
        The file with the gateway's token, which need not exist.
    state
        The file of the worker's state; its metrics are next to it, with the suffix ``.prom``.
    """

    endpoint: str
    spec: StreamSpec
    socket: str
    header_file: str
    state: str


class Worker:
    """Reads a stream until a signal ends it.

    Parameters
    ----------
    ready
        Called once the sinks are open, or the worker waits for a broker.
    """

    def __init__(self, document: WorkerDocument, ready: Callable[[], None]) -> None:
        self._document = document
        self._ready = ready
        self._progress = Progress()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Connect, answer, and end gracefully after SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        document, spec = self._document, self._document.spec
        writer = asyncio.create_task(self._write_often())
        gateway = Gateway(document.socket, document.endpoint, Path(document.header_file), parallel=PARALLEL)
        sinks: list[Sink] = []
        source: Source | None = None
        try:
            for place in (spec.sink, spec.dead_letters):
                sink = await self._opened(place)
                if sink is None:
                    return
                sinks.append(sink)
            # Before the wait for open messages: kills in it are no failed starts, after which it would be given up.
            self._ready()
            answers, dead = sinks
            pipeline = Pipeline(document.endpoint, gateway, answers, dead, self._progress, attempts=spec.attempts)
            while source := await self._read(pipeline):
                await self._watch(source, pipeline)
                if not self._ended.is_set():
                    _say(f"reading {spec.source} anew")
                    await source.close()
                    continue
                await source.pause()
                await pipeline.end(END_SECONDS)
                break
        finally:
            writer.cancel()
            for one in (source, *sinks):
                if one is not None:
                    await one.close()
            await gateway.close()

    async def _opened(self, place: str) -> Sink | None:
        """Return a sink once its broker answers; None: the worker ends first."""
        while not self._ended.is_set():
            sink: Sink | None = None
            try:
                sink = sink_of(place, self._document.spec)
                await sink.open()
            except DeployError as error:
                if sink is not None:
                    await sink.close()
                self._wait_for(place, error)
                await self._sleep(_AGAIN_SECONDS)
            else:
                self._progress.problems.pop(place, None)
                return sink
        return None

    async def _read(self, pipeline: Pipeline) -> Source | None:
        """Begin to read once the broker answers; None: the worker ends first."""
        spec = self._document.spec
        while not self._ended.is_set():
            source: Source | None = None
            try:
                source = source_of(self._document.endpoint, spec)
                await source.open(pipeline.take)
            except DeployError as error:
                if source is not None:
                    await source.close()
                self._wait_for(spec.source, error)
                await self._sleep(_AGAIN_SECONDS)
            else:
                self._progress.problems.pop(spec.source, None)
                _say(f"reading {spec.source}")
                return source
        return None

    async def _watch(self, source: Source, pipeline: Pipeline) -> None:
        """Extend open deliveries and look at the lag until the worker ends, or the source is lost."""
        extending = asyncio.create_task(_extend(source, pipeline))
        try:
            while not (self._ended.is_set() or source.lost):
                try:
                    self._progress.lag = await source.lag()
                except DeployError as error:
                    self._wait_for(self._document.spec.source, error)
                else:
                    self._progress.problems.pop(self._document.spec.source, None)
                await self._sleep(_LOOK_SECONDS)
        finally:
            extending.cancel()

    def _wait_for(self, place: str, error: DeployError) -> None:
        if self._progress.problems.get(place) != error.message:
            _say(str(error))
            self._ready()
        self._progress.problems[place] = error.message

    async def _write_often(self) -> None:
        last = ""
        while True:
            state = self._progress.state()
            text = state.model_dump_json()
            if text != last:
                with suppress(OSError):  # a full disk
                    write_atomic(Path(self._document.state), text)
                    write_atomic(_metrics_file(self._document), metrics_of(self._document.endpoint, state))
                last = text
            await asyncio.sleep(_LOOK_SECONDS)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()


def _metrics_file(document: WorkerDocument) -> Path:
    return Path(document.state).with_suffix(".prom")


async def _extend(source: Source, pipeline: Pipeline) -> None:
    while source.extend_seconds is not None:
        await asyncio.sleep(source.extend_seconds)
        await pipeline.extend()


def _say(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stdout.flush()


def main() -> None:
    """Read the stream of a document until a signal ends the process."""
    parser = argparse.ArgumentParser(description="Answer the messages of an endpoint's stream.")
    parser.add_argument("document", type=Path)
    parser.add_argument("--ready", type=Path, help="file to create once the program runs")
    options = parser.parse_args()
    document = WorkerDocument.model_validate(json.loads(options.document.read_bytes()))

    def ready() -> None:
        if options.ready:
            options.ready.touch(mode=0o600)

    async def work() -> None:
        await Worker(document, ready).run()

    try:
        uvloop.run(work())
    finally:
        for file in (Path(document.state), _metrics_file(document)):
            file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
