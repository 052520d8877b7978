"""The gateway's logs begin anew, so that what they held can be compacted, purged and cleared away.

A log is renamed and Envoy asked to open its logs again. It writes what it still holds, closes the old file and makes a
new one: that the new one is there shows that nobody writes to the old one any more. Killed in between, the next
rotation finds the new file missing and asks again.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from jupyter_deploy.system.unix_http import UnixConnection

from . import segments
from .segments import LEDGER, LIVE_LOGS, VERSION

ROTATE_BYTES = 32 * 1024 * 1024
ROTATE_SECONDS = 24 * 3600.0

_REOPEN_SECONDS = 5.0
_NUMBERED = re.compile(r"(edge|shadow)\.jsonl\.\d+")


def due(home: Path) -> bool:
    """Whether a log is long or old enough, or was renamed by somebody else."""
    folder = home / LEDGER
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are what is looked at
    except OSError:
        return False
    renamed = any(_NUMBERED.fullmatch(name) for name in names)
    return renamed or any(_is_over(folder / f"{log}.jsonl") for log in LIVE_LOGS)


def rotate(home: Path) -> bool:
    """Begin new logs; True when nobody writes to the earlier ones any more. The caller holds ``tending``."""
    folder = home / LEDGER
    with segments.swapping(folder):
        for name in segments.names_in(folder):
            log = name.partition(".")[0]
            if log in LIVE_LOGS and (name == f"{log}.jsonl" or _NUMBERED.fullmatch(name)):
                stem = f"{log}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
                (folder / name).rename(folder / f"{stem}.v{VERSION}.jsonl")
    return settled(home)


def settled(home: Path) -> bool:
    """Whether the rotated logs will not change any more; asks the gateway to let go of them."""
    folder = home / LEDGER
    rotated = [s for s in segments.segments_in(folder) if s.form == "jsonl" and s.stem not in LIVE_LOGS]
    logs = {segment.stem.partition("-")[0] for segment in rotated}
    if all((folder / f"{log}.jsonl").exists() for log in logs):
        return True
    if not _reopen_logs(home):
        return not _are_open([segment.path for segment in rotated])
    deadline = time.monotonic() + _REOPEN_SECONDS
    while not all((folder / f"{log}.jsonl").exists() for log in LIVE_LOGS):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _reopen_logs(home: Path) -> bool:
    try:
        runtime = json.loads((home / "gateway.json").read_text())["runtime"]
        connection = UnixConnection(f"{runtime}/admin.sock", _REOPEN_SECONDS)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    try:
        connection.request("POST", "/reopen_logs")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _are_open(paths: list[Path]) -> bool:
    """Whether a process of this user has one of these files open."""
    import psutil  # only where no gateway answers

    sought = {str(path.resolve()) for path in paths}
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has gone, or it is another user's, and so not the gateway
            if not sought.isdisjoint(file.path for file in process.open_files()):
                return True
    return False


def _is_over(path: Path) -> bool:
    with suppress(OSError, ValueError, KeyError, TypeError):
        if path.stat().st_size >= ROTATE_BYTES:
            return True
        with path.open("rb") as file:
            began = datetime.fromisoformat(json.loads(file.readline())["ts"])
        return (datetime.now(UTC) - began).total_seconds() > ROTATE_SECONDS
    return False
