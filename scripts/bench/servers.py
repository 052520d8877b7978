"""Servers of one model, asked in turns: in each round each of them, so that what else the machine does meets all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from .figures import median
from .peers.peer import Rows, instances
from .wrk import Load, asked


@dataclass(frozen=True)
class Server:
    """One that runs.

    Attributes
    ----------
    folder
        What its processes, and no other's, have in their environment.
    supervisor
        Whose descendants its processes are instead.
    """

    url: str
    folder: Path
    body: Callable[[Rows], bytes] = instances
    supervisor: psutil.Process | None = None

    def request(self, rows: Rows) -> Path:
        """A file with its request for these rows."""
        path = self.folder / f"request-{len(rows)}"
        path.write_bytes(self.body(rows))
        return path

    def processor_seconds(self) -> float:
        """What its processes have used so far."""
        used = 0.0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                used += sum(process.cpu_times()[:2])
        return used

    def processes(self) -> Iterator[psutil.Process]:
        """Those that are alive."""
        if self.supervisor is not None:
            yield from self.supervisor.children(recursive=True)
            return
        mark = str(self.folder)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(mark in value for value in process.environ().values()):
                    yield process


@dataclass(frozen=True)
class Found:
    """What one server did in each round, and what of the processor a request took."""

    loads: list[Load]
    processor_us: list[float]

    @property
    def rate(self) -> float:
        return median([load.rate for load in self.loads])

    @property
    def p50_ms(self) -> float:
        return median([load.p50_ms for load in self.loads])

    @property
    def p99_ms(self) -> float:
        return median([load.p99_ms for load in self.loads])

    @property
    def failed(self) -> int:
        return sum(load.failed for load in self.loads)

    @property
    def note(self) -> str:
        used = median(self.processor_us)
        failed = f", {self.failed} failed" if self.failed else ""
        return f"p50 {self.p50_ms:.3g} ms, p99 {self.p99_ms:.3g} ms, {used:.0f} µs of the processor a request{failed}"

    def times(self, other: Found) -> float:
        """How many times the other's throughput: the median of the rounds' ratios."""
        return median([one.rate / two.rate for one, two in zip(self.loads, other.loads, strict=True)])


def in_turns(
    servers: Mapping[str, Server], rows: Rows, *, rounds: int, clients: int, seconds: int = 1, warm: bool = True
) -> dict[str, Found]:
    """Ask each in each round; ``warm``: a round before them that does not count.

    Each round begins with another one, so that what happens at intervals, such as the archivist's work on the records
    of a server that was asked before, does not meet the same one each time.
    """
    found = {name: Found([], []) for name in servers}
    requests = {name: server.request(rows) for name, server in servers.items()}
    names = list(servers)
    for number in range(rounds + warm):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            server = servers[name]
            before = server.processor_seconds()
            load = asked(server.url, requests[name], clients=clients, seconds=seconds)
            used = server.processor_seconds() - before
            if number >= warm:
                found[name].loads.append(load)
                found[name].processor_us.append(used / max(1, load.answered) * 1e6)
    return found


def best(found: Mapping[str, Found], names: Iterable[str]) -> Found:
    """The one with the most throughput."""
    return max((found[name] for name in names), key=lambda one: one.rate)
