"""What a process prints: never a reason to fail a request, and in a container all of it lines on standard output."""

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

_STDOUT = 1
_MOST_LINE_BYTES = 64 * 1024

_writing = threading.Lock()
_between: int | None = None


class _Forgiving(io.FileIO):
    def write(self, data: Any, /) -> int:
        """Write what can be written, and say that it was all."""
        with contextlib.suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


class _Lines(io.RawIOBase):
    """Lines that a process prints, each as one object of JSON on standard output.

    A line that is an object already, such as those of ``telling``, stays as it is.
    """

    def __init__(self, name: str, level: str) -> None:
        super().__init__()
        self._about = {"level": level, "logger": name}
        self._begun = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Of standard output: for processes that are started, which write as they like."""
        return _STDOUT

    def write(self, data: Any, /) -> int:
        *lines, self._begun = (self._begun + bytes(data)).split(b"\n")
        if len(self._begun) > _MOST_LINE_BYTES:
            lines.append(self._begun)
            self._begun = b""
        if lines:
            line_out(b"".join(self._framed(line) for line in lines if line.strip()))
        return memoryview(data).nbytes

    def _framed(self, line: bytes) -> bytes:
        if line.startswith(b"{"):
            with contextlib.suppress(ValueError, RecursionError):
                json.loads(line)
                return line + b"\n"
        told = {"ts": datetime.now(UTC).isoformat(), **self._about, "message": line.decode("utf-8", "backslashreplace")}
        return json.dumps(told).encode("ascii") + b"\n"


def line_out(lines: bytes) -> int:
    """Write whole lines to standard output, with none of another thread or worker in between; never raises.

    Returns
    -------
    int
        So many of the bytes are written: all, if it can be written to.
    """
    written = 0
    with _writing, contextlib.suppress(OSError):
        if _between is not None:
            fcntl.lockf(_between, fcntl.LOCK_EX)
        try:
            while written < len(lines):
                written += os.write(_STDOUT, lines[written:])
        finally:
            if _between is not None:
                fcntl.lockf(_between, fcntl.LOCK_UN)
    return written


def among_processes() -> None:
    """Keep lines whole among those of processes that are forked from now on, too: a pipe keeps short ones so."""
    global _between  # noqa: PLW0603 - as standard output is the process's
    if hasattr(os, "memfd_create"):
        _between = os.memfd_create("nbdeploy-lines")  # where nothing can be written to, too


def keep_writing() -> None:
    """Have ``print`` and ``sys.stderr`` of this process lose what cannot be written, instead of raising."""
    if not _placed:
        for number, name in ((1, "stdout"), (2, "stderr")):
            setattr(sys, name, _text(io.BufferedWriter(_Forgiving(number, "w", closefd=False))))


_placed = False


def on_stdout(*, as_json: bool) -> None:
    """Have all that this process prints on standard output, in lines of JSON or as it is; for good."""
    global _placed  # noqa: PLW0603 - as sys.stdout is the process's
    _placed = True
    for name, level in (("stdout", "info"), ("stderr", "warning")):
        raw = _Lines(name, level) if as_json else _Forgiving(_STDOUT, "w", closefd=False)
        setattr(sys, name, _text(io.BufferedWriter(raw)))


def _text(buffer: io.BufferedWriter) -> io.TextIOWrapper:
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)
