"""One snapshot behind HTTP on loopback, for who validates it: the same answers as a release gives, and no records.

    python -P -c "…; main()"

What it serves it is told in one line of JSON on its standard input, so that the secret stands neither in its arguments
nor in its environment. It ends when its standard input does, or the process that started it (whose forked children may
still hold the other end), and takes its folder with it.

    /<secret>/<job>/predict, …   what a release answers at /predict, …; what is asked is noted for the job
    /<secret>/log                the end of what the model wrote
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
from .role import in_role
from .snapshot import EnvironmentChanged, load
from .telemetry.records import Entry

LOG, STATE, CALLS = "log", "state.json", "calls"
"""Names in the server's folder: what the model writes, how the start went, and a file of calls for each job."""

MAX_CALLS = 100_000
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Of each job so many calls are noted, and answers of so many bytes of JSON together; the rest is counted."""

_JOB = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LOG_BYTES = 16_000
_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.5

# Longer than any notebook leaves its connection idle: a closed one would have to be told from an ended server.
_KEEP_ALIVE_SECONDS = 24 * 3600


class CallLog:
    """What the model was asked, as one line a call in a file for each job; in place of a release's records.

    A line is written before the answer leaves: who has an answer can read what was noted of it. Of a call beyond the
    limits the line holds less, and at last nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)
        self._lock = threading.Lock()  # what is refused unread is told by another thread than the model's
        self._calls: dict[str, int] = {}
        self._bytes: dict[str, int] = {}

    def write_all(self, entries: Sequence[Entry]) -> bool:
        """Note calls, each of the job that the outer application put into its ``pair_id``.

        Always True: a full disk loses the note, not the answer.
        """
        try:
            with self._lock:
                for entry in entries:
                    self._note(entry)
        except OSError as failure:
            sys.stderr.write(f"a call could not be noted: {failure}\n")
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
        """Nothing is kept open."""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _values(value: Any) -> Any:
    # Read, so that the same is known as the same however its JSON was written.
    return json.loads(value) if isinstance(value, Raw) else value


def _digest(inputs: Any) -> str:
    try:
        text = json.dumps(inputs, separators=(",", ":"))
    except (ValueError, RecursionError):
        text = "?"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def fallback_app(scope: Scope, receive: Receive, send: Send) -> None:
    """What stands behind the front door: the paths that BentoML would answer."""
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
    """Only who knows the secret that stands first in the path is let in; then stands the job that asks."""

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
            # What a gateway would say of the request nobody says here; the job takes the place of its own id.
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
    """Serve what standard input says until it ends."""
    settings = json.loads(sys.stdin.buffer.readline() or b"{}")
    if not settings:
        return  # who started this has gone already
    root = Path(settings["root"])
    watch = _ParentWatch(root, settings["parent"])  # asked of the system, it could be somebody else by now
    threading.Thread(target=watch.run, daemon=True).start()
    try:
        model = load(settings["path"], settings["digest"])
    except EnvironmentChanged as changed:
        _write_state(root, {"changes": changed.changes})
        raise
    # As a release is asked its example before it is asked by anybody else: the first answer is often a slow one.
    with contextlib.suppress(Exception), in_role("probe"):
        model.answer(model.manifest["instances"])
    import uvicorn  # noqa: PLC0415 - only this process needs it

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
    # It has listened since before this process began, so that who asked meanwhile has been waiting.
    listener = socket.socket(fileno=settings["listener"])
    _write_state(root, {})
    asyncio.run(watch.server.serve(sockets=[listener]))


def _write_state(root: Path, state: dict[str, Any]) -> None:
    part = root / f"{STATE}.part"
    part.write_text(json.dumps(state), "utf-8")
    part.replace(root / STATE)


class _ParentWatch:
    """Ends this process with the one that started it, also while the model loads or computes."""

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
            time.sleep(_GRACE_SECONDS)  # usually it has ended before that, and this thread with it
        workplace.leave()
        os._exit(0)
