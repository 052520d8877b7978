"""The home folder of a user's state: its location, permissions, atomic writes and traces of running processes.

The module imports little, since every starting Jupyter server calls it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs

GATEWAY_FILE = "gateway.json"


def default_home() -> Path:
    """Return the home folder that applies without a setting."""
    return Path(platformdirs.user_data_dir("nbdeploy", appauthor=False))


def private_folder(path: Path) -> Path:
    """Make a folder and its missing parents with mode 0700 (``mkdir`` sets the mode of the last one alone)."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def write_atomic(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step: readers see the old content or the new. The caller holds the file's lock.

    ``mode`` is the new file's mode, reduced by the umask.
    """
    private_folder(path.parent)
    # One name for each file: the next writer overwrites a killed writer's temporary file.
    temporary = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def was_running(home: Path) -> bool:
    """Whether processes run in this home, or ended without ``stop`` or ``down``.

    The local target records its runtime directory when it starts the first process, and deletes the record after it
    has stopped the last one.
    """
    try:
        return "runtime" in json.loads((home / GATEWAY_FILE).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
