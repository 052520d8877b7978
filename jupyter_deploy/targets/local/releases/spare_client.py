"""The process of this runtime directory that waits to become a release (``standby``): at most one, used once."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_deploy import serving
from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.supervisor.orphans import end_leftovers

from . import spare_process

_PROGRAM = "standby"
_READY_SECONDS = 3.0  # to import what is left to import: a fresh process would need longer
_HELD_SECONDS = 5.0

_started: list[subprocess.Popen[bytes]] = []  # so that those that end are not left as zombies


class Ahead:
    """What waits in a runtime directory."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._socket = runtime.path / "s" / f"{_PROGRAM}.sock"
        self._state = runtime.path / "programs" / f"{_PROGRAM}.json"

    def start(self, interpreter: str, imports: Path, environment: Mapping[str, str]) -> None:
        """Have one wait that has imported what the JSON file ``imports`` names, in place of the one that does."""
        with self._runtime.lock(_PROGRAM):
            end_leftovers(self._runtime, _PROGRAM)
            self._socket.unlink(missing_ok=True)
            state = {
                "socket": str(self._socket),
                "hold": f"{self._runtime.path}/pids/{_PROGRAM}@0",
                "imports": json.loads(imports.read_text("utf-8")),
                "interpreter": interpreter,
                "serving": str(Path(serving.__file__).parent),
            }
            write_atomic(self._state, json.dumps(state))
            _started[:] = [one for one in _started if one.poll() is None]
            _started.append(
                subprocess.Popen(
                    [interpreter, "-P", spare_process.__file__, str(self._state)],
                    cwd=self._runtime.path / "empty",
                    env=spare_process.at_import(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # it outlives the notebook, as a release does
                )
            )

    def become(self, interpreter: str, plan: Path) -> bool:
        """Let it become the process of a plan; False: there is none that can."""
        if not self._socket.exists() or read_json(self._state).get("interpreter") != interpreter:
            return False
        with suppress(OSError), socket.socket(socket.AF_UNIX) as asking, asking.makefile("rw") as stream:
            asking.settimeout(_READY_SECONDS)
            asking.connect(str(self._socket))
            if stream.readline() == "ready\n":
                stream.write(f"{plan}\n")
                stream.flush()
                asking.settimeout(_HELD_SECONDS)
                return stream.readline() == "held\n"
        return False
