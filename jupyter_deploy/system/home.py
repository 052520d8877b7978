"""The home: where a user's state lies, who may see it, how a file is replaced, what ran when its processes ended.

Light, since every starting Jupyter server asks.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs

GATEWAY_FILE = "gateway.json"


def default_home() -> Path:
    """The home when no setting names one."""
    return Path(platformdirs.user_data_dir("nbdeploy", appauthor=False))


def private_folder(path: Path) -> Path:
    """Make a folder and those above it that are missing, all for this user alone (``mkdir`` minds only the last)."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def write_atomic(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step; readers see the old content or the new. Whoever writes a file holds its lock.

    ``mode`` is that of the new file, less the user's umask.
    """
    private_folder(path.parent)
    # One name a file: what a killed writer left is overwritten by the next one.
    temporary = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def was_running(home: Path) -> bool:
    """Whether processes run here, or did until something else than ``stop`` or ``down`` ended them.

    The local target notes its runtime directory when it starts the first process, and forgets it when it has stopped
    the last one.
    """
    try:
        return "runtime" in json.loads((home / GATEWAY_FILE).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
