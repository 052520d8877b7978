"""supervisord (PyPI ``supervisor``) as the one who keeps processes running.

One per runtime directory, started when it is first needed and stopped when nothing is left. It is a daemon
in a session of its own: neither a Ctrl-C in the terminal nor the end of the kernel reaches it.

Its INI files cannot carry every value ('%' expands, ' ;' and ' #' start comments, a value with both kinds of quotes
has no spelling). So they carry none: each process has a small shell script, where quoting is
well defined, and the INI file names only paths inside the runtime directory, which are plain.
"""

from __future__ import annotations

import http.client
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.processes import passed_on
from jupyter_deploy.home import private_folder

from .runtime import Runtime, write_atomic

_RPC_SECONDS = 10.0
_START_SECONDS = 15.0
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
        One argument list a process.
    start_seconds
        A process that ends sooner has failed to start, and is tried again ``retries`` times and no more.
    stop_seconds
        How long it may take to end before it is killed.
    """

    name: str
    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    folder: Path
    start_seconds: int
    retries: int
    stop_seconds: int


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
            self._rpc("getState")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def ensure(self) -> None:
        """Start it unless it runs.

        What an earlier one left running after ``kill -9`` is ended first: a second gateway could not have the port.
        """
        if self.alive():
            return
        end_leftovers(self._runtime)
        self._socket.unlink(missing_ok=True)
        self._write_configuration()
        command = [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(self._configuration)]
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
        if started.returncode == 0 and wait_until(self.alive, _START_SECONDS):
            return
        raise TargetError(
            "the supervisor did not start",
            f"see {self._logs / 'supervisord.log'}",
            (started.stdout + started.stderr).strip(),
        )

    def add(self, program: Program) -> None:
        """Run a program; one of the same name is replaced."""
        self.remove(program.name)
        for number, command in enumerate(program.commands):
            write_atomic(self._script(program.name, number), self._script_text(program, number, command))
        write_atomic(self._ini(program.name), self._ini_text(program))
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
        for folder in ("programs", "pids"):
            for path in (self._runtime.path / folder).glob(f"{name}@*"):
                path.unlink(missing_ok=True)

    def programs(self) -> dict[str, list[ProcessState]]:
        """All programs by name."""
        found: dict[str, list[ProcessState]] = {}
        for info in self._rpc("getAllProcessInfo"):
            detail = info["spawnerr"] if info["statename"] not in _ALIVE else ""
            state = ProcessState(info["statename"], info["pid"], detail)
            found.setdefault(info["group"], []).append(state)
        return found

    def states(self, name: str) -> list[ProcessState]:
        """A program's processes; empty when there is no such program."""
        return self.programs().get(name, [])

    def shutdown(self) -> None:
        """Stop everything, itself too; returns when it has gone."""
        with suppress(FileNotFoundError, ConnectionRefusedError):
            pid = int(self._rpc("getPID"))
            # By itself it would stop one program after the other, with a second's pause between.
            self._rpc("stopAllProcesses", False)
            for name in self.programs():
                self.stop(name)
            self._rpc("shutdown")
            wait_until(lambda: not _exists(pid), _STOP_SECONDS)

    def log(self, name: str, number: int = 0) -> Path:
        """The log of a program's process."""
        return self._logs / f"{name}-{number}.log"

    def _rpc(self, method: str, *arguments: Any) -> Any:
        server = xmlrpc.client.ServerProxy("http://supervisor", transport=_UnixTransport(str(self._socket)))
        try:
            return getattr(server.supervisor, method)(*arguments)
        except TimeoutError as error:
            raise TargetError(
                "the supervisor does not answer", f"see {self._logs / 'supervisord.log'}; if it hangs, kill it"
            ) from error
        except xmlrpc.client.Fault as fault:
            # Gone, or ended, in the moment between looking and asking: what was wanted is so.
            if fault.faultString.partition(":")[0] in ("NOT_RUNNING", "BAD_NAME") and method != "addProcessGroup":
                return None
            raise TargetError(f"the supervisor refused {method}: {fault.faultString}") from fault
        finally:
            server("close")()

    @property
    def _configuration(self) -> Path:
        return self._runtime.path / "supervisord.conf"

    def _ini(self, name: str) -> Path:
        return self._runtime.path / "conf.d" / f"{name}.ini"

    def _script(self, name: str, number: int) -> Path:
        return self._runtime.path / "programs" / f"{name}@{number}"

    def _write_configuration(self) -> None:
        private_folder(self._logs)
        # The way to the logs is any path at all; the link to it has a plain name.
        link = self._runtime.path / "logs"
        link.unlink(missing_ok=True)
        link.symlink_to(self._logs.absolute())
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] % (1 << 63), 65536)
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
                    f"minfds={files}",
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
                "autorestart=true",
                f"startsecs={program.start_seconds}",
                f"startretries={program.retries}",
                "stopsignal=TERM",
                f"stopwaitsecs={program.stop_seconds}",
                "stopasgroup=true",
                "killasgroup=true",
                "redirect_stderr=true",
                f"stdout_logfile={base}/logs/{program.name}-%(process_num)d.log",
                "stdout_logfile_maxbytes=10MB",
                "stdout_logfile_backups=2",
                "",
            ]
        )

    def _script_text(self, program: Program, number: int, command: Sequence[str]) -> str:
        variables = [f"{name}={value}" for name, value in sorted(program.environment.items())]
        return "\n".join(
            [
                # exec keeps the process id: it is the program's own.
                f"echo $$ > {self._runtime.path}/pids/{program.name}@{number}",
                f"cd {shlex.quote(str(program.folder))} || exit 71",
                f"exec env -i {shlex.join(variables)} {shlex.join(command)}",
                "",
            ]
        )


def end_leftovers(runtime: Runtime) -> None:
    """End processes whose supervisor has gone: SIGTERM, and after five seconds SIGKILL.

    A process id may belong to somebody else by now: only those whose command line speaks of this runtime
    directory are ours.
    """
    pids: list[int] = []
    for path in (runtime.path / "pids").glob("*"):
        with suppress(OSError, ValueError):
            pid = int(path.read_text())
            if f"{runtime.path}/" in _command_line(pid):
                pids.append(pid)
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        for pid in pids:
            with suppress(OSError):
                os.killpg(pid, number)
        deadline = time.monotonic() + seconds
        while pids and time.monotonic() < deadline:
            pids = [pid for pid in pids if _exists(pid)]
            time.sleep(_POLL_SECONDS)


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = _POLL_SECONDS) -> bool:
    """Wait for a condition; False when the time is over."""
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


def _exists(pid: int) -> bool:
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


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_RPC_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_RPC_SECONDS)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a unix socket with a time limit; supervisor's own transport has none."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002 - the socket is the address
        return _UnixConnection(self._path)
