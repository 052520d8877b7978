"""The keeper restarts the supervisor: ``python -m jupyter_deploy.targets.local.supervisor.keeper RUNTIME LOGS``.

If the supervisor is killed, the keeper starts another one, which adopts what runs; if the keeper is killed, the
supervisor starts another one. Only who kills both at once needs ``nbdeploy reconcile``.

It also tells the supervisor at once when a process has ended (Linux), since that looks by itself once a second only,
keeps the logs short, and looks after limits of memory (``limits``).
"""

from __future__ import annotations

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
    """Watch until the supervisor has gone, and start another one unless everything was stopped."""
    supervisor = Supervisor(runtime, logs)
    supervisor.keeper_ready.touch(mode=0o600)
    rotated = looked = time.monotonic()
    while _answers(supervisor):
        if _ended(runtime):
            for pause in _TELL_SECONDS:
                time.sleep(pause)
                _answers(supervisor)
        if time.monotonic() > looked + _LOOK_SECONDS:
            looked = time.monotonic()
            limits.look(runtime.path / "programs", runtime.path / "pids")
        if time.monotonic() > rotated + _ROTATE_SECONDS:
            rotated = time.monotonic()
            shorten(logs)
    while not _resumed(runtime, supervisor):
        time.sleep(_LOOK_SECONDS)


def _resumed(runtime: Runtime, supervisor: Supervisor) -> bool:
    """Start another one, unless everything was stopped or somebody else was faster; False: try again."""
    with runtime.lock():
        try:
            if supervisor.interrupted():
                supervisor.ensure()
        except (TargetError, OSError, subprocess.SubprocessError):  # a full disk too: there is nobody else to try again
            return False
    return True


def _answers(supervisor: Supervisor) -> bool:
    try:
        return supervisor.alive()
    except TargetError:  # it is there, and busy
        return True


def _ended(runtime: Runtime) -> bool:
    """Whether one of the processes has ended; waits a second for it."""
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
            with suppress(OSError):  # it has gone, and its successor is not there yet
                handles.append(os.pidfd_open(pid))
                opened.callback(os.close, handles[-1])
        ended, _, _ = select.select(handles, [], [], _LOOK_SECONDS)
    return bool(ended)


def shorten(logs: Path, most: int = _MOST_BYTES) -> None:
    """Move what is in a log that has grown too long to ``….1``. Its writers append, and go on at its new end."""
    for log in logs.glob("*-*.log"):
        with suppress(OSError):
            if log.stat().st_size > most:
                shutil.copyfile(log, log.with_name(f"{log.name}.1"))
                os.truncate(log, 0)


if __name__ == "__main__":
    main(Runtime(Path(sys.argv[1])), Path(sys.argv[2]))
