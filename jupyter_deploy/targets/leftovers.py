"""Processes whose supervisor has gone: found by the locks that they hold (see ``launch``), and ended."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from . import launch
from .runtime import Runtime

_POLL_SECONDS = 0.03
_PATIENCE_SECONDS = 5.0


def end_leftovers(runtime: Runtime, program: str = "*", *, adoptable: bool = True) -> None:
    """End what still runs of a program (default: of all): SIGTERM, and after five seconds SIGKILL.

    Parameters
    ----------
    adoptable
        False: only processes that hold no lock, which an nbdeploy without locks started and nobody can adopt.
    """
    pids = []
    for path in (runtime.path / "pids").glob(f"{program}@*"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(path.read_text().split()[0])
            held = _held(path)
            # Without a lock the process id may be somebody else's by now.
            if (held and adoptable) or (not held and f"{runtime.path}/" in _command_line(pid)):
                pids.append(pid)
    _end(pids)


def _end(pids: Iterable[int]) -> None:
    left = [pid for pid in pids if pid > 1]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with suppress(OSError):
                os.killpg(pid, number)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while left and time.monotonic() < deadline:
            left = [pid for pid in left if exists(pid)]
            time.sleep(_POLL_SECONDS)


def forget(runtime: Runtime, program: str) -> None:
    """End what still runs of a program, and see to it that what waits to take its place (``launch``) does not."""
    for path in (runtime.path / "pids").glob(f"{program}@*"):
        with suppress(FileNotFoundError):  # who waited there may have removed it
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                gone = 0.0
                while not _locked(handle):
                    end_leftovers(runtime, program)
                    pid = int((os.pread(handle, 32, 0).split() or [b"0"])[0])
                    if pid > 1 and not exists(pid):
                        with suppress(OSError):  # what it forked
                            os.killpg(pid, signal.SIGKILL)
                        gone = gone or time.monotonic()
                        if time.monotonic() > gone + launch.ORPHANS_SECONDS:
                            break  # a descendant that has left its group, see launch
                    time.sleep(_POLL_SECONDS)
                path.unlink()  # with the lock held: who gets it afterwards sees that its file has gone
            finally:
                os.close(handle)


def _held(path: Path) -> bool:
    """Whether a process holds the lock on its file."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return not _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Whether the lock could be taken."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = _POLL_SECONDS) -> bool:
    """Wait for a condition; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def exists(pid: int) -> bool:
    """Whether it runs; one that has ended and waits for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self/stat").exists():
            return False
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True
    return stat.rpartition(")")[2].split()[0] != "Z"


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except FileNotFoundError:  # no such process, or no /proc (macOS)
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout
