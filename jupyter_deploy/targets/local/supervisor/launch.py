"""The last step before a supervised process: run as a script, it becomes the process (``exec``).

A program must run once, even if its supervisor is killed. So each process holds a lock (``flock``) on its own file in
``pids/``, which holds its process id, from before its start until its end: only then does the kernel release the lock.
If a new supervisor starts a process that still runs, this script *adopts* the running one: it waits until that ends,
forwards SIGTERM to it, and then takes its place.

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
_TRIES = 3

GIVEN_UP = 213
"""The exit code after which supervisord does not restart the process."""


def main(path: Path) -> None:
    """Become the process that the plan at ``path`` describes (see ``supervisord._plan``)."""
    plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    begin(plan, path, supervisor=plan["supervisor"])
    os.chdir(plan["folder"])
    clear(plan)
    os.execve(plan["command"][0], plan["command"], plan["environment"])


def begin(plan: dict[str, Any], path: Path, *, supervisor: str | None = None) -> None:
    """Take the lock, the log and the limits of the plan's process; ``supervisor``: see ``_hold``."""
    _write_to(plan["log"])
    _hold(Path(plan["hold"]), plan["stop_seconds"], supervisor)
    _identify(Path(plan["identity"]))
    _count(Path(plan["ready"]), path.with_suffix(".starts"), plan["retries"])
    _open_files()
    limits = plan.get("limits")
    if limits:
        _bind(limits, plan["hold"], path.with_suffix(".limits"))


def clear(plan: dict[str, Any]) -> None:
    """End what a former process left running outside of its group; if that fails, exit."""
    for command in plan.get("clear") or ():
        why = cleared(command, plan["environment"])
        if why:
            _say(why)
            sys.exit(1)


def cleared(command: list[str], environment: dict[str, str]) -> str:
    """Run a command that ends a container; returns the reason of a failure, or an empty text.

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
                timeout=_CLEAR_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        output = ended.stderr.strip()
        if ended.returncode == 0 or "no such container" in output.lower():
            return ""
    return output or f"{command[0]} ended with {ended.returncode}"


def _write_to(log: str) -> None:
    """Send output directly to the log, so that it does not end with the supervisor."""
    # The supervisor's pipe stays open: its closure tells the supervisor at once that the process has ended.
    os.set_inheritable(os.dup(1), True)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def _hold(path: Path, stop_seconds: float, supervisor: str | None) -> None:
    """Wait for the lock of this process, take it, and write this process id.

    ``supervisor``: the file with the supervisor's process id. If that is not this process's parent, exit: the parent
    was killed, and a process of the next supervisor waits for the lock too.
    """
    until: list[float] = []

    def stop(*_: object) -> None:
        until.append(time.monotonic() + stop_seconds)
        signal_group(holder(hold), signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    hold = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(hold, True)
    adopted, gone = 0, 0.0
    while not locked(hold):
        if _orphaned(supervisor):
            sys.exit(0)
        pid = holder(hold)
        if pid != adopted:
            adopted, gone = pid, 0.0
            _say(f"process {pid} runs already: adopted")
        if until and time.monotonic() > until[0]:
            signal_group(pid, signal.SIGKILL)
        if alive(pid):
            _wait(pid)
            continue
        # It has ended, and its descendants still hold the lock.
        signal_group(pid, signal.SIGKILL)
        gone = gone or time.monotonic()
        if time.monotonic() > gone + ORPHANS_SECONDS:
            # A descendant outside of its group: it serves nothing and must not block the start.
            path.unlink(missing_ok=True)
            os.close(hold)
            hold = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.set_inheritable(hold, True)
        time.sleep(_POLL_SECONDS / 10)
    forgotten = not (path.exists() and path.samefile(f"/dev/fd/{hold}"))
    if until or forgotten or _orphaned(supervisor):
        sys.exit(0)
    # Of constant length, so that a reader never sees a part.
    os.pwrite(hold, f"{os.getpid():<10}\n".encode(), 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _identify(path: Path) -> None:
    """Write this process's identity, which finds it also without the runtime directory (see ``identities``)."""
    with suppress(OSError, ImportError):  # a full disk; without /proc the mark needs another library
        processes = _by_path(Path(__file__).parents[3] / "system" / "processes.py")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(file, f"{os.getpid()} {processes.process_mark(os.getpid())}\n".encode())
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
