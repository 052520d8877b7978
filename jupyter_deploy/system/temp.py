"""Temporary folders that are removed in every case."""

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

_NAME = re.compile(r"nbdeploy-[a-z]+-(?P<pid>\d+)-[0-9a-f]{32}")


@contextmanager
def scratch_folder(purpose: str, within: Path | None = None) -> Iterator[Path]:
    """A private folder, removed at the end; ``within`` is its parent, by default the folder for temporary files.

    ``tempfile.TemporaryDirectory`` makes its folder before it registers the removal; Ctrl-C or SIGTERM in between
    would leave it. Here the name is known first.
    """
    folder = new_folder_name(purpose, within)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_folder_name(purpose: str, within: Path | None = None) -> Path:
    """Return an unused name in the temporary folder or ``within``; the name holds the process id of its owner."""
    return (within or Path(tempfile.gettempdir())) / f"nbdeploy-{purpose}-{os.getpid()}-{uuid.uuid4().hex}"


def sweep(within: Path | None = None) -> None:
    """Remove the folders of this user's ended processes, such as those after ``kill -9``."""
    for folder in (within or Path(tempfile.gettempdir())).glob("nbdeploy-*-*-*"):
        match = _NAME.fullmatch(folder.name)
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if match and about.st_uid == os.geteuid() and not _lives(int(match["pid"]), about.st_ctime):
                shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int, since: float) -> bool:
    """Whether the process that existed at a time is still alive: its id may belong to another process now."""
    import psutil  # noqa: PLC0415 - a sweep is rare

    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + 1.0)
    except psutil.Error:
        return False
