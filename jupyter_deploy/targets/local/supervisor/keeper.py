"""The keeper restarts the supervisor: ``python -m jupyter_deploy.targets.local.supervisor.keeper RUNTIME LOGS``.

If the supervisor is killed, the keeper starts another one, which adopts the running processes; if the keeper is
killed, the supervisor starts another one. If both are killed at once, ``nbdeploy reconcile`` starts them.

The keeper also wakes the supervisor when a process has ended (Linux), since that checks only once a second, shortens
the logs, and enforces memory limits (``limits``).
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.targets.local.releases import limits
from jupyter_deploy.targets.local.runtime import Runtime

from .supervisord import Supervisor

_LOOK_SECONDS = 1.0
_TELL_SECONDS = (0.0, 0.02, 0.05)
_ROTATE_SECONDS = 30.0
_MOST_BYTES = 10_000_000


def main(runtime: Runtime, logs: Path) -> None:
    """Watch until the supervisor has ended, and start another one unless everything was stopped."""
    supervisor = Supervisor(runtime, logs)
    supervisor.keeper_ready.touch(mode=0o600)
    with suppress(OSError):  # systemd-tmpfiles does not clean a locked directory (tmpfiles.d)
        fcntl.flock(os.open(runtime.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), fcntl.LOCK_SH)
    rotated = looked = time.monotonic()
    while _answers(supervisor):
        if _ended(runtime):
            for pause in _TELL_SECONDS:
                time.sleep(pause)
                _answers(supervisor)
        if time.monotonic() > looked + _LOOK_SECONDS:
            looked = time.monotonic()
            limits.check_memory(runtime.path / "programs", runtime.path / "pids")
        if time.monotonic() > rotated + _ROTATE_SECONDS:
            rotated = time.monotonic()
            shorten(logs)
    while not _resumed(runtime, supervisor):
        time.sleep(_LOOK_SECONDS)


def _resumed(runtime: Runtime, supervisor: Supervisor) -> bool:
    """Start another supervisor unless everything was stopped or one runs already; False: try again.

    If the runtime directory was removed, ``identities`` finds this process and ends it.
    """
    try:
        with runtime.lock():
            if supervisor.interrupted():
                supervisor.ensure()
    except (TargetError, OSError, subprocess.SubprocessError):  # also a full disk: no other process tries again
        return False
    return True


def _answers(supervisor: Supervisor) -> bool:
    try:
        return supervisor.alive()
    except TargetError:  # it runs and is busy
        return True


def _ended(runtime: Runtime) -> bool:
    """Whether a process has ended; waits up to a second."""
    if not hasattr(os, "pidfd_open"):
        time.sleep(_LOOK_SECONDS)
        return False
    pids = set()
    for path in (runtime.path / "supervisord.pid", *(runtime.path / "pids").glob("*@*")):
        with suppress(OSError, ValueError, IndexError):
            pids.add(int(path.read_text().split()[0]))
    with ExitStack() as opened:
        handles = []
        for pid in pids - {os.getpid(), 0}:
            with suppress(OSError):  # it has ended, and its successor has not started
                handles.append(os.pidfd_open(pid))
                opened.callback(os.close, handles[-1])
        ended, _, _ = select.select(handles, [], [], _LOOK_SECONDS)
    return bool(ended)


def shorten(logs: Path, most: int = _MOST_BYTES) -> None:
    """Move the content of a long log to ``….1``. Its writers append, and continue at the new end."""
    for log in logs.glob("*-*.log"):
        with suppress(OSError):
            if log.stat().st_size > most:
                shutil.copyfile(log, log.with_name(f"{log.name}.1"))
                os.truncate(log, 0)


if __name__ == "__main__":
    main(Runtime(Path(sys.argv[1])), Path(sys.argv[2]))
