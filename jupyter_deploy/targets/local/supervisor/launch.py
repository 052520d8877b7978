"""The last step before a supervised process: run as a script, it becomes the process (``exec``).

A program must run once, even if its supervisor is killed. So each process holds a lock (``flock``) on its own file in
``pids/``, which holds its process id, from before its start until its end: only then does the kernel release the lock.
If a new supervisor starts a process that still runs, this script *adopts* the running one: it waits until that ends,
forwards SIGTERM to it, and then takes its place.

A plan may name the socket of a zygote (``releases/zygote.py``). Then the process is the zygote's fork, which gets the
lock and the log; this script waits for its end as for an adopted one, and ends too. So it does for a process that may
become idle (``releases/activator.py``), whose end is then no failure.

It uses only the standard library, since it is started with ``-I -S``, in 20 ms.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

_POLL_SECONDS = 0.2
ORPHANS_SECONDS = 2.0
_MOST_FILES = 65536
_CLEAR_SECONDS = 60.0
_ZYGOTE_SECONDS = 5.0
_IMPORT_SECONDS = 30.0
_SECRET_SECONDS = 60.0
_WORD, _READY = 16, b"ready\n"
_TRIES = 3

GIVEN_UP = 213
"""The exit code after which supervisord does not restart the process."""

IDLE = 214
"""The exit code of a process that the activator starts again."""

START = "start"
"""The content of the file ``.idle`` while the activator starts the process."""


def main(path: Path) -> None:
    """Become the process that the plan at ``path`` describes (see ``supervisord._plan``)."""
    plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    log = _write_to(plan["log"])
    adoption = _Adoption(plan)
    hold = adoption.wait()
    idle = path.with_suffix(".idle")
    if idle.exists() and idle.read_text() != START:  # a new supervisor starts all its programs
        sys.exit(IDLE)
    if not idle.exists():  # else the socket is the activator's, which counts the starts
        _count(Path(plan["ready"]), path.with_suffix(".starts"), plan["retries"])
    if (plan["zygote"] and _fork(plan, path, hold, log)) or (plan["idles"] and os.fork()):
        os.close(hold)
        os.close(adoption.wait(own=True))
        # As any process that has ended by itself, it is started again, unless the activator does that.
        sys.exit(IDLE if idle.exists() else 1)
    if plan["idles"]:
        os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.close(log)
    _begin(plan, path, hold)
    environment = environment_of(plan)
    os.chdir(plan["folder"])
    clear(plan)
    os.execve(plan["command"][0], plan["command"], environment)


def environment_of(plan: dict[str, Any]) -> dict[str, str]:
    """Return the variables of the plan's process, with the present values of its secrets; exit if one cannot be read.

    A value is in no plan: each start reads it anew.
    """
    return {**plan["environment"], **{name: _secret(name, source) for name, source in plan["secrets"].items()}}


def _secret(name: str, source: dict[str, Any]) -> str:
    try:
        text = Path(source["file"]).read_text("utf-8", "surrogateescape") if "file" in source else _printed(source)
    except (OSError, ValueError) as error:
        _say(f"the secret {name} cannot be read: {getattr(error, 'strerror', '') or error}")
        sys.exit(1)
    return text.removesuffix("\n").removesuffix("\r")


def _printed(source: dict[str, Any]) -> str:
    """Return the output of a command; raise OSError if it fails."""
    import subprocess

    try:
        return subprocess.run(
            source["run"],
            env=source["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_SECRET_SECONDS,
            check=True,
        ).stdout
    except subprocess.SubprocessError as error:
        raise OSError(type(error).__name__) from error


def take_over(plan: dict[str, Any], path: Path, hold: int, log: int) -> None:
    """Become the plan's process as the fork of a zygote; ``hold`` and ``log``: descriptors of its lock and its log."""
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.set_inheritable(hold, True)
    _begin(plan, path, hold)


