"""Temporary folders that are gone whatever happens."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_NAME = re.compile(r"nbdeploy-[a-z]+-(?P<pid>\d+)-[0-9a-f]{32}")


@contextmanager
def scratch_folder(purpose: str, within: Path | None = None) -> Iterator[Path]:
    """A private folder, removed at the end; ``within`` a folder of that file system, by default among temporary ones.

    ``tempfile.TemporaryDirectory`` makes its folder before it notes that it has to be removed; Ctrl-C or a polite
    kill in between would leave it. Here the name is known first.
    """
    folder = new_folder_name(purpose, within)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_folder_name(purpose: str, within: Path | None = None) -> Path:
    """A name in the temporary folder, or another one, that nothing has yet; it says whose it is."""
    return (within or Path(tempfile.gettempdir())) / f"nbdeploy-{purpose}-{os.getpid()}-{uuid.uuid4().hex}"


def sweep(within: Path | None = None) -> None:
    """Remove the folders of this user's processes that have gone: what ``kill -9`` left."""
    for folder in (within or Path(tempfile.gettempdir())).glob("nbdeploy-*-*-*"):
        found = _NAME.fullmatch(folder.name)
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if found and about.st_uid == os.geteuid() and not _lives(int(found["pid"]), about.st_ctime):
                shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int, since: float) -> bool:
    """Whether the process that was there at a time still is: its id may be another one's by now."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + 1.0)
    except psutil.Error:
        return False
