"""The private folder of a model's packed files, which becomes the working directory of the process that serves it.

A snapshot stores packed files under two names, both relative to the notebook's project: ``data/a/b.csv`` is ``a/b.csv``
of the project, and ``outside/2/c.csv`` is ``../../c.csv``. The workplace has the same layout, deep enough for the files
above the project, and the working directory has the same depth below the project's folder as the notebook's. A relative
path in the notebook therefore finds its copy. Each process has its own copies, since a model may write into its files
and the snapshot must not change. ``redirect`` maps absolute paths to their copies.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .audit.redirect import redirect
from .hosting.read_only_bentoml import has_temporary_folder
from .telemetry.recording import STDOUT

INSIDE, OUTSIDE = "data", "outside"

_RECORDS = "NBDEPLOY_RECORDS"  # a setting: a folder, possibly relative, or STDOUT
_PREFIX = "nbdeploy-workplace-"
_BLOCK = 1 << 20

# The workplaces of this process with the descriptors of their locks, and the current one.
_held: dict[Path, int] = {}
_current: tuple[Path, Path] | None = None


class NoTemporaryFolder(OSError):
    """There is no writable folder for copies of the packed files."""


class CopyChanged(RuntimeError):
    """A copied file differs from the verified one."""


def packed_as(at: str) -> str:
    """Return a file's name in the snapshot for its path ``at``, normalised, with ``/`` and relative to the project."""
    parts = at.split("/")
    ups = parts.count("..")
    return f"{OUTSIDE}/{ups}/{'/'.join(parts[ups:])}" if ups else f"{INSIDE}/{at}"


def location_of(name: str) -> str | None:
    """Return the inverse of ``packed_as``; None for other files of the snapshot."""
    top, _, rest = name.partition("/")
    if top == INSIDE and rest:
        return rest
    ups, _, below = rest.partition("/")
    return "../" * int(ups) + below if top == OUTSIDE and ups.isdecimal() else None


def enter(data: Mapping[str, Any], files: Mapping[str, tuple[IO[bytes], str]]) -> None:
    """Make a workplace, copy the packed files into it and change the working directory to it.

    Parameters
    ----------
    data
        The manifest's ``packed``: ``folder`` and ``absolute``.
    files
        Names in the snapshot -> the open file and its SHA-256.

    Raises
    ------
    CopyChanged
        The digest of a copy differs.
    NoTemporaryFolder
        There is no temporary folder.
    OSError
        The disk is full; no file is left behind.
    """
    global _current  # noqa: PLW0603 - the working directory belongs to the process
    located = {at: opened for name, opened in files.items() if (at := location_of(name)) is not None}
    depth = max(at.split("/").count("..") for at in (data["folder"], *data["absolute"].values(), *located))
    if not has_temporary_folder():
        raise NoTemporaryFolder(
            "the model has packed files, and there is no writable folder for the copies that each process needs: "
            "mount one at /tmp, or at a path that TMPDIR names"
        )
    place = _new_folder()
    try:
        project = place.joinpath(*["above"] * depth, "project")
        for at, (file, sha256) in located.items():
            _copy(file, _below(place, project, at), sha256)
        folder = _below(place, project, data["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        records = os.environ.get(_RECORDS)
        if records and records != STDOUT:
            os.environ[_RECORDS] = str(Path(records).absolute())
        os.chdir(folder)
        _current = (place, folder)
        redirect({absolute: str(_below(place, project, at)) for absolute, at in data["absolute"].items()})
    except BaseException:
        _remove(place)
        raise


def current_workplace() -> tuple[Path, Path] | None:
    """Return the workplace and the initial folder in it; None if there is none."""
    return _current


def leave() -> None:
    """Remove this process's workplaces; called at exit and when the service closes."""
    if _held:
        os.chdir("/")
    for place in list(_held):
        _remove(place)


def sweep() -> None:
    """Remove the workplaces of killed processes, whose locks are free."""
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # locked, of another user, or removed
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(place, ignore_errors=True)
            finally:
                os.close(descriptor)


def _new_folder() -> Path:
    """Make a locked folder; if a ``sweep`` removes it before it is locked, make another."""
    sweep()
    while True:
        place = Path(tempfile.gettempdir()).resolve() / f"{_PREFIX}{uuid.uuid4().hex}"
        place.mkdir(mode=0o700)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), place.stat()):
                if not _held:
                    atexit.register(leave)
                _held[place] = descriptor
                return place
        os.close(descriptor)


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    os.close(_held.pop(place))


def _below(place: Path, project: Path, at: str) -> Path:
    path = Path(os.path.normpath(project / at))
    if not path.is_relative_to(place):
        raise CopyChanged(f"{at} is outside the workplace")
    return path


def _copy(file: IO[bytes], to: Path, sha256: str) -> None:
    # The hashed bytes are the copied bytes.
    to.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        while block := file.read(_BLOCK):
            digest.update(block)
            copy.write(block)
    if digest.hexdigest() != sha256:
        raise CopyChanged(f"{to.name} changed while it was copied")
