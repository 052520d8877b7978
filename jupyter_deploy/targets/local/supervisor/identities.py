"""The identities of a home's supervised processes.

The runtime directory may be lost while its processes run: cleaners empty ``/tmp``, and ``XDG_RUNTIME_DIR`` ends with
the user's session. Its sockets and locks are then out of reach. So each supervised process, and the supervisor, writes
its identity (``system/processes.py``: process id, boot, start time, PID namespace) into a file in the home, and in a
second line the seconds that it has from SIGTERM until it is killed.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.system.processes import process_mark

from . import launch
from .orphans import end_processes

SUPERVISOR = "supervisor"

# After its programs have ended: it pauses for a second at each.
_STOP_SECONDS = 40.0


class Identities:
    """The identities in a home."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "supervised"

    def path(self, process: str) -> Path:
        """The file with the identity of a process such as ``gateway@0``."""
        return self._folder / process

    def write(self, process: str, pid: int) -> None:
        """Write the identity of a running process."""
        with suppress(OSError):  # a full disk must not prevent a start
            write_atomic(self.path(process), f"{pid} {process_mark(pid)}\n")

    def running(self, program: str = "*") -> Mapping[str, int]:
        """The process ids of a program's processes (default: of all) that run, by name."""
        pids = {}
        for path in sorted(self._folder.glob(f"{program}@*")):
            with suppress(OSError, ValueError, IndexError):
                pid, _, mark = path.read_text("utf-8").splitlines()[0].partition(" ")
                if mark and process_mark(int(pid)) == mark:
                    pids[path.name] = int(pid)
        return pids

    def end(self, program: str = "*") -> None:
        """End a program's processes (default: all), and forget them."""
        pids = dict(self.running(program))
        supervisor = pids.pop(f"{SUPERVISOR}@0", None)
        if supervisor is not None:  # first, or it starts the others again
            launch.signal_group(supervisor, signal.SIGTERM)
        end_processes(pids, {process: self._stop_seconds(process) for process in pids})
        if supervisor is not None:
            end_processes({SUPERVISOR: supervisor}, {SUPERVISOR: _STOP_SECONDS})
        self.forget(program)

    def forget(self, program: str = "*") -> None:
        """Remove the identities of a program's processes (default: of all)."""
        for path in self._folder.glob(f"{program}@*"):
            with suppress(OSError):  # a read-only disk must not prevent a stop; an ended process's identity fits none
                path.unlink()

    def _stop_seconds(self, process: str) -> float | None:
        with suppress(OSError, ValueError, IndexError):
            return float(self.path(process).read_text("utf-8").splitlines()[1])
        return None
