"""supervisord (PyPI ``supervisor``) as the one who keeps processes running.

One per runtime directory, started when it is first needed and stopped when nothing is left. It is a daemon
in a session of its own: neither a Ctrl-C in the terminal nor the end of the kernel reaches it.

It may be killed itself. What it ran goes on; its *keeper* (``keeper``), one of its own programs, starts
another one with the same configuration, whose processes adopt those that run (``launch``).

Its INI files cannot carry every value ('%' expands, ' ;' and ' #' start comments, a value with both kinds of quotes
has no spelling). So they carry none: each process has its plan in a JSON file, and the INI file names only paths
inside the runtime directory, which are plain.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from xml.parsers.expat import ExpatError

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.targets.local.releases import limits
from jupyter_deploy.targets.local.runtime import Runtime

from . import launch
from .orphans import clear, end_leftovers, forget, wait_until
from .rpc import UnixTransport

KEEPER = "keeper"

_START_SECONDS = 15.0
_ANSWER_SECONDS = 3.0
_STOP_SECONDS = 120.0
_AGAIN_SECONDS = 0.5
_POLL_SECONDS = 0.03

_ALIVE = ("STARTING", "RUNNING")


@dataclass(frozen=True)
class Program:
    """What to keep running.

    Attributes
    ----------
    name
        Letters, digits, ``-``, ``_`` and ``.``; also names the log files.
    commands
        One argument list a process; the program's path is absolute.
    stop_seconds
        How long it may take to end before it is killed.
    ready
        One path a process: a socket or file that it makes when it can do its work. A start that ended before has
        failed; one that had got so far is followed by another as often as it ends.
    retries
        After so many failed starts in a row and one more it is given up (``FATAL``).
    memory, cpu
        Bytes and processors that a process and all that come of it may use together (``limits``); None: any.
    clear
        Command lines that end what a former process of it may have left running outside of its group; they run before
        each start, and when it was stopped.
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


@dataclass(frozen=True)
class ProcessState:
    """One process as supervisord sees it; ``pid`` 0: none."""

    state: str
    pid: int
    detail: str

    @property
    def alive(self) -> bool:
        """Running, or on its way there."""
        return self.state in _ALIVE


Programs = Mapping[str, Sequence[ProcessState]]
"""The processes of programs, by their names."""


class SupervisorGone(TargetError):
    """Nobody answers at its socket."""

    code: ClassVar[str] = "supervisor_gone"


