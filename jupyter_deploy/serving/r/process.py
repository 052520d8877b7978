"""R's process: a parent that holds the model, and the child that answers (``server.R``).

A request and its answer are one message each, over pipes that the child opens as files. The parent reports on a pipe of
its own which child answers, by process id, and 0 when it has ended. What an ended child left in the pipes is removed
before the order to fork another one.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

_SERVER = Path(__file__).with_name("server.R")
_PIPE_BYTES = 60_000  # an empty pipe takes them without a reader
_BLOCK = 1 << 20
_ERROR = 2
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - R makes a private folder in it

START_SECONDS = 120.0
CALL_SECONDS = 60.0
"""The time limit of a call, the gateway's own; each row adds ``ROW_SECONDS``."""
ROW_SECONDS = 0.01


class RError(RuntimeError):
    """R raises an error; the message is R's own."""


class RCrashed(RuntimeError):
    """The process of R that answers has ended, or exceeded its time limit; the next request gets another one."""


class RMissing(RuntimeError):
    """There is no R on this machine."""


class RProcess:
    """A running R with a model.

    Parameters
    ----------
    folder
        Has ``model.rds``.
    libraries
        R's library folders of the capture; those that exist precede this machine's.
    variables
        Environment variables of R, in addition to this process's own.

    Raises
    ------
    RMissing
        There is no ``Rscript`` on the search path.
    RError
        R cannot load the model or a package, or has no writable folder.
    """

    def __init__(self, folder: Path, libraries: list[str], variables: Mapping[str, str] = MappingProxyType({})) -> None:
        program = shutil.which("Rscript")
        if program is None:
            raise RMissing("the model is R's, and there is no program 'Rscript' on this machine: install R")
        read_requests, self._requests = os.pipe()
        self._answers, write_answers = os.pipe()
        self._events, write_events = os.pipe()
        read_orders, self._orders = os.pipe()
        self._ends: tuple[int, ...] = (
            read_requests,
            write_answers,
        )  # kept: what a child leaves is read here, and no write fails
        passed = (read_requests, write_answers, write_events, read_orders)
        for end in (self._requests, self._answers, self._events, read_requests):
            os.set_blocking(end, False)
        known = [path for path in libraries if Path(path).is_dir()]
        # ``natives.r`` reads a message of R's.
        environment = {**os.environ, **_temporary_folder(), **variables, "LANGUAGE": "en"}
        if known:
            environment["R_LIBS"] = os.pathsep.join(known)
        self._process = subprocess.Popen(
            [program, "--vanilla", str(_SERVER), str(folder), *map(str, passed), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=passed,
            start_new_session=True,
            env=environment,
        )
        os.close(write_events)
        os.close(read_orders)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._poll.register(self._events, select.POLLIN)
        self.child: int | None = None
        self.owner = os.getpid()
        self._end = weakref.finalize(self, _end, self._process, self.owner)
        try:
            self.versions = self._answer(time.monotonic() + START_SECONDS).decode()
            self._await_child()
        except BaseException:
            self.close()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether this process may call it: R runs, and this process started it."""
        return self.owner == os.getpid() and self._end.alive and self._process.poll() is None

    def call(self, message: bytes, rows: int, *, seconds: float = CALL_SECONDS) -> bytes:
        """Send a message and return the answer.

        Raises
        ------
        RError
            The model raises.
        RCrashed
            The child, or R itself, ended before it answered, or exceeded the time limit, which counts from the call.
        """
        until = time.monotonic() + seconds + ROW_SECONDS * rows
        if len(message) <= _PIPE_BYTES:
            os.write(self._requests, message)
        else:
            self._write(message, until)
        return self._answer(until)

    def close(self) -> None:
        """End R and its child."""
        self._end()
        self.forget()

    def forget(self) -> None:
        """Close this process's ends of the pipes, such as in a fork."""
        for end in (self._requests, self._answers, self._events, self._orders, *self._ends):
            with contextlib.suppress(OSError):
                os.close(end)
        self._ends = ()
        self._requests = self._answers = self._events = self._orders = -1

    def _write(self, message: bytes, until: float) -> None:
        rest = memoryview(message)
        poll = select.poll()
        poll.register(self._requests, select.POLLOUT)
        poll.register(self._events, select.POLLIN)
        while rest:
            ready = dict(poll.poll(max(0.0, until - time.monotonic()) * 1000))
            if not ready:
                self._stop_child("did not read the request within its time limit")
            if self._events in ready:
                self._take_events()
            if self._requests in ready:
                rest = rest[os.write(self._requests, rest[:_BLOCK]) :]

    def _answer(self, until: float) -> bytes:
        parts, size, expected, kind = [], 0, 8, 0
        while size < expected:
            ready = self._poll.poll(max(0.0, until - time.monotonic()) * 1000)
            if not ready:
                self._stop_child("exceeded the time limit of a call and was ended")
            at = dict(ready)
            if self._answers in at:
                part = _read(self._answers)
                parts.append(part)
                size += len(part)
                if expected == 8 and size >= 8:
                    content = b"".join(parts)
                    kind, length = struct.unpack_from("<2i", content)
                    expected += length
            elif self._events in at:
                self._take_events()
        content = b"".join(parts)[8:]
        if kind == _ERROR:
            raise RError(content.decode(errors="replace"))
        return content

    def _await_child(self, seconds: float = START_SECONDS) -> None:
        if self.child is None and self._events >= 0 and select.select([self._events], [], [], seconds)[0]:
            self._take_events()

    def _take_events(self) -> None:
        """Note which child answers; raise RCrashed if it has ended."""
        content = _read(self._events)
        if not content:
            self.close()
            raise RCrashed("R has ended")
        for (event,) in struct.iter_unpack("<i", content[: len(content) // 4 * 4]):
            if event:
                self.child = event
            else:
                self._go_on()
                raise RCrashed("R's process crashed during the call")

    def _go_on(self) -> None:
        """Remove the leavings of the child that ended, and have another one forked."""
        self.child = None
        for end in (self._ends[0], self._answers):
            while True:
                with contextlib.suppress(BlockingIOError):
                    if os.read(end, _BLOCK):
                        continue
                break
        os.write(self._orders, struct.pack("<i", 1))

    def _stop_child(self, why: str) -> None:
        """Kill the child that answers, or all of R if that is unknown; raise RCrashed."""
        with contextlib.suppress(RCrashed):
            self._await_child(0)
        child = self.child
        if child is None:
            self.close()
            raise RCrashed(f"R {why}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(RCrashed):
            while self.child == child:
                if not select.select([self._events], [], [], START_SECONDS)[0]:
                    self.close()
                    break
                self._take_events()
        raise RCrashed(f"R's process {why}")


def _temporary_folder() -> dict[str, str]:
    """The variable that gives R shared memory where a container has no other writable folder.

    Raises
    ------
    RError
        There is none, without which R does not start.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        if not os.access(_SHARED_MEMORY, os.W_OK):
            raise RError(
                "R needs a writable folder for temporary files: mount one at /tmp, or at a path that TMPDIR names"
            ) from error
        return {"TMPDIR": _SHARED_MEMORY}
    return {}


def _read(end: int) -> bytes:
    try:
        return os.read(end, _BLOCK)
    except BlockingIOError:
        return b""


def _end(process: subprocess.Popen[Any], owner: int) -> None:
    if os.getpid() != owner:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
