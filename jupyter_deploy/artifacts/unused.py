"""Removal of snapshots and bentos that no endpoint uses from BentoML's stores."""

from __future__ import annotations

import contextlib
from pathlib import Path

from jupyter_deploy.domain.deletion import UnusedSnapshot
from jupyter_deploy.system.filesystem import remove_folder

from .bento import locked_folder

_LATEST = "latest"
"""BentoML's file that names the newest version, next to the versions."""


def folders_of(unused: UnusedSnapshot) -> list[Path]:
    """Return the folders of a snapshot: the bento first, since it names the snapshot."""
    return [Path(folder) for folder in (unused.bento, unused.snapshot) if folder]


def remove_unused(unused: UnusedSnapshot) -> None:
    """Remove a snapshot with its bento; what is missing is no error.

    Raises
    ------
    StoreError
        A folder cannot be removed.
    """
    for folder in folders_of(unused):
        if folder.exists():
            with locked_folder(folder.parent):
                remove_folder(folder)
                _update_latest(folder.parent, folder.name)


def _update_latest(folder: Path, removed: str) -> None:
    latest = folder / _LATEST
    with contextlib.suppress(OSError):
        if latest.read_text("utf-8") != removed:
            return
        versions = sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
        if versions:
            latest.write_text(versions[-1].name, "utf-8")
        else:
            latest.unlink()
