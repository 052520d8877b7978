"""A clean process that has started and preloaded modules, and waits for one snapshot to replay.

Run as ``python -P -c "from serving.spare import main; main(FOLDER, IMPORTS)"``. It reads one line of JSON,
``{"snapshot", "result"}``, from standard input. It exits and removes its folder if no line arrives within ten minutes
or standard input ends.
"""

from __future__ import annotations

import json
import os
import select
import shutil
from pathlib import Path
from typing import Any

from .audit.callers import LIBRARIES
from .audit.redirect import redirected_paths
from .imports import Imports, foreign_modules
from .replay import replay

IDLE_SECONDS = 600.0


def main(folder: str, imports: str) -> None:
    """Import the modules that the file ``imports`` lists, wait, replay.

    The result's ``left`` lists the preloaded modules that nothing requested, and the paths that were redirected
    (``redirect``) after preloaded modules had taken references to the functions that open files.
    """
    preload = Imports()
    preload.preload(json.loads(Path(imports).read_text("utf-8")))
    # The user's own modules may change while this process waits.
    job = None if foreign_modules(LIBRARIES, Path(__file__).parent) else _read_job()
    if job is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    result = replay(Path(job["snapshot"]))
    unused = [*preload.unused(), *sorted(redirected_paths())]
    Path(job["result"]).write_text(json.dumps(result | {"left": unused}), encoding="utf-8")


def _read_job() -> Any:
    """Read a line of standard input as JSON; None if it ends or nothing arrives in time."""
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([0], [], [], IDLE_SECONDS)
        piece = os.read(0, 1 << 16) if ready else b""
        if not piece:
            return None
        text += piece
    return json.loads(text)
