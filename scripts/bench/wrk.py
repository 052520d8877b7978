"""Clients that use little of the measured server's processor time: ``wrk``, one thread.

A client in Python costs more than the servers that it measures. Debian has wrk, and ``make bench`` installs it. Its
percentiles count, in addition to each slow request, those that its client would have sent in the meantime (no
coordinated omission). If a connection is closed instead of answered, wrk opens another one without a message.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("ask.lua")
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Load:
    """What clients got that ask again when they were answered."""

    rate: float
    p50_ms: float
    p99_ms: float
    answered: int
    failed: int


def asked(
    url: str,
    body: Path,
    *,
    clients: int,
    seconds: int,
    pause_ms: int = 0,
    headers: Mapping[str, str] = JSON,
) -> Load:
    """Ask for so long, each client after a pause of this mean length."""
    tool = shutil.which("wrk")
    if tool is None:
        raise RuntimeError("wrk, which asks the servers, is not installed: apt-get install wrk")
    options = ["-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    command = [tool, *options, url, "--", str(body), str(pause_ms)]
    told = itertools.chain.from_iterable(headers.items())
    said = subprocess.run([*command, *told], check=True, capture_output=True, text=True).stdout
    return read(said)


def read(said: str) -> Load:
    """The last line that wrk says."""
    found = json.loads(said.strip().splitlines()[-1])
    failed = found["refused"] + found["broken"]
    return Load(
        rate=(found["requests"] - found["refused"]) / found["us"] * 1e6,
        p50_ms=found["p50_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
        answered=found["requests"] - found["refused"],
        failed=failed,
    )
