"""Where a model's packed files lie while a process serves it: a private folder, which becomes the working directory.

The snapshot has them under two names, both relative to the notebook's project: ``data/a/b.csv`` is ``a/b.csv`` of the
project, and ``outside/2/c.csv`` is ``../../c.csv``. The workplace lays them out likewise, deep enough for those
above, and the working directory is as far below the project's folder as the notebook's was: what the notebook opened
by a relative path is found by the same one. Each process has copies of its own, since a model may write into what it
opened, and the snapshot must stay what it is. Paths that were absolute lead to their copies by ``redirect``.
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

_RECORDS = "NBDEPLOY_RECORDS"  # a setting that names a folder, which may be relative, or STDOUT
_PREFIX = "nbdeploy-workplace-"
_BLOCK = 1 << 20

# Folders that this process holds, with the descriptors whose locks say that it lives; and where it went last.
_held: dict[Path, int] = {}
_current: tuple[Path, Path] | None = None


class NoTemporaryFolder(OSError):
    """There is no folder that packed files could be copied to."""


class CopyChanged(RuntimeError):
    """What was copied is not what was verified."""


def packed_as(at: str) -> str:
    """The name within a snapshot of a file at ``at``, relative to the project: normalized, with ``/``."""
    parts = at.split("/")
    ups = parts.count("..")
    return f"{OUTSIDE}/{ups}/{'/'.join(parts[ups:])}" if ups else f"{INSIDE}/{at}"


def location_of(name: str) -> str | None:
    """The inverse of ``packed_as``; None for a file of the snapshot that is no packed one."""
    top, _, rest = name.partition("/")
    if top == INSIDE and rest:
        return rest
    ups, _, below = rest.partition("/")
    return "../" * int(ups) + below if top == OUTSIDE and ups.isdecimal() else None


def enter(data: Mapping[str, Any], files: Mapping[str, tuple[IO[bytes], str]]) -> None:
    """Make a workplace, copy the packed files into it and go there.

    Parameters
    ----------
    data
        The manifest's ``data``: ``folder`` and ``absolute``.
    files
        Names within the snapshot -> the open file and its SHA-256.

    Raises
    ------
    Changed
        A copy's bytes are not those of its digest.
    NoPlace
        There is no temporary folder.
    OSError
        Its disk is full; nothing is left.
    """
    global _current  # noqa: PLW0603 - as the working directory itself is the process's
    located = {at: opened for name, opened in files.items() if (at := location_of(name)) is not None}
    depth = max(at.split("/").count("..") for at in (data["folder"], *data["absolute"].values(), *located))
    if not has_temporary_folder():
        raise NoTemporaryFolder(
            "the model has packed files, of which each process takes copies, and there is no folder to write them to: "
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
    """The workplace of this process, and the folder in it where it began; None: it has none."""
    return _current


def leave() -> None:
    """Remove this process's workplaces: at its end, or when its service is closed."""
    if _held:
        os.chdir("/")
    for place in list(_held):
        _remove(place)


def sweep() -> None:
    """Remove the workplaces of processes that were killed: nobody holds their locks any more."""
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # held, not ours, or gone
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(place, ignore_errors=True)
            finally:
                os.close(descriptor)


def _new_folder() -> Path:
    """A new folder with a lock on it; one that a ``sweep`` met before it was locked is made anew."""
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
        raise CopyChanged(f"{at} is no place for a packed file")
    return path


def _copy(file: IO[bytes], to: Path, sha256: str) -> None:
    # The bytes that are hashed are the bytes that the model will find.
    to.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:  # noqa: PTH123 - a mode
        while block := file.read(_BLOCK):
            digest.update(block)
            copy.write(block)
    if digest.hexdigest() != sha256:
        raise CopyChanged(f"{to.name} changed while it was copied")