def _begin(plan: dict[str, Any], path: Path, hold: int) -> None:
    """Write this process's id and identity, and apply its limits."""
    # Of constant length, so that a reader never sees a part.
    os.pwrite(hold, f"{os.getpid():<10}\n".encode(), 0)
    _identify(Path(plan["identity"]), plan["stop_seconds"])
    _open_files()
    limits = plan.get("limits")
    if limits:
        _bind(limits, plan["hold"], path.with_suffix(".limits"))


def _fork(plan: dict[str, Any], path: Path, hold: int, log: int) -> bool:
    """Have the zygote fork the plan's process, which gets the lock and the log; False: no zygote fits."""
    until = time.monotonic() + _ZYGOTE_SECONDS
    while not Path(plan["zygote"]).with_suffix(".unfit").exists():
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(plan["zygote"])
                connection.settimeout(_IMPORT_SECONDS)
                if connection.recv(_WORD) != _READY:
                    return False
                with suppress(OSError):  # a fork whose answer is lost has the lock all the same
                    socket.send_fds(connection, [f"{path}\n".encode()], [hold, log])
                    connection.recv(_WORD)
                return True
        except (FileNotFoundError, ConnectionRefusedError):  # it is being restarted
            if time.monotonic() > until:
                return False
            time.sleep(_POLL_SECONDS / 10)
        except OSError:
            return False
    return False


def clear(plan: dict[str, Any]) -> None:
    """End what a former process left running outside of its group; if that fails, exit."""
    for command in plan.get("clear") or ():
        why = cleared(command, plan["environment"], plan["stop_seconds"])
        if why:
            _say(why)
            sys.exit(1)


def cleared(command: list[str], environment: dict[str, str], seconds: float) -> str:
    """Run a command that ends a container; returns the reason of a failure, or an empty text.

    ``seconds``: the time that the container may take to end.
    If its monitor was killed, podman fails the first time and succeeds the next.
    """
    import subprocess

    output = ""
    for _ in range(_TRIES):
        try:
            ended = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds + _CLEAR_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        output = ended.stderr.strip()
        if ended.returncode == 0 or "no such container" in output.lower():
            return ""
    return output or f"{command[0]} ended with {ended.returncode}"


def _write_to(log: str) -> int:
    """Send output directly to the log, so that it does not end with the supervisor; returns the log's descriptor."""
    # The supervisor's pipe stays open: its closure tells the supervisor at once that the process has ended.
    os.set_inheritable(os.dup(1), True)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(file, stream)
    return file


