"""The health of the machine: disk space, the clock, and the permissions of nbdeploy's folders."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.health import HealthCheck

from .filesystem import write_obstacle

_LEAST_FREE = 500_000_000
"""Bytes. A deploy writes a model twice, and records go on."""

_MOST_SKEW = 5.0
"""Seconds between this machine's clock and the disk's, which a network disk has from its server."""


class HostExaminer:
    """Checks the folders of nbdeploy's state, the first of which is the home."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def __call__(self, *, mend: bool) -> Iterator[HealthCheck]:
        """Check disk, permissions and clock; ``mend`` closes an open folder to other users."""
        for folder in self._folders:
            yield _disk(folder)
        home = self._folders[0]
        if home.is_dir():
            yield _permissions(home, mend=mend)
            yield from _clock(home)


def _disk(folder: Path) -> HealthCheck:
    part = f"disk of {folder}"
    obstacle = write_obstacle(folder)
    remedy = "free space on that disk or make it writable; NBDEPLOY_HOME and BENTOML_HOME name other folders"
    if obstacle:
        return HealthCheck(part=part, state="error", message=f"nothing can be written: {obstacle}", remedy=remedy)
    present = next(one for one in (folder, *folder.parents) if one.exists())
    status = os.statvfs(present)
    free = status.f_bavail * status.f_frsize
    if free < _LEAST_FREE:
        return HealthCheck(part=part, state="warning", message=f"only {size_in_words(free)} are free", remedy=remedy)
    return HealthCheck(part=part, state="ok", message=f"{size_in_words(free)} are free")


def _permissions(home: Path, *, mend: bool) -> HealthCheck:
    """Check that no other user can enter the home: records, tokens and models are in it."""
    part = "permissions"
    status = home.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        message = f"{home} belongs to another user (uid {status.st_uid})"
        return HealthCheck(
            part=part, state="error", message=message, remedy="set NBDEPLOY_HOME to a folder of your own"
        )
    if mode & 0o077 and mend:
        with contextlib.suppress(OSError):
            home.chmod(mode & ~0o077)
        mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        message = f"other users can enter {home} (mode {mode:04o})"
        return HealthCheck(part=part, state="error", message=message, remedy="'nbdeploy doctor --mend' closes it")
    return HealthCheck(part=part, state="ok", message=f"{home} is for its owner alone")


def _clock(home: Path) -> Iterator[HealthCheck]:
    """Compare the machine's clock with the time that the disk gives to a new file."""
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            before = time.time()
            os.write(file.fileno(), b"x")
            skew = os.fstat(file.fileno()).st_mtime - before
    except OSError:  # the disk's check has the reason
        return
    if abs(skew) > _MOST_SKEW:
        message = f"the disk's clock differs by {skew:.0f} s from this machine's"
        remedy = "synchronise both by NTP: records are sorted and expire by these times"
        yield HealthCheck(part="clock", state="warning", message=message, remedy=remedy)
    else:
        yield HealthCheck(part="clock", state="ok", message="the machine and the disk agree")
