"""The message of a container about its end, where a platform reads it (Kubernetes' termination message)."""

from __future__ import annotations

import contextlib
import os

from .exit_reasons import TERMINATION_LOG

_FILE = "/dev/termination-log"


def write_termination(text: str) -> None:
    """Write the message, if the platform has made a file for it; Kubernetes reads 4,096 bytes."""
    path = os.environ.get(TERMINATION_LOG) or _FILE
    with (
        contextlib.suppress(OSError),  # there is no such file
        os.fdopen(os.open(path, os.O_WRONLY | os.O_TRUNC), "w", encoding="utf-8") as file,
    ):
        file.write(text)
