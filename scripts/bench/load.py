"""Clients in a process of their own.

``python load.py URL BODY-FILE RESULT-FILE [--rate R] [--clients C] [--seconds S]``. With ``--rate`` the load is open:
requests leave on a fixed schedule, however long the answers take, and latency counts from the scheduled moment, so that
a stall is felt by every request that should have left in it (no coordinated omission). With ``--clients`` it is
closed: each client asks again when it was answered. It ends after ``--seconds``, or at SIGTERM.

The result is a JSON list of ``[seconds since the start, latency in seconds, status, release]``; status 0: no answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp

Answer = tuple[float, float, int, str]
Ask = Callable[[float], Coroutine[Any, Any, None]]


async def main() -> None:
    """Ask until the end and write what came back."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3600.0)
    given = parser.parse_args()
    body = given.body.read_bytes()
    answers: list[Answer] = []
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    timeout = aiohttp.ClientTimeout(total=60)
    headers = {"content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        began = time.perf_counter()

        async def ask(scheduled: float) -> None:
            try:
                async with session.post(given.url, data=body) as answer:
                    await answer.read()
                    status, release = answer.status, answer.headers.get("x-model-version", "")
            except (aiohttp.ClientError, TimeoutError):
                status, release = 0, ""
            now = time.perf_counter() - began
            answers.append((scheduled, now - scheduled, status, release))

        print("started", flush=True)
        if given.rate:
            await _open(given.rate, given.seconds, began, over, ask)
        else:
            await _closed(given.clients, given.seconds, began, over, ask)
    given.result.write_text(json.dumps(answers))


async def _open(rate: float, seconds: float, began: float, over: asyncio.Event, ask: Ask) -> None:
    running: set[asyncio.Task[None]] = set()
    number = 0
    while not over.is_set() and number / rate < seconds:
        wait = began + number / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(ask(number / rate))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
    await asyncio.gather(*running)


async def _closed(clients: int, seconds: float, began: float, over: asyncio.Event, ask: Ask) -> None:
    async def client() -> None:
        while not over.is_set() and time.perf_counter() - began < seconds:
            await ask(time.perf_counter() - began)

    await asyncio.gather(*(client() for _ in range(clients)))


if __name__ == "__main__":
    asyncio.run(main())
