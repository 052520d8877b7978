"""What git says of a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

_TIMEOUT = 10  # seconds: what only tells of a model must not hold it up


def ask_git(folder: Path, *arguments: str) -> bytes | None:
    """What a git command answers in ``folder``; None where there is no git, no repository, or no answer in time.

    It takes no lock of the repository, in which somebody may be at work.
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
