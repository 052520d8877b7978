"""The lock by which others know that a process of a release still lives and may write segments."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

WRITERS_FILE = ".writers"
"""A file in the folder of segments; each process that writes there holds a shared lock on it until it ends."""


def lock_as_writer(folder: Path) -> int | None:
    """Return the descriptor of the lock; None: there is no such folder, or it cannot be written.

    A segment begins with the first record. Without the lock, a program that uploads segments could end before the
    first request is answered.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / WRITERS_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # who looks for writers holds it for an instant
        return descriptor
    return None
