"""supervisord (PyPI ``supervisor``), which keeps processes running.

There is one per runtime directory; it starts with the first program and stops with the last. It is a daemon in a
session of its own: neither a Ctrl-C in the terminal nor the end of the kernel reaches it.

If it is killed, its processes continue. Its *keeper* (``keeper``), one of its own programs, starts another one with
the same configuration, whose processes adopt the running ones (``launch``).

Its INI files cannot hold every value ('%' expands, ' ;' and ' #' start comments, a value with both kinds of quotes
has no spelling). So each process has its plan in a JSON file, and the INI file names only paths inside the runtime
directory, which are plain.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from xml.parsers.expat import ExpatError

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.targets.local.releases import limits
from jupyter_deploy.targets.local.runtime import Runtime, read_json

from . import configuration, launch
from .identities import SUPERVISOR, Identities
from .orphans import GATEWAY, clear, end_orphans, forget, wait_until
from .rpc import UnixTransport

KEEPER = "keeper"

_START_SECONDS = 15.0
_ANSWER_SECONDS = 3.0
_STOP_SECONDS = 120.0  # beyond the time that a program has
_AGAIN_SECONDS = 0.5
_POLL_SECONDS = 0.03

_ALIVE = ("STARTING", "RUNNING")


@dataclass(frozen=True)
class Program:
    """A program to keep running.

    Attributes
    ----------
    name
        Letters, digits, ``-``, ``_`` and ``.``; also names the log files.
    commands
        One argument list a process; the program's path is absolute.
    stop_seconds
        Seconds from SIGTERM until it is killed.
    ready
        One path a process: a socket or file that it makes when it is ready. A start that ends earlier has failed;
        a process that was ready is restarted as often as it ends.
    retries
        Failed starts in a row that are tolerated; one more is ``FATAL``.
    memory, cpu
        Bytes and processors for a process with its descendants (``limits``); None: any.
    clear
        Command lines that end orphans of a former process outside of its group; they run before each start and after
        a stop.
    zygote
        The socket of a zygote that may fork the program's process (``launch``); None: it starts on its own.
    idles
        Whether the process may end because it is idle.
    secrets
        How ``launch`` gets the values of further variables at each start: ``{"file": PATH}`` or ``{"run": COMMAND}``.
    """

    name: str
    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    folder: Path
    stop_seconds: int
    ready: Sequence[str]
    retries: int = 5
    memory: int | None = None
    cpu: float | None = None
    clear: Sequence[Sequence[str]] = ()
    zygote: str | None = None
    idles: bool = False
    secrets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class ProcessState:
    """The state of a process according to supervisord; ``pid`` 0: none."""

    state: str
    pid: int
    detail: str

    @property
    def alive(self) -> bool:
        """Running or starting."""
        return self.state in _ALIVE


Programs = Mapping[str, Sequence[ProcessState]]
"""The processes of programs, by the programs' names."""


class SupervisorGone(TargetError):
    """No supervisor answers on the socket."""

    code: ClassVar[str] = "supervisor_gone"


