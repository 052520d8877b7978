"""What a process prints must never be a reason to fail a request: a full disk below its log is none."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import Any


class _Forgiving(io.FileIO):
    def write(self, data: Any, /) -> int:
        """Write what can be written, and say that it was all."""
        with contextlib.suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


def keep_writing() -> None:
    """Have ``print`` and ``sys.stderr`` of this process lose what cannot be written, instead of raising."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        raw = io.BufferedWriter(_Forgiving(number, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True))
