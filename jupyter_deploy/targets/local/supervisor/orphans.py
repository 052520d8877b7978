"""Orphans: processes without a supervisor, identified by the locks that they hold (see ``launch``), and their end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.targets.local.runtime import Runtime, read_json

from . import launch

GATEWAY = "gateway"
"""The program that ends last: the releases' requests in progress are answered through it."""

_POLL_SECONDS = 0.03
_PATIENCE_SECONDS = 5.0  # of a process whose plan is lost


def end_orphans(runtime: Runtime, program: str = "*", *, adoptable: bool = True) -> None:
    """End the orphans of a program (default: of all) as ``end_processes`` does.

    Parameters
    ----------
    adoptable
        False: only processes that hold no lock, which no supervisor can adopt.
    """
    pids, seconds = {}, {}
    for path in (runtime.path / "pids").glob(f"{program}@*"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(path.read_text().split()[0])
            held = _held(path)
            # Without a lock the process id may belong to another process by now.
            if (held and adoptable) or (not held and f"{runtime.path}/" in _command_line(pid)):
                pids[path.name] = pid
                seconds[path.name] = read_json(runtime.path / "programs" / f"{path.name}.json").get("stop_seconds")
    end_processes(pids, seconds)


def end_processes(pids: Mapping[str, int], seconds: Mapping[str, float | None]) -> None:
    """End processes with their groups: SIGTERM, and SIGKILL to those that still run after their time.

    Parameters
    ----------
    pids
        Process ids by process, such as ``gateway@0``. The gateway's is ended when the others have ended.
    seconds
        The time that a process has; missing: five seconds.
    """
    last = {name for name in pids if name.startswith(f"{GATEWAY}@")}
    for names in (pids.keys() - last, last):
        began = time.monotonic()
        left = {pids[name]: began + (seconds.get(name) or _PATIENCE_SECONDS) for name in names if pids[name] > 1}
        for pid in left:
            launch.signal_group(pid, signal.SIGTERM)
        while left:
            now = time.monotonic()
            for pid, until in tuple(left.items()):
                if now > until:
                    launch.signal_group(pid, signal.SIGKILL)
                if not launch.alive(pid) or now > until + _PATIENCE_SECONDS:
                    del left[pid]
            time.sleep(_POLL_SECONDS)


def forget(runtime: Runtime, program: str) -> None:
    """End a program's processes, and any process that waits to take their place (``launch``)."""
    for path in (runtime.path / "pids").glob(f"{program}@*"):
        with suppress(FileNotFoundError):  # a waiting process may have removed it
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                gone = 0.0
                while not launch.locked(handle):
                    end_orphans(runtime, program)
                    pid = launch.holder(handle)
                    if pid > 1 and not launch.alive(pid):
                        launch.signal_group(pid, signal.SIGKILL)  # its descendants
                        gone = gone or time.monotonic()
                        if time.monotonic() > gone + launch.ORPHANS_SECONDS:
                            break  # a descendant outside of its group, see launch
                    time.sleep(_POLL_SECONDS)
                path.unlink()  # with the lock held: the next holder sees that the file is gone
            finally:
                os.close(handle)


def clear(runtime: Runtime, program: str = "*") -> None:
    """End what a program (default: all) left running outside of its process groups (``Program.clear``).

    Raises
    ------
    TargetError
        A container could not be ended.
    """
    left = []
    for path in sorted((runtime.path / "programs").glob(f"{program}@*.json")):
        plan = read_json(path)
        for command in plan.get("clear", ()):
            reason = launch.cleared(command, plan["environment"], plan["stop_seconds"])
            if reason:
                left.append(f"{shlex.join(command)}: {reason}")
    if left:
        raise TargetError("a container could not be ended", "end it by hand, and repeat the command", "\n".join(left))


def holder_of(runtime: Runtime, process: str) -> int:
    """The process id of a running process such as ``gateway@0``; 0: it does not run."""
    path = runtime.path / "pids" / process
    with suppress(OSError, ValueError, IndexError):
        if _held(path):
            return int(path.read_text().split()[0])
    return 0


def _held(path: Path) -> bool:
    """Whether a process holds the lock on the file."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return not launch.locked(handle)
    finally:
        os.close(handle)


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = _POLL_SECONDS) -> bool:
    """Wait for a condition; False: the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except FileNotFoundError:  # no such process, or no /proc (macOS)
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout
