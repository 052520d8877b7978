"""Identity and liveness of processes, also in a home that containers or hosts share.

A process id and a start time identify a process within one boot and one PID namespace. Elsewhere the id may belong to
another process, or to none. Each registered process therefore also holds a lock (``flock``) on its own file in the
home's ``processes/`` until its end. Every container on the same kernel sees this lock, and so do other hosts if the
network file system supports locks, which SQLite needs too.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import platform
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

_LOCKS: dict[Path, int] = {}


def process_mark(pid: int) -> str:
    """Return the mark that distinguishes a process from a later one with the same id; empty: the process has ended.

    The mark holds the boot, the kernel's ticks since the boot, which setting the clock does not change, the PID
    namespace, and the host's name for people.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot, namespace = _boot_and_namespace()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _psutil_mark(pid)
    if fields[0] in "ZX":
        return ""
    return f"{boot} {fields[19]} {namespace} {platform.node()}"  # field 22 of proc(5), counted from the third


def started_at(pid: int) -> datetime | None:
    """The start of a process, the same at each call; None: it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    if boot is None:
        return None
    # proc_pid_stat(5): field 22, of which the first two precede the name's last bracket.
    return datetime.fromtimestamp(int(boot[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK"), UTC)


def register(home: Path, pid: int) -> str:
    """Return ``process_mark``; for the current process also hold its lock, so that others see it as alive."""
    at = process_mark(pid)
    if at and pid == os.getpid():
        _lock(_file(home, pid, at))
    return at


def is_alive(home: Path, pid: int | None, at: str) -> bool:
    """Whether a registered process is alive. A process on another host whose state is unknown counts as alive."""
    if pid is None or not at:
        return False
    if other_host(at) is None:
        return process_mark(pid) == at
    return _is_locked(_file(home, pid, at))


def other_host(at: str) -> str | None:
    """Return the host's name if a process was registered in another PID namespace or boot; None: in this one."""
    noted = at.split(" ", 3)
    if len(noted) < 4 or not Path("/proc/self/stat").exists():
        return None
    return None if (noted[0], noted[2]) == _boot_and_namespace() else noted[3]


def before_boot(at: str) -> bool:
    """Whether a process was registered in an earlier boot of this host, compared by name."""
    return other_host(at) == platform.node() and at.split(" ", 1)[0] != _boot_and_namespace()[0]


@cache
def _boot_and_namespace() -> tuple[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return boot, str(Path("/proc/self/ns/pid").stat().st_ino)


def _file(home: Path, pid: int, at: str) -> Path:
    return home / "processes" / f"{hashlib.sha256(f'{pid} {at}'.encode()).hexdigest()[:16]}.lock"


def _lock(file: Path) -> None:
    """Lock a file until this process ends. The file gets its name under the lock: no reader sees it unlocked."""
    if file in _LOCKS:
        return
    new = file.with_suffix(".new")
    with contextlib.suppress(OSError):  # the disk is full: the next write of this process's record reports it
        for folder in (file.parent.parent, file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # the file system has no locks: see _is_held
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(file)
        _LOCKS[file] = descriptor
        for other in set(file.parent.glob("*.lock")) - {file}:  # of killed processes
            _is_locked(other)


def _is_locked(file: Path) -> bool:
    """Whether a process holds the lock; remove the file of a process that has ended."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return file.exists()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink(missing_ok=True)
    except OSError:  # locked; or the file system has no locks and the state is unknown
        return True
    else:
        return False
    finally:
        os.close(descriptor)


@atexit.register
def _release() -> None:
    for file, descriptor in _LOCKS.items():
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
            os.close(descriptor)
    _LOCKS.clear()


def _close_inherited() -> None:
    """Close the inherited locks in a fork, which would keep them after its parent's end. The parent's locks stay."""
    for descriptor in _LOCKS.values():
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _LOCKS.clear()


os.register_at_fork(after_in_child=_close_inherited)


def _psutil_mark(pid: int) -> str:
    import psutil  # noqa: PLC0415 - only without /proc (macOS, whose kernel records the start time once)

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""
