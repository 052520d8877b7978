"""A server of one snapshot on loopback, for a validation: the same answers as a release, and no records.

    python -P -c "…; main()"

It reads its settings from one line of JSON on standard input, so the secret is neither in its arguments nor in its
environment. It exits and removes its folder if standard input ends or the parent process dies (whose forked children
may still hold the other end of the pipe).

    /<secret>/<job>/predict, …   the same as /predict, … of a release; each call is logged for the job
    /<secret>/log                the end of the model's output
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import re
import select
import shutil
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import workplace
from .asgi.front import Front
from .asgi.messages import Receive, Response, Scope, Send
from .dispatch.parsed_request import Raw
from .output import keep_writing
from .output_masking import mask_secrets
from .role import in_role
from .snapshot import EnvironmentChanged, load
from .telemetry.records import Entry
from .values.column_table import ColumnTable

LOG, STATE, CALLS = "log", "state.json", "calls"
"""Names in the server's folder: the model's output, the result of the start, the folder of call logs."""

MAX_CALLS = 100_000
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Limits of one job's call log: calls, and bytes of answers in JSON; further calls are counted only."""

_JOB = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LOG_BYTES = 16_000
_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.5

# Longer than any notebook leaves a connection idle, so a closed connection means that the server has ended.
_KEEP_ALIVE_SECONDS = 24 * 3600


class CallLog:
    """A log of the model's calls, one line a call in a file for each job; replaces a release's records.

    A line is written before its answer is sent, so a client that has an answer finds its line. Beyond the limits a line
    has no answer, then no content.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)
        self._lock = threading.Lock()  # requests refused early are logged by another thread than the model's
        self._calls: dict[str, int] = {}
        self._bytes: dict[str, int] = {}

    def write_all(self, entries: Sequence[Entry]) -> bool:
        """Log calls; ``pair_id`` holds the job, set by ``SecretPrefix``.

        Returns True: a full disk loses the line, not the answer.
        """
        try:
            with self._lock:
                for entry in entries:
                    self._note(entry)
        except OSError as failure:
            sys.stderr.write(f"a call could not be logged: {failure}\n")
        return True

    def _note(self, entry: Entry) -> None:
        inputs, outputs = _values(entry.inputs), _values(entry.outputs)
        about = {"latency_ms": round(entry.latency_ms, 4), "status": entry.status, "asked": _digest(inputs)}
        answers = json.dumps(outputs, separators=(",", ":")) if entry.status == 200 else "null"
        self._append(str(entry.pair_id), about, answers)

    def _append(self, job: str, about: dict[str, Any], answers: str) -> None:
        self._calls[job] = self._calls.get(job, 0) + 1
        self._bytes[job] = self._bytes.get(job, 0) + len(answers)
        kept = answers if self._bytes[job] <= MAX_ANSWER_BYTES else "null"
        line = f'{json.dumps(about)[:-1]}, "answers": {kept}}}\n' if self._calls[job] <= MAX_CALLS else "\n"
        with open(self._folder / job, "ab", opener=_private) as file:
            file.write(line.encode())

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _values(value: Any) -> Any:
    value = value.json() if isinstance(value, ColumnTable) else value
    # Parsed, so equal values get equal digests however their JSON is written.
    return json.loads(value) if isinstance(value, Raw) else value


def _digest(inputs: Any) -> str:
    try:
        text = json.dumps(inputs, separators=(",", ":"))
    except (ValueError, RecursionError):
        text = "?"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def fallback_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the paths that BentoML answers in a release."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        alive = scope["path"].endswith(("/livez", "/readyz"))
        await Response(200 if alive else 404, b"{}").send_to(send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class SecretPrefix:
    """An application that checks the secret in the path and takes the job from the next segment."""

    def __init__(self, app: Any, secret: str, log: Path) -> None:
        self._app = app
        self._secret = secret.encode()
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _, _, path = scope["path"].partition("/")
        secret, _, rest = path.partition("/")
        job, _, below = rest.partition("/")
        if not hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret) or not _JOB.fullmatch(job):
            await Response(404, b"{}").send_to(send)
        elif rest == LOG:
            await Response(200, self._tail(), "text/plain; charset=utf-8").send_to(send)
        else:
            # There is no gateway, so its headers are removed; the job takes the place of the pair id.
            kept = [(name, value) for name, value in scope["headers"] if not name.lower().startswith(b"x-rollout-")]
            kept = [(name, value) for name, value in kept if name.lower() != b"x-pair-id"]
            headers = [*kept, (b"x-pair-id", job.encode())]
            inner = {**scope, "path": f"/{below}", "raw_path": f"/{below}".encode(), "headers": headers}
            await self._app(inner, receive, send)

    def _tail(self) -> bytes:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - _LOG_BYTES))
                return file.read()
        except OSError:
            return b""


def main() -> None:
    """Serve the snapshot that standard input names until standard input ends."""
    settings = json.loads(sys.stdin.buffer.readline() or b"{}")
    if not settings:
        return  # the parent has ended already
    mask_secrets(os.environ)
    keep_writing()
    root = Path(settings["root"])
    watch = _ParentWatch(root, settings["parent"])  # os.getppid() might already be another process
    threading.Thread(target=watch.run, daemon=True).start()
    try:
        model = load(settings["path"], settings["digest"])
    except EnvironmentChanged as changed:
        _write_state(root, {"changes": changed.changes})
        raise
    # As in a release, the example comes first: the first answer is often slow.
    with contextlib.suppress(Exception), in_role("probe"):
        model.answer(model.manifest["instances"])
    import uvicorn  # only this process needs it

    front = Front(fallback_app, model=model, recorder=CallLog(root / CALLS))
    config = uvicorn.Config(
        SecretPrefix(front, settings["secret"], root / LOG),
        log_level="error",
        access_log=False,
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    watch.server = uvicorn.Server(config)
    # The parent listened before it started this process, so early connections wait in the backlog.
    listener = socket.socket(fileno=settings["listener"])
    _write_state(root, {})
    asyncio.run(watch.server.serve(sockets=[listener]))


def _write_state(root: Path, state: dict[str, Any]) -> None:
    part = root / f"{STATE}.part"
    part.write_text(json.dumps(state), "utf-8")
    part.replace(root / STATE)


class _ParentWatch:
    """Ends this process with its parent, also while the model loads or computes."""

    def __init__(self, root: Path, parent: int) -> None:
        self._root, self._parent = root, parent
        self.server: Any = None

    def run(self) -> None:
        while os.getppid() == self._parent:
            ready, _, _ = select.select([0], [], [], _LOOK_SECONDS)
            if ready and not os.read(0, 4096):
                break
        shutil.rmtree(self._root, ignore_errors=True)
        if self.server is not None:
            self.server.should_exit = True
            time.sleep(_GRACE_SECONDS)  # usually the process has ended before, and this thread with it
        workplace.leave()
        os._exit(0)