class Supervisor:
    """The supervisor of a runtime directory. Whoever changes anything holds the ``state`` lock."""

    def __init__(self, runtime: Runtime, logs: Path) -> None:
        self._runtime = runtime
        self._logs = logs
        self._socket = runtime.path / "supervisor.sock"

    def alive(self) -> bool:
        """Whether it answers.

        Raises
        ------
        TargetError
            It is there and does not answer.
        """
        try:
            self._call("getState")
        except SupervisorGone:
            return False
        return True

    def ensure(self) -> None:
        """Start it unless it runs; what an earlier one left running is adopted."""
        if self.alive():
            return
        end_leftovers(self._runtime, adoptable=False)
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
                umask=0o077,  # its own log is older than its own umask
                start_new_session=True,  # a Ctrl-C before it has become a daemon
            )
        except subprocess.TimeoutExpired as error:
            raise TargetError(
                f"the supervisor did not start within {_START_SECONDS:g} s", "try again when the machine is less busy"
            ) from error
        if started.returncode == 0 and wait_until(self.alive, _ANSWER_SECONDS):  # it has its socket by now
            return
        raise TargetError(
            "the supervisor did not start",
            f"see {self._logs / 'supervisord.log'}",
            (started.stdout + started.stderr).strip(),
        )

    def interrupted(self) -> bool:
        """Whether it was killed: it does not run, and what it was told to run is still written down."""
        return self._configuration.exists() and not self.alive()

    def add(self, program: Program, begin: Callable[[Path], object] = lambda _: None) -> None:
        """Run a program; one of the same name is replaced.

        ``begin`` is told the plan of its first process: what is that process already when it returns is adopted.
        """
        self.remove(program.name)
        self._write(program)
        begin(self._plan_path(program.name, 0))
        self._rpc("reloadConfig")
        self._rpc("addProcessGroup", program.name)

    def stop(self, name: str) -> None:
        """End a program's processes, gracefully if they can; returns when they have gone. Needs no lock."""
        begun = said = time.monotonic()
        while time.monotonic() < begun + _STOP_SECONDS:
            states = {state.state for state in self.states(name)}
            if states <= {"STOPPED", "FATAL"}:
                return
            # EXITED lasts a moment only, then it is started again: so this may have to be said again.
            if states & {"STARTING", "RUNNING", "BACKOFF"}:
                self._rpc("stopProcessGroup", name, False)
            elif time.monotonic() > said + _AGAIN_SECONDS:
                # A process that was forked a moment ago still has supervisord's signal handlers, and loses the signal.
                said = time.monotonic()
                self._rpc("signalProcessGroup", name, "TERM")
            time.sleep(_POLL_SECONDS)
        raise TargetError(f"{name} cannot be stopped", f"see {self._logs / 'supervisord.log'}")

    def remove(self, name: str) -> None:
        """Stop a program and forget it; does nothing when there is none."""
        if name in self.programs():
            self.stop(name)
            self._rpc("removeProcessGroup", name)
        self._ini(name).unlink(missing_ok=True)
        forget(self._runtime, name)  # one that was to be adopted when it was stopped
        clear(self._runtime, name)
        for path in (self._runtime.path / "programs").glob(f"{name}@*"):
            if path.suffix == ".limits":
                limits.undo(path)
            path.unlink(missing_ok=True)

    def programs(self) -> Programs:
        """All programs by name."""
        return _by_name(self._rpc("getAllProcessInfo"))

    def seen(self) -> Programs | None:
        """The same by one question, which starts nothing; None: nobody answers.

        Raises
        ------
        TargetError
            It is there and does not answer.
        """
        try:
            return _by_name(self._call("getAllProcessInfo"))
        except SupervisorGone:
            return None

    def states(self, name: str) -> Sequence[ProcessState]:
        """A program's processes; empty when there is no such program."""
        return self.programs().get(name, ())

    def shutdown(self) -> None:
        """Stop everything, itself too; returns when it has gone."""
        if not self.alive():
            return
        pid = int(self._rpc("getPID"))
        self.remove(KEEPER)  # or it would start another one
        # By itself it would stop one program after the other, with a second's pause between.
        self._rpc("stopAllProcesses", False)
        for name in self.programs():
            self.stop(name)
        self._rpc("shutdown")
        wait_until(lambda: not launch.alive(pid), _STOP_SECONDS)

    def limits(self, name: str, number: int = 0) -> Path:
        """Where it is written how a program's process is limited (``limits``)."""
        return self._runtime.path / "programs" / f"{name}@{number}.limits"

    def log(self, name: str, number: int = 0) -> Path:
        """The log of a program's process."""
        return self._logs / f"{name}-{number}.log"

    def _rpc(self, method: str, *arguments: Any) -> Any:
        """Ask it; one that was killed meanwhile is started again and asked once more."""
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
            # The last two: killed in the middle of its answer.
            raise SupervisorGone("the supervisor does not run", "'nbdeploy reconcile' starts it") from error
        except xmlrpc.client.Fault as fault:
            # Gone, or ended, in the moment between looking and asking: what was wanted is so.
            if fault.faultString.partition(":")[0] in ("NOT_RUNNING", "BAD_NAME") and method != "addProcessGroup":
                return None
            if method == "addProcessGroup" and fault.faultString.startswith("ALREADY_ADDED"):
                return None  # another one began meanwhile, with this program among the others
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
        """What the keeper makes when it has begun to watch."""
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
        write_atomic(self._ini(program.name), self._ini_text(program))

    def _plan_path(self, name: str, number: int) -> Path:
        return self._runtime.path / "programs" / f"{name}@{number}.json"

    def _plan(self, program: Program, number: int) -> dict[str, Any]:
        """What ``launch`` is told."""
        return {
            "command": list(program.commands[number]),
            "environment": dict(program.environment),
            "folder": str(program.folder),
            "hold": f"{self._runtime.path}/pids/{program.name}@{number}",
            "log": str(self.log(program.name, number).absolute()),
            "ready": program.ready[number],
            "retries": program.retries,
            "limits": {"memory": program.memory, "cpu": program.cpu}
            if program.memory is not None or program.cpu is not None
            else None,
            # The keeper is there for the time without a supervisor.
            "supervisor": None if program.name == KEEPER else f"{self._runtime.path}/supervisord.pid",
            "stop_seconds": max(program.stop_seconds - 1, 1),
            "clear": [list(command) for command in program.clear],
        }

    def _write_configuration(self) -> None:
        private_folder(self._logs)
        # The way to the logs is any path at all; the link to it has a plain name.
        link = self._runtime.path / "logs"
        link.unlink(missing_ok=True)
        link.symlink_to(self._logs.absolute())
        base = self._runtime.path
        write_atomic(
            self._configuration,
            "\n".join(
                [
                    "[supervisord]",
                    f"logfile={base}/logs/supervisord.log",
                    "logfile_maxbytes=1MB",
                    "logfile_backups=1",
                    f"pidfile={base}/supervisord.pid",
                    f"childlogdir={base}",
                    "umask=077",
                    "[unix_http_server]",
                    f"file={self._socket}",
                    "chmod=0700",
                    "[rpcinterface:supervisor]",
                    "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
                    "[include]",
                    f"files={base}/conf.d/*.ini",
                    "",
                ]
            ),
        )

    def _ini_text(self, program: Program) -> str:
        base = self._runtime.path
        return "\n".join(
            [
                f"[program:{program.name}]",
                f"command=/bin/sh {base}/programs/{program.name}@%(process_num)d",
                "process_name=%(process_num)d",
                f"numprocs={len(program.commands)}",
                f"directory={base}/empty",
                "autostart=true",
                # At once, whenever it ends, until launch gives it up: that counts what supervisord cannot.
                "autorestart=unexpected",
                f"exitcodes={launch.GIVEN_UP}",
                "startsecs=0",
                "stopsignal=TERM",
                f"stopwaitsecs={program.stop_seconds}",
                "stopasgroup=true",
                "killasgroup=true",
                "redirect_stderr=true",
                "stdout_logfile=NONE",  # see launch: each writes its log itself
                "",
            ]
        )


def _by_name(infos: Iterable[Mapping[str, Any]]) -> Programs:
    found: dict[str, list[ProcessState]] = {}
    for info in infos:
        given_up = info["statename"] == "EXITED" and info["exitstatus"] == launch.GIVEN_UP
        detail = "too many failed starts" if given_up else info["spawnerr"]
        name = "FATAL" if given_up else info["statename"]
        state = ProcessState(name, info["pid"], "" if name in _ALIVE else detail)
        found.setdefault(info["group"], []).append(state)
    return found
