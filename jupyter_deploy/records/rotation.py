"""Rotation of the gateway's logs, so that their content can be compacted, purged and cleared.

A log is renamed, and Envoy reopens its logs on request: it writes its buffer, closes the old file and creates a new
one. The new file shows that the old one is complete. After a kill in between, the next rotation finds the new file
missing and repeats the request.
"""

from __future__ import annotations

import http.client
import json
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


def due(home: Path, seconds: float = ROTATE_SECONDS) -> bool:
    """Return whether a log is large or old enough, or was renamed by another program."""
    folder = home / LEDGER
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return False
    renamed = any(_NUMBERED.fullmatch(name) for name in names)
    return renamed or any(_is_over(folder / f"{log}.jsonl", seconds) for log in LIVE_LOGS)


def rotate(home: Path, admin: str | None = None) -> bool:
    """Rotate the logs; True once the old ones are complete. The caller holds ``maintenance_lock``.

    ``admin``: the gateway's admin socket (default: that of the home's gateway).
    """
    folder = home / LEDGER
    with segments.swapping(folder):
        for name in segments.names_in(folder):
            log = name.partition(".")[0]
            # Envoy reopens only logs that it has written to, so an empty one would never come back.
            is_live = name == f"{log}.jsonl" and (folder / name).stat().st_size > 0
            if log in LIVE_LOGS and (is_live or _NUMBERED.fullmatch(name)):
                stem = f"{log}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
                (folder / name).rename(folder / f"{stem}.v{VERSION}.jsonl")
    return settled(home, admin)


def settled(home: Path, admin: str | None = None) -> bool:
    """Return whether the rotated logs are complete; request the gateway to reopen its logs if not."""
    folder = home / LEDGER
    rotated = [s for s in segments.segments_in(folder) if s.form == "jsonl" and s.stem not in LIVE_LOGS]
    logs = {segment.stem.partition("-")[0] for segment in rotated}
    if all((folder / f"{log}.jsonl").exists() for log in logs):
        return True
    if not _reopen_logs(home, admin):
        return not _are_open([segment.path for segment in rotated])
    deadline = time.monotonic() + _REOPEN_SECONDS
    while not all((folder / f"{log}.jsonl").exists() for log in LIVE_LOGS):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _reopen_logs(home: Path, admin: str | None) -> bool:
    try:
        if admin is None:
            admin = f"{json.loads((home / 'gateway.json').read_text())['runtime']}/admin.sock"
        connection = UnixConnection(admin, _REOPEN_SECONDS)
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
    """Return whether a process of this user has one of these files open."""
    import psutil  # only if no gateway answers

    sought = {str(path.resolve()) for path in paths}
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it ended, or another user owns it, so it is not the gateway
            if not sought.isdisjoint(file.path for file in process.open_files()):
                return True
    return False


def _is_over(path: Path, seconds: float) -> bool:
    with suppress(OSError, ValueError, KeyError, TypeError):
        if path.stat().st_size >= ROTATE_BYTES:
            return True
        with path.open("rb") as file:
            began = datetime.fromisoformat(json.loads(file.readline())["ts"])
        return (datetime.now(UTC) - began).total_seconds() > seconds
    return False
