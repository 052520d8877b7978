"""Redirection of a process's output to a callback in whole lines, including C libraries and child processes."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TOGETHER = 0.2  # seconds: lines that follow each other within this time are passed on together
_AT_MOST = 64 * 1024  # bytes of a line without a newline
_LAST = 16  # reads at the end: more than a pipe holds; output that continues has no end
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextmanager
def redirect_output(callback: Callable[[str], None]) -> Iterator[None]:
    """Send stdout and stderr to ``tell``, called in a thread; at the end all remaining output is passed on."""
    reading, writing = os.pipe()
    waking, wake = os.pipe()
    os.set_blocking(reading, False)
    _flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    for number, _ in kept:
        os.dup2(writing, number)
    os.close(writing)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a test's own stream
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    thread = threading.Thread(target=_read, args=(reading, waking, callback), daemon=True, name="nbdeploy-printed")
    thread.start()
    try:
        yield
    finally:
        _flush()
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
        os.close(wake)  # a child process that continues may hold the other pipe for ever
        thread.join()
        for descriptor in (reading, waking):
            os.close(descriptor)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _read(reading: int, waking: int, callback: Callable[[str], None]) -> None:
    rest, ended = b"", False
    while not ended:
        ready, _, _ = select.select([reading, waking], [], [])
        ended = waking in ready or waking in select.select([waking], [], [], _TOGETHER)[0]
        pieces = _LAST if ended else 1  # later output waits for the next round
        while pieces:
            data, more = _piece(reading)
            pieces = pieces - 1 if more else 0
            lines, newline, rest = (rest + data).rpartition(b"\n")
            if len(rest) > _AT_MOST or (ended and not pieces):
                lines, rest = lines + newline + rest, b""
            if text := lines_of(lines):
                with contextlib.suppress(Exception):  # without a reader, the printing process would block for ever
                    callback(text)


def _piece(reading: int) -> tuple[bytes, bool]:
    """Return the bytes that can be read now, and whether there may be more."""
    try:
        data = os.read(reading, _AT_MOST)
    except BlockingIOError:
        return b"", False
    return data, bool(data)


def lines_of(data: bytes) -> str:
    """Return text without colours and outer empty lines; of an overwritten line (a progress bar) the last version."""
    lines = _COLOURS.sub("", data.decode("utf-8", "replace")).split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in lines).strip("\n")
