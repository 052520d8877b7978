"""The identities of a home's supervised processes.

The runtime directory may be lost while its processes run: cleaners empty ``/tmp``, and ``XDG_RUNTIME_DIR`` ends with
the user's session. Its sockets and locks are then out of reach. So each supervised process, and the supervisor, writes
its identity (``system/processes.py``: process id, boot, start time, PID namespace) into a file in the home.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.system.processes import process_mark

from . import launch
from .orphans import end_processes, wait_until

SUPERVISOR = "supervisor"

# The supervisor ends its programs first, which answer their pending requests.
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
            with suppress(OSError, ValueError):
                pid, _, mark = path.read_text("utf-8").strip().partition(" ")
                if mark and process_mark(int(pid)) == mark:
                    pids[path.name] = int(pid)
        return pids

    def end(self, program: str = "*") -> None:
        """End a program's processes (default: all), and forget them."""
        supervisor = self.running(SUPERVISOR).get(f"{SUPERVISOR}@0") if program == "*" else None
        if supervisor is not None:  # first, or it starts the others again
            launch.signal_group(supervisor, signal.SIGTERM)
            wait_until(lambda: not launch.alive(supervisor), _STOP_SECONDS)
        end_processes(self.running(program).values())
        self.forget(program)

    def forget(self, program: str = "*") -> None:
        """Remove the identities of a program's processes (default: of all)."""
        for path in self._folder.glob(f"{program}@*"):
            path.unlink(missing_ok=True)
