"""Which process a process id meant, when it was written down, also where a home is shared by containers or machines.

An id and a time of birth tell that where they were noted: within one boot and one PID namespace. Elsewhere another
process may have the id, or none. So who notes itself also holds a lock (``flock``) on a file of its own, in the home's
``processes/``, until its end: that is seen from every container on this kernel, and over a network file system that
locks across machines, which SQLite needs too.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import platform
from functools import cache
from pathlib import Path

_HELD: dict[Path, int] = {}


def born(pid: int) -> str:
    """What tells a process from a later one with the same id, and where the id means it; empty: it has gone.

    The boot and the kernel's ticks since then: a clock that is set does not change them, unlike a time of creation.
    Then the PID namespace, and the host's name for people.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot, namespace = _here()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _born_elsewhere(pid)
    if fields[0] in "ZX":
        return ""
    return f"{boot} {fields[19]} {namespace} {platform.node()}"  # 22 of proc(5), counted from the third


def note(home: Path, pid: int) -> str:
    """``born``, and if it is this very process: others who share the home see from now on whether it is there."""
    at = born(pid)
    if at and pid == os.getpid():
        _hold(_file(home, pid, at))
    return at


def is_there(home: Path, pid: int | None, at: str) -> bool:
    """Whether the process that was noted so has not ended. One of elsewhere that cannot be told of counts as there."""
    if pid is None or not at:
        return False
    if elsewhere(at) is None:
        return born(pid) == at
    return _is_held(_file(home, pid, at))


def elsewhere(at: str) -> str | None:
    """The host's name, if a process was noted in another PID namespace or boot, where ids mean others; None: here."""
    noted = at.split(" ", 3)
    if len(noted) < 4 or not Path("/proc/self/stat").exists():
        return None
    return None if (noted[0], noted[2]) == _here() else noted[3]


def before_boot(at: str) -> bool:
    """Whether a process was noted on this host, by its name, in an earlier boot."""
    return elsewhere(at) == platform.node() and at.split(" ", 1)[0] != _here()[0]


@cache
def _here() -> tuple[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return boot, str(Path("/proc/self/ns/pid").stat().st_ino)


def _file(home: Path, pid: int, at: str) -> Path:
    return home / "processes" / f"{hashlib.sha256(f'{pid} {at}'.encode()).hexdigest()[:16]}.lock"


def _hold(file: Path) -> None:
    """Until this process ends. The name comes with the lock: nobody finds one that is not held yet."""
    if file in _HELD:
        return
    new = file.with_suffix(".new")
    with contextlib.suppress(OSError):  # a full disk: whoever notes this process writes to it too, and says so
        for folder in (file.parent.parent, file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # no locks here: see _is_held
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(file)
        _HELD[file] = descriptor
        for other in set(file.parent.glob("*.lock")) - {file}:  # of those that were killed
            _is_held(other)


def _is_held(file: Path) -> bool:
    """Whether somebody holds the lock; a file that nobody holds any more is removed."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return file.exists()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink(missing_ok=True)
    except OSError:  # held, or nothing can be locked in this file system, and nobody knows
        return True
    else:
        return False
    finally:
        os.close(descriptor)


@atexit.register
def _let_go() -> None:
    for file, descriptor in _HELD.items():
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
            os.close(descriptor)
    _HELD.clear()


def _forget() -> None:
    """In a fork, which would hold on to it after its parent's end. The parent's lock stays."""
    for descriptor in _HELD.values():
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _HELD.clear()


os.register_at_fork(after_in_child=_forget)


def _born_elsewhere(pid: int) -> str:
    import psutil  # noqa: PLC0415 - only where there is no /proc (macOS, whose kernel notes the time once)

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""