class _Adoption:
    """Waits for the lock of a plan's process while another process holds it, and forwards SIGTERM to that one.

    If the supervisor's process id, in the file that the plan names, is not that of this process's parent, it exits: the
    parent was killed, and a process of the next supervisor waits for the lock too.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._path, self._supervisor = Path(plan["hold"]), plan["supervisor"]
        self._stop_seconds = plan["stop_seconds"]
        self._until = 0.0  # a stop was requested: until then the process may end by itself
        self._hold, self._signalled = -1, 0
        signal.signal(signal.SIGTERM, self._stop)

    def wait(self, *, own: bool = False) -> int:
        """Return the descriptor of the lock, once this process has it; exit if it must not run.

        ``own``: the other process is the fork that this process requested.
        """
        hold = self._open()
        adopted, gone = 0, 0.0
        while not locked(hold):
            if _orphaned(self._supervisor):
                sys.exit(0)
            pid = holder(hold)
            if pid != adopted:
                adopted, gone = pid, 0.0
                if not own:
                    _say(f"process {pid} runs already: adopted")
            if self._until and time.monotonic() > self._until:
                signal_group(pid, signal.SIGKILL)
            elif self._until and pid != self._signalled:
                self._signal(pid)
            if alive(pid):
                _wait(pid)
                continue
            # It has ended, and its descendants still hold the lock.
            signal_group(pid, signal.SIGKILL)
            gone = gone or time.monotonic()
            if time.monotonic() > gone + ORPHANS_SECONDS:
                # A descendant outside of its group: it serves nothing and must not block the start.
                self._path.unlink(missing_ok=True)
                os.close(hold)
                hold = self._open()
            time.sleep(_POLL_SECONDS / 10)
        forgotten = not (self._path.exists() and self._path.samefile(f"/dev/fd/{hold}"))
        if self._until or forgotten or _orphaned(self._supervisor):
            sys.exit(0)
        os.pwrite(hold, f"{0:<10}\n".encode(), 0)  # not written yet
        return hold

    def _open(self) -> int:
        self._hold = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        os.set_inheritable(self._hold, True)
        return self._hold

    def _stop(self, *_: object) -> None:
        self._until = time.monotonic() + self._stop_seconds
        self._signal(holder(self._hold))

    def _signal(self, pid: int) -> None:
        self._signalled = pid
        signal_group(pid, signal.SIGTERM)


def _identify(path: Path, stop_seconds: float) -> None:
    """Write this process's identity, which finds it also without the runtime directory (see ``identities``)."""
    with suppress(OSError, ImportError):  # a full disk; without /proc the mark needs another library
        processes = _by_path(Path(__file__).parents[3] / "system" / "processes.py")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            identity = f"{os.getpid()} {processes.process_mark(os.getpid())}\n{stop_seconds}\n"
            os.write(file, identity.encode())
        finally:
            os.close(file)


def _orphaned(supervisor: str | None) -> bool:
    if supervisor is None:
        return False
    try:
        return os.getppid() != int(Path(supervisor).read_text())
    except (OSError, ValueError):
        return True


def locked(hold: int) -> bool:
    """Take the lock on a process's file if it is free; returns whether it was."""
    try:
        fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(hold: int) -> int:
    """The process id in a process's file; 0: not written yet."""
    text = os.pread(hold, 32, 0).split()
    return int(text[0]) if text and text[0].isdigit() else 0


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not, 0 (not written yet) does."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if pid == 0:
            return True
        if Path("/proc/self/stat").exists():
            return False
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True
    return stat.rpartition(")")[2].split()[0] != "Z"


def _wait(pid: int) -> None:
    """Wait until the process ends, a signal arrives or a moment has passed."""
    if pid and hasattr(os, "pidfd_open"):
        with suppress(OSError):
            handle = os.pidfd_open(pid)
            try:
                select.select([handle], [], [], _POLL_SECONDS)
            finally:
                os.close(handle)
            return
    time.sleep(_POLL_SECONDS)


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process's group, which each supervised process leads."""
    if pid > 1:
        with suppress(OSError):
            os.killpg(pid, number)


def _count(ready: Path, starts: Path, retries: int) -> None:
    """Exit for good after too many starts in a row that did not become ready.

    The run time is no criterion: one process loads for a minute, another is killed often. The file or socket that a
    ready process makes is.
    """
    failures = 0
    if ready.exists():
        ready.unlink()
    elif starts.exists():
        with suppress(ValueError):
            failures = int(starts.read_text()) + 1
    if failures > retries:
        _say(f"{failures} starts in a row have failed: given up; the reason is above")
        sys.exit(GIVEN_UP)
    starts.write_text(str(failures))
    time.sleep(min(failures, 5))


def _bind(limits: dict[str, Any], name: str, state: Path) -> None:
    """Apply the limits to this process, and write them to ``state``."""
    module = _by_path(Path(__file__).parents[1] / "releases" / "limits.py")
    enforced = module.enforce(limits["memory"], limits["cpu"], name)
    state.write_text(json.dumps(enforced), encoding="utf-8")


def _by_path(file: Path) -> ModuleType:
    """Import a module of this package that uses only the standard library."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _say(text: str) -> None:
    with suppress(OSError):  # a full disk
        os.write(2, f"{text}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
