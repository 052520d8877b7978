"""Standard output and error of a process: write errors never fail a request, and a container writes JSON lines.

A served process prints to copies of both descriptors. A model may close the descriptors themselves; the next connection
would then take their numbers, and what is printed, or the next ``close``, would go to that client.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from .output_masking import masked

_STDOUT, _STDERR = 1, 2
_MAX_LINE_BYTES = 64 * 1024

# Numbers that a program which closes the first few descriptors leaves alone.
_FIRST_COPY = 64

# Copies of standard output and error by their numbers.
_copies: dict[int, int] = {}

_target = _STDOUT
"""The descriptor of ``write_lines``."""

_lock = threading.Lock()
_shared_lock: int | None = None


class _LenientFile(io.FileIO):
    def write(self, data: Any, /) -> int:
        """Write as much as possible and report the whole length as written."""
        with contextlib.suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


class _JsonLines(io.RawIOBase):
    """A stream that wraps each printed line in a JSON object and writes it to standard output.

    A line that is a JSON object, such as those of ``telemetry.logging``, is written unchanged.
    """

    def __init__(self, name: str, level: str) -> None:
        super().__init__()
        self._about = {"level": level, "logger": name}
        self._partial = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Return standard output, for child processes, whose output is not wrapped."""
        return _STDOUT

    def write(self, data: Any, /) -> int:
        *lines, self._partial = (self._partial + bytes(data)).split(b"\n")
        if len(self._partial) > _MAX_LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        if lines:
            write_lines(b"".join(self._as_json(line) for line in lines if line.strip()))
        return memoryview(data).nbytes

    def _as_json(self, line: bytes) -> bytes:
        if line.startswith(b"{"):
            with contextlib.suppress(ValueError, RecursionError):
                json.loads(line)
                return line + b"\n"
        entry = {
            "ts": datetime.now(UTC).isoformat(),
            **self._about,
            "message": line.decode("utf-8", "backslashreplace"),
        }
        return json.dumps(entry).encode("ascii") + b"\n"


def write_lines(lines: bytes) -> int:
    """Write whole lines to standard output, uninterrupted by other threads and workers; never raises.

    Returns
    -------
    int
        The number of bytes written: all, unless standard output fails.
    """
    written = 0
    with _lock, contextlib.suppress(OSError):
        if _shared_lock is not None:
            fcntl.lockf(_shared_lock, fcntl.LOCK_EX)
        try:
            while written < len(lines):
                written += os.write(_target, lines[written:])
        finally:
            if _shared_lock is not None:
                fcntl.lockf(_shared_lock, fcntl.LOCK_UN)
    return written


def restore_output() -> None:
    """Open standard output and error again if a model has closed them."""
    for number, copy in _copies.items():
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            os.dup2(copy, number)


def copy_output() -> None:
    """Make the copies, unless they exist."""
    for number in (_STDOUT, _STDERR):
        if number not in _copies:
            with contextlib.suppress(OSError):  # it is closed, or no other is free
                _copies[number] = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _FIRST_COPY)


def share_output_lock() -> None:
    """Keep lines whole among processes that are forked from now on. A pipe guarantees this for short lines only."""
    global _shared_lock  # noqa: PLW0603 - standard output belongs to the process
    if hasattr(os, "memfd_create"):
        _shared_lock = os.memfd_create("nbdeploy-lines")  # works without a writable folder


def keep_writing() -> None:
    """Make ``print`` and ``sys.stderr`` drop output that cannot be written, instead of raising."""
    copy_output()
    if not _redirected:
        for number, name in ((1, "stdout"), (2, "stderr")):
            setattr(sys, name, _text(io.BufferedWriter(_LenientFile(_copies.get(number, number), "w", closefd=False))))


_redirected = False


def redirect_output(*, as_json: bool) -> None:
    """Send all output of this process to standard output, as JSON lines or unchanged; permanent."""
    global _redirected, _target  # noqa: PLW0603 - sys.stdout belongs to the process
    _redirected = True
    copy_output()
    _target = _copies.get(_STDOUT, _STDOUT)
    for name, level in (("stdout", "info"), ("stderr", "warning")):
        raw = _JsonLines(name, level) if as_json else _LenientFile(_target, "w", closefd=False)
        setattr(sys, name, _text(io.BufferedWriter(raw)))


class _MaskedText(io.TextIOWrapper):
    """Text without the redacted values of the requests that are being answered."""

    def write(self, text: str, /) -> int:
        """Write a text; return its length."""
        written = super().write(masked(text) if isinstance(text, str) else text)
        return len(text) if isinstance(text, str) else written


def _text(buffer: io.BufferedWriter) -> io.TextIOWrapper:
    return _MaskedText(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)
