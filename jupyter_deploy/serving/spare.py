"""A clean process that has started and imported ahead, and waits for one snapshot to replay.

Run as ``python -P -c "from serving.spare import main; main(FOLDER, IMPORTS)"``. On its standard input it is told, in
a line of JSON, ``{"snapshot", "result"}``. It ends, and takes its folder with it, when nothing comes for ten minutes
or its standard input ends.
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
    """Import what the file ``imports`` names, wait, replay.

    The result also says what was ``left``: imported ahead and asked for by nobody, or led elsewhere (``redirect``)
    after what was imported had got hold of the functions that open files.
    """
    preload = Imports()
    preload.preload(json.loads(Path(imports).read_text("utf-8")))
    # What is the user's own may be changed while this waits.
    job = None if foreign_modules(LIBRARIES, Path(__file__).parent) else _read_job()
    if job is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    result = replay(Path(job["snapshot"]))
    unused = [*preload.unused(), *sorted(redirected_paths())]
    Path(job["result"]).write_text(json.dumps(result | {"left": unused}), encoding="utf-8")


def _read_job() -> Any:
    """A line of standard input as JSON; None: it ends, or nothing comes."""
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([0], [], [], IDLE_SECONDS)
        piece = os.read(0, 1 << 16) if ready else b""
        if not piece:
            return None
        text += piece
    return json.loads(text)