class Supervisor:
    """The supervisor of a runtime directory. A caller that changes anything holds the ``state`` lock."""

    def __init__(self, runtime: Runtime, logs: Path) -> None:
        self._runtime = runtime
        self._logs = logs
        self._socket = runtime.path / "supervisor.sock"
        self.identities = Identities(logs.parent)

    def alive(self) -> bool:
        """Whether the supervisor runs. Raises TargetError if it runs and does not answer."""
        try:
            self._call("getState")
        except SupervisorGone:
            return False
        return True

    def ensure(self) -> None:
        """Start the supervisor unless it runs; it adopts the processes of an earlier one.

        Processes of a runtime directory that was removed cannot be adopted: they end first.
        """
        if not self._configuration.exists():
            self.identities.end()
        if self.alive():
            return
        end_orphans(self._runtime, adoptable=False)
        self._socket.unlink(missing_ok=True)
        self._write_configuration()
        self._write(self._keeper())
        command = [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(self._configuration)]
        try:
            started = subprocess.run(
                command,
                env=passed_on(os.environ),
                cwd=self._runtime.path / "empty",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_START_SECONDS,
                check=False,
                umask=0o077,  # it opens its log before it sets its own umask
                start_new_session=True,  # protects it from Ctrl-C until it is a daemon
            )
        except subprocess.TimeoutExpired as error:
            raise TargetError(
                f"the supervisor did not start within {_START_SECONDS:g} s", "try again when the machine is less busy"
            ) from error
        if started.returncode == 0 and wait_until(self.alive, _ANSWER_SECONDS):
            self.identities.write(f"{SUPERVISOR}@0", int(self._call("getPID")))
            return
        raise TargetError(
            "the supervisor did not start",
            f"see {self._logs / 'supervisord.log'}",
            (started.stdout + started.stderr).strip(),
        )

    def interrupted(self) -> bool:
        """Whether the supervisor was killed: it does not run, and its configuration still exists."""
        return self._configuration.exists() and not self.alive()

    def damaged(self) -> bool:
        """Whether the supervisor runs and its files were removed."""
        return not self._configuration.exists() and self.alive()

    def add(self, program: Program) -> None:
        """Run a program in place of one of the same name."""
        self.remove(program.name)
        self._write(program)
        self._rpc("reloadConfig")
        self._rpc("addProcessGroup", program.name)

    def start(self, name: str) -> None:
        """Start a program that has ended; does nothing if it runs."""
        self._rpc("startProcessGroup", name, False)

    def stop(self, name: str) -> None:
        """End a program's processes gracefully and return when they have ended. Needs no lock."""
        signalled = time.monotonic()
        deadline = signalled + read_json(self._plan_path(name, 0)).get("stop_seconds", 0) + _STOP_SECONDS
        while time.monotonic() < deadline:
            states = {state.state for state in self.states(name)}
            if states <= {"STOPPED", "FATAL", "IDLE"}:
                return
            # EXITED is followed by a restart: the request may have to be repeated.
            if states & {"STARTING", "RUNNING", "BACKOFF"}:
                self._rpc("stopProcessGroup", name, False)
            elif time.monotonic() > signalled + _AGAIN_SECONDS:
                # A process that was just forked still has supervisord's signal handlers and loses the signal.
                signalled = time.monotonic()
                self._rpc("signalProcessGroup", name, "TERM")
            time.sleep(_POLL_SECONDS)
        raise TargetError(f"{name} cannot be stopped", f"see {self._logs / 'supervisord.log'}")

    def remove(self, name: str) -> None:
        """Stop a program and remove its files; does nothing if there is none."""
        if name in self.programs():
            self.stop(name)
            self._rpc("removeProcessGroup", name)
        self._ini(name).unlink(missing_ok=True)
        forget(self._runtime, name)  # a process that still waited for adoption
        clear(self._runtime, name)
        self.identities.forget(name)
        for path in (self._runtime.path / "programs").glob(f"{name}@*"):
            if path.suffix == ".limits":
                limits.undo(path)
            path.unlink(missing_ok=True)

    def programs(self) -> Programs:
        """All programs by name."""
        return _by_name(self._rpc("getAllProcessInfo"))

    def seen(self) -> Programs | None:
        """All programs by name, without starting a supervisor; None: it does not run.

        Raises TargetError if the supervisor does not answer.
        """
        try:
            return _by_name(self._call("getAllProcessInfo"))
        except SupervisorGone:
            return None

    def states(self, name: str) -> Sequence[ProcessState]:
        """A program's processes; empty: there is no such program."""
        return self.programs().get(name, ())

    def shutdown(self) -> None:
        """Stop all programs and the supervisor; returns when it has ended."""
        if not self.alive():
            return
        pid = int(self._rpc("getPID"))
        self.remove(KEEPER)  # or it starts another supervisor
        # Its own shutdown stops one program after the other, with pauses of a second.
        programs = self.programs()
        for names in (programs.keys() - {GATEWAY}, programs.keys() & {GATEWAY}):
            for name in names:
                self._rpc("stopProcessGroup", name, False)
            for name in names:
                self.stop(name)
        self._rpc("shutdown")
        wait_until(lambda: not launch.alive(pid), _STOP_SECONDS)

    def limits(self, name: str, number: int = 0) -> Path:
        """The file with the limits of a program's process (``limits``)."""
        return self._runtime.path / "programs" / f"{name}@{number}.limits"

    def log(self, name: str, number: int = 0) -> Path:
        """The log of a program's process."""
        return self._logs / f"{name}-{number}.log"

    def _rpc(self, method: str, *arguments: Any) -> Any:
        """Call the supervisor; if it was killed meanwhile, start it again and repeat the call."""
        try:
            return self._call(method, *arguments)
        except SupervisorGone:
            if not self._configuration.exists():
                raise
        with self._runtime.lock():
            self.ensure()
        return self._call(method, *arguments)

    def _call(self, method: str, *arguments: Any) -> Any:
        server = xmlrpc.client.ServerProxy("http://supervisor", transport=UnixTransport(str(self._socket)))
        try:
            return getattr(server.supervisor, method)(*arguments)
        except TimeoutError as error:
            raise TargetError(
                "the supervisor does not answer", f"see {self._logs / 'supervisord.log'}; if it hangs, kill it"
            ) from error
        except (OSError, http.client.HTTPException, ExpatError, xmlrpc.client.ResponseError) as error:
            # The last two: killed while it answered.
            raise SupervisorGone("the supervisor does not run", "'nbdeploy reconcile' starts it") from error
        except xmlrpc.client.Fault as fault:
            # The process ended between observation and call: the call's purpose is met.
            if fault.faultString.partition(":")[0] in ("NOT_RUNNING", "BAD_NAME") and method != "addProcessGroup":
                return None
            if method == "addProcessGroup" and fault.faultString.startswith("ALREADY_ADDED"):
                return None  # a new supervisor started meanwhile with this program
            raise TargetError(f"the supervisor refused {method}: {fault.faultString}") from fault
        except xmlrpc.client.ProtocolError as error:
            raise TargetError(
                f"the supervisor answered {method} with {error.errcode} {error.errmsg}",
                f"see {self._logs / 'supervisord.log'}",
            ) from error
        finally:
            server("close")()

    @property
    def _configuration(self) -> Path:
        return self._runtime.path / "supervisord.conf"

    def _ini(self, name: str) -> Path:
        return self._runtime.path / "conf.d" / f"{name}.ini"

    @property
    def keeper_ready(self) -> Path:
        """The file that the keeper makes when it watches."""
        return self._runtime.path / "keeper.ready"

    def _keeper(self) -> Program:
        module = f"{__package__}.{KEEPER}"
        return Program(
            name=KEEPER,
            commands=[[sys.executable, "-P", "-m", module, str(self._runtime.path), str(self._logs.absolute())]],
            environment=passed_on(os.environ),
            folder=self._runtime.path / "empty",
            stop_seconds=5,
            ready=[str(self.keeper_ready)],
        )

    def _write(self, program: Program) -> None:
        for number in range(len(program.commands)):
            path = self._plan_path(program.name, number)
            write_atomic(path, json.dumps(self._plan(program, number)))
            interpreter = [sys.executable, "-I", "-S", str(Path(launch.__file__).absolute()), str(path)]
            write_atomic(path.with_suffix(""), f"exec {shlex.join(interpreter)}\n")
        text = configuration.program_text(
            self._runtime.path, program.name, processes=len(program.commands), stop_seconds=program.stop_seconds
        )
        write_atomic(self._ini(program.name), text)

    def _plan_path(self, name: str, number: int) -> Path:
        return self._runtime.path / "programs" / f"{name}@{number}.json"

    def _plan(self, program: Program, number: int) -> dict[str, Any]:
        """The plan of a process, for ``launch``."""
        return {
            "command": list(program.commands[number]),
            "environment": dict(program.environment),
            "folder": str(program.folder),
            "hold": f"{self._runtime.path}/pids/{program.name}@{number}",
            "identity": str(self.identities.path(f"{program.name}@{number}").absolute()),
            "log": str(self.log(program.name, number).absolute()),
            "ready": program.ready[number],
            "retries": program.retries,
            "limits": {"memory": program.memory, "cpu": program.cpu}
            if program.memory is not None or program.cpu is not None
            else None,
            # The keeper must run without a supervisor.
            "supervisor": None if program.name == KEEPER else f"{self._runtime.path}/supervisord.pid",
            "stop_seconds": max(program.stop_seconds - 1, 1),
            "clear": [list(command) for command in program.clear],
            "zygote": program.zygote,
            "idles": program.idles,
            "secrets": {name: dict(source) for name, source in program.secrets.items()},
        }

    def _write_configuration(self) -> None:
        private_folder(self._logs)
        # The path of the logs may have any characters; the link to it is plain.
        link = self._runtime.path / "logs"
        link.unlink(missing_ok=True)
        link.symlink_to(self._logs.absolute())
        write_atomic(self._configuration, configuration.supervisor_text(self._runtime.path, self._socket))


def _by_name(infos: Iterable[Mapping[str, Any]]) -> Programs:
    states: dict[str, list[ProcessState]] = {}
    for info in infos:
        exited = info["statename"] == "EXITED"
        given_up = exited and info["exitstatus"] == launch.GIVEN_UP
        detail = "too many failed starts" if given_up else info["spawnerr"]
        idle = exited and info["exitstatus"] == launch.IDLE
        name = "FATAL" if given_up else "IDLE" if idle else info["statename"]
        state = ProcessState(name, info["pid"], "" if name in _ALIVE else detail)
        states.setdefault(info["group"], []).append(state)
    return states
