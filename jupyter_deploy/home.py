"""The home: where a user's state lies, who may see it, and whether something ran there when its processes ended.

Light, since every starting Jupyter server asks.
"""

from __future__ import annotations

import json
from pathlib import Path

import platformdirs

GATEWAY_FILE = "gateway.json"


def default_home() -> Path:
    """The home when no setting names one."""
    return Path(platformdirs.user_data_dir("nbdeploy", appauthor=False))


def private_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, all for this user alone (``mkdir`` minds only the last)."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def was_running(home: Path) -> bool:
    """Whether processes run here, or did until something else than ``stop`` or ``down`` ended them.

    The local target notes its runtime directory when it starts the first process, and forgets it when it has stopped
    the last one.
    """
    try:
        return "runtime" in json.loads((home / GATEWAY_FILE).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
