"""The spare process of a runtime directory, which may become a release (``spare_process``): at most one, used once."""

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
from jupyter_deploy.targets.local.supervisor.orphans import end_orphans

from . import spare_process

_PROGRAM = "spare"
_READY_SECONDS = 3.0  # for the last imports: a fresh process takes longer
_HELD_SECONDS = 5.0

_started: list[subprocess.Popen[bytes]] = []  # polled, so that no zombies stay


class SpareClient:
    """The spare process of a runtime directory."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._socket = runtime.path / "s" / f"{_PROGRAM}.sock"
        self._state = runtime.path / "programs" / f"{_PROGRAM}.json"

    def start(self, interpreter: str, imports: Path, environment: Mapping[str, str]) -> None:
        """Start a spare process with the imports in the JSON file ``imports``; it replaces the present one."""
        with self._runtime.lock(_PROGRAM):
            end_orphans(self._runtime, _PROGRAM)
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
                    start_new_session=True,  # it outlives the notebook
                )
            )

    def become(self, interpreter: str, plan: Path) -> bool:
        """Let the spare process become the process of a plan; False: none fits."""
        if not self._socket.exists() or read_json(self._state).get("interpreter") != interpreter:
            return False
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection, connection.makefile("rw") as stream:
            connection.settimeout(_READY_SECONDS)
            connection.connect(str(self._socket))
            if stream.readline() == "ready\n":
                stream.write(json.dumps({"plan": str(plan)}) + "\n")
                stream.flush()
                connection.settimeout(_HELD_SECONDS)
                return stream.readline() == "held\n"
        return False
