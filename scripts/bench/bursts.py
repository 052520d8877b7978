"""From one client to two hundred, and back: who fails, and how long the one has to wait until all is as before."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from .clients import Answers, asking
from .figures import Figure, median
from .peers.ours import GATEWAY, deployed
from .world import world
from .wrk import asked

BEFORE, BURST, AFTER = 2.0, 3.0, 4.0
MANY = 200
AS_BEFORE, IN_A_ROW = 1.5, 20


def bursts(rounds: int = 2) -> Iterator[Figure]:
    """Through the gateway, as clients ask."""
    recovered, failed, asked_for = [], 0, 0
    with world() as here, deployed(here) as servers:
        server = servers[GATEWAY]
        body = server.request([[0.1] * 30])
        asked(server.url, body, clients=16, seconds=1)  # warm
        for _ in range(rounds):
            with asking(server.url, body, "--clients", "1") as lone:
                began = time.perf_counter()
                time.sleep(BEFORE)
                # wrk would not count a connection that is closed in place of an answer.
                with asking(server.url, body, "--clients", str(MANY), "--seconds", str(BURST), patient=True) as many:
                    pass
                over = time.perf_counter() - began
                time.sleep(AFTER)
            recovered.append(recovery(lone, BEFORE, over))
            failed += many.failed + lone.failed
            asked_for += len(many.rows) + len(lone.rows)
    subject = f"a burst from 1 to {MANY} clients and back"
    yield Figure(subject, "failed requests", failed, most=0, note=f"of {asked_for}, in {rounds} bursts of {BURST:g} s")
    note = f"until the median of {IN_A_ROW} answers in a row is at most {AS_BEFORE} × that before the burst"
    yield Figure(subject, "recovery", median(recovered), "s", 1, note)


def recovery(lone: Answers, before: float, over: float) -> float:
    """Seconds from the burst's end until the lone client is answered as before it; infinite: never."""
    usual = median(lone.latencies(0.0, before))
    later = [(at, latency * 1000) for at, latency, status, _ in lone.rows if status == 200 and at >= over]
    for number in range(len(later) - IN_A_ROW + 1):
        if median([latency for _, latency in later[number : number + IN_A_ROW]]) <= AS_BEFORE * usual:
            return later[number + IN_A_ROW - 1][0] - over
    return math.inf
