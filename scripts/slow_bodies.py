"""Clients that stop in the middle of large bodies: the gateway's memory, and the answers of other clients meanwhile.

    python -m scripts.slow_bodies [--connections 60] [--mebibytes 30]    (some three minutes)

It deploys a small model, opens the connections, sends all but the last kilobyte of each body, and prints the largest
memory of the gateway and of the release, the answers of another client and those that the slow ones get. The exit code
is 1 if another client got no prediction, a slow one anything but 408 or 413, or memory grew by more than
``MOST_GROWTH``.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from scripts.chaos.world import ENDPOINT, ROW, World

MEBIBYTE = 1024**2
MOST_GROWTH = 512 * MEBIBYTE
"""Bytes by which each process may grow, whatever is sent."""

_KEPT_BACK = 1024
_SECONDS = 180.0  # longer than the gateway's request_timeout


@dataclass
class Outcome:
    """What happened during an attack.

    Attributes
    ----------
    grown
        By process, the most bytes by which its memory grew.
    others
        The answers of another client by status; 0: none.
    answers
        The answers of the slow clients by status; 0: none until the end.
    """

    grown: dict[str, int] = field(default_factory=dict)
    others: Counter[int] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)


def attack(
    address: tuple[str, int],
    path: str,
    pids: dict[str, int],
    ask: Callable[[], int],
    *,
    connections: int,
    mebibytes: int,
    seconds: float = _SECONDS,
) -> Outcome:
    """Hold half-sent bodies for at most ``seconds``, or until all their senders were answered."""
    outcome = Outcome()
    before = {name: psutil.Process(pid).memory_info().rss for name, pid in pids.items()}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for name, pid in pids.items():
                grown = psutil.Process(pid).memory_info().rss - before[name]
                outcome.grown[name] = max(outcome.grown.get(name, 0), grown)

    def others() -> None:
        while not over.wait(0.05):
            outcome.others[ask()] += 1

    helpers = [threading.Thread(target=one, daemon=True) for one in (watch, others)]
    for helper in helpers:
        helper.start()
    try:
        outcome.answers = _hold(address, path, connections, mebibytes * MEBIBYTE, seconds)
    finally:
        over.set()
        for helper in helpers:
            helper.join(30)
    return outcome


def _hold(address: tuple[str, int], path: str, connections: int, length: int, seconds: float) -> Counter[int]:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    piece = memoryview(b" " * MEBIBYTE)
    answers: Counter[int] = Counter()
    with ExitStack() as opened, selectors.DefaultSelector() as selector:
        left: dict[socket.socket, int] = {}
        for _ in range(connections):
            one = opened.enter_context(socket.create_connection(address))
            one.sendall(head.encode())
            one.setblocking(False)
            left[one] = length - _KEPT_BACK
            selector.register(one, selectors.EVENT_READ | selectors.EVENT_WRITE)
        deadline = time.monotonic() + seconds
        while selector.get_map() and time.monotonic() < deadline:
            for key, events in selector.select(0.5):
                one = key.fileobj
                if not isinstance(one, socket.socket):
                    continue
                try:
                    if events & selectors.EVENT_READ:
                        answers[_status(one.recv(65536))] += 1
                        selector.unregister(one)
                    elif left[one]:
                        left[one] -= one.send(piece[: left[one]])
                        if not left[one]:
                            selector.modify(one, selectors.EVENT_READ)
                except (ConnectionError, TimeoutError):
                    answers[0] += 1
                    selector.unregister(one)
        answers[0] += len(selector.get_map() or ())
    return +answers


def main() -> None:
    """Deploy, attack, print and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", type=int, default=60)
    parser.add_argument("--mebibytes", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), workers=1)
        try:
            world.capture(None, [])
            if world.run("deploy", world.tags[0], "--name", ENDPOINT):
                sys.exit((world.folder / "verb.log").read_text())
            outcome = _attacked(world, given.connections, given.mebibytes)
        finally:
            world.run("down")
    for name, grown in outcome.grown.items():
        print(f"{name} grew by {grown / MEBIBYTE:.0f} MiB at most")
    print(f"another client's answers: {dict(outcome.others)}")
    print(f"the answers of {given.connections} clients that stop in a body: {dict(outcome.answers)}")
    bounded = set(outcome.answers) <= {408, 413}
    sys.exit(not bounded or set(outcome.others) != {200} or max(outcome.grown.values()) > MOST_GROWTH)


def _attacked(world: World, connections: int, mebibytes: int) -> Outcome:
    url = str(world.describe()["url"])
    (gateway,), (release,) = world.pids("gateway@0"), world.pids("release-*@0")
    with httpx.Client(trust_env=False, timeout=60) as client:
        return attack(
            ("127.0.0.1", urlsplit(url).port or 0),
            f"/{ENDPOINT}/predict",
            {"gateway": gateway, "release": release},
            lambda: client.post(f"{url}/predict", json={"instances": [ROW]}).status_code,
            connections=connections,
            mebibytes=mebibytes,
        )


def _status(answer: bytes) -> int:
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


if __name__ == "__main__":
    main()
