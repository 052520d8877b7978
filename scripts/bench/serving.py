"""One worker of each that serves the same small model: what it answers in a second, and how long each has to wait."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from .figures import Figure, median
from .peers import PEERS
from .peers.bare import BARE
from .peers.environments import environment, versioned
from .peers.ours import ALONE, DIRECT, FUNCTION, GATEWAY, deployed, functions
from .peers.peer import Peer
from .servers import Found, Server, best, in_turns
from .tables import tables
from .world import World, world
from .wrk import asked

CLIENTS = 16
ONE_ROW = f"serving one row, {CLIENTS} clients"
ROW = [[0.1] * 30]
HUNDRED = [[number / 100] * 30 for number in range(100)]
EASE, EASE_CLIENTS = 0.3, 32

Servers = Mapping[str, Server]


def serving() -> Iterator[Figure]:
    """All of it, with all peers."""
    with contextlib.ExitStack() as running:
        here = running.enter_context(world())
        servers = {}

        def started(number: int, peer: Peer) -> Server:
            folder = here.folder / "peers" / f"{number:02}"  # none's path begins with another's
            return Server(running.enter_context(peer.served(folder)), folder, peer.body)

        peers = (BARE, *PEERS)
        for peer in peers:
            environment(*peer.environment)
        with ThreadPoolExecutor(3) as pool:  # most of a start is waited for
            servers |= zip((peer.name for peer in peers), pool.map(started, range(len(peers)), peers), strict=True)
        servers |= running.enter_context(deployed(here))
        yield from one_row(servers)
        yield from as_functions(here, servers)
        yield from at_ease(servers)
        yield from many_rows(servers)
        yield from one_client(servers)
        yield from tables(here, servers[DIRECT])


def one_row(servers: Servers, rounds: int = 3) -> Iterator[Figure]:
    """Sixteen clients, one row each."""
    subject = ONE_ROW
    found = in_turns(servers, ROW, rounds=rounds, clients=CLIENTS)
    yield from _each(subject, found)
    ours = found[DIRECT]
    aims = {
        "FastAPI async": (2.5, ["FastAPI async", "FastAPI async, tuned"]),
        "BentoML": (9.0, ["BentoML"]),
        "BentoML, tuned": (3.0, ["BentoML, tuned"]),
        "MLServer": (5.0, ["MLServer", "MLServer, tuned"]),
        "MLflow": (12.0, ["MLflow"]),
        BARE.name: (0.82, [BARE.name]),
    }
    for name, (least, which) in aims.items():
        note = "the faster of both" if len(which) > 1 else ""
        yield Figure(subject, f"ours / {name}", ours.times(best(found, which)), "×", note=note, least=least)
    yield Figure(subject, "ours: p99 / p50", ours.p99_ms / ours.p50_ms, "×", most=2.5)
    least_p50 = min(found[peer.name].p50_ms for peer in PEERS)
    yield Figure(subject, "ours: p99 / the least p50 of a peer", ours.p99_ms / least_p50, "×", most=1)
    yield Figure(subject, "failed requests of ours", ours.failed + found[GATEWAY].failed, most=0)


def as_functions(here: World, servers: Servers, rounds: int = 3) -> Iterator[Figure]:
    """The same net as a function."""
    subject = f"serving one row as a function, {CLIENTS} clients"
    peers = {name: server for name, server in servers.items() if name.startswith((DIRECT, "FastAPI async"))}
    peers.pop(GATEWAY, None)
    with functions(here) as own:
        found = in_turns({**peers, **own}, ROW, rounds=rounds, clients=CLIENTS)
    yield from _each(subject, found)
    yield Figure(subject, "a function / the module", found[FUNCTION].times(found[DIRECT]), "×", least=0.9)
    if fastapi := [name for name in found if name.startswith("FastAPI")]:
        ratio = found[ALONE].times(best(found, fastapi))
        yield Figure(subject, "not batchable / FastAPI async", ratio, "×", note="the faster of both", least=1.2)


def at_ease(servers: Servers, rounds: int = 5) -> Iterator[Figure]:
    """What the gateway adds when there is little to do."""
    direct, gateway = servers[DIRECT], servers[GATEWAY]
    body = direct.request(ROW)
    capacity = asked(gateway.url, body, clients=CLIENTS, seconds=2).rate
    pause_ms = max(1, round(1000 * EASE_CLIENTS / (EASE * capacity)))
    added, rates = [], []
    for _ in range(rounds):
        one, other = (
            asked(server.url, body, clients=EASE_CLIENTS, seconds=1, pause_ms=pause_ms) for server in (direct, gateway)
        )
        added.append(other.p50_ms - one.p50_ms)
        rates.append(other.rate)
    note = f"at {median(rates):.0f} requests a second; it answers {capacity:.0f} at most"
    yield Figure("serving one row, at 30 % of capacity", "p50 that the gateway adds", median(added), "ms", 0.3, note)


def many_rows(servers: Servers, rounds: int = 2) -> Iterator[Figure]:
    """A hundred rows in each request."""
    subject = f"serving 100 rows, {CLIENTS} clients"
    found = in_turns(servers, HUNDRED, rounds=rounds, clients=CLIENTS, warm=False)
    yield from _each(subject, found)
    fastest = best(found, [peer.name for peer in PEERS])
    yield Figure(subject, "ours / the fastest peer", found[DIRECT].times(fastest), "×", least=3)


def one_client(servers: Servers, rounds: int = 2) -> Iterator[Figure]:
    """A client that is alone."""
    subject = "serving one row, 1 client"
    found = in_turns(servers, ROW, rounds=rounds, clients=1, warm=False)
    for name, one in found.items():
        yield Figure(subject, f"{name}: p50", one.p50_ms, "ms", note=one.note)
    least_p50 = min(found[peer.name].p50_ms for peer in PEERS)
    yield Figure(subject, "ours: p50 / the least p50 of a peer", found[DIRECT].p50_ms / least_p50, "×", most=1)


def _each(subject: str, found: Mapping[str, Found]) -> Iterator[Figure]:
    of = {peer.name: versioned(peer.environment[0]) for peer in PEERS if peer.name in found}
    of[DIRECT] = f"nbdeploy {version('nbdeploy')}"
    for name, one in found.items():
        yield Figure(subject, name, one.rate, "a second", note="; ".join(filter(None, [one.note, of.get(name, "")])))


def ours_only(rounds: int = 3) -> Iterator[Figure]:
    """The quick comparison while optimizing: the bare function, the release, and the release through the gateway."""
    with contextlib.ExitStack() as running:
        here = running.enter_context(world())
        folder = here.folder / "bare"
        servers = {BARE.name: Server(running.enter_context(BARE.served(folder)), folder)}
        servers |= running.enter_context(deployed(here))
        found = in_turns(servers, ROW, rounds=rounds, clients=CLIENTS)
        yield from as_functions(here, {DIRECT: servers[DIRECT]})
    bare = found[BARE.name]
    for name, one in found.items():
        used = median(bare.processor_us) / median(one.processor_us)
        note = f"{one.note}, {one.times(bare):.2f} × bare (by the processor's time {used:.2f} ×)"
        yield Figure(ONE_ROW, name, one.rate, "a second", note=note)
