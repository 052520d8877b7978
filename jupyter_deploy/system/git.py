"""Queries to git about a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

_TIMEOUT = 10  # seconds: a query about provenance must not delay a deploy


def run_git(folder: Path, *arguments: str) -> bytes | None:
    """Return the output of a git command in ``folder``; None without git, without a repository, or after the time-out.

    The command takes no lock in the repository, since the user may be working in it.
    """
    try:
        ended = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None


def project_of(notebook: Path) -> Path:
    """Return the folder of the user's own files: the repository of a notebook or folder, else its folder."""
    folder = (notebook if notebook.is_dir() else notebook.parent).resolve()
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists() and parent != Path.home():
            return parent
    return folder
