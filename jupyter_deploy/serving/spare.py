"""The other side of a spare: a process that imports ahead of its job, and reads the job as one line of JSON.

The program ``python -P -c "from serving.spare import main; main(FOLDER, IMPORTS)"`` replays one snapshot: its job is
``{"snapshot", "result"}``. It exits and removes its folder if no job arrives within ten minutes or standard input ends.

``read_job`` and ``preloaded`` serve other programs too, which load this file by path: standard library only.
"""

from __future__ import annotations

import json
import os
import select
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

IDLE_SECONDS = 600.0
"""Time without a job after which a spare ends."""


def read_job(source: int = 0, seconds: float | None = IDLE_SECONDS, *, several: bool = False) -> Any:
    """Read a job from a descriptor.

    Parameters
    ----------
    seconds
        Time limit; None: none.
    several
        The next line belongs to another process, so no byte of it is read.

    Returns
    -------
    Any
        The line's JSON; None if the input ends or nothing arrives in time.
    """
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([source], [], [], seconds)
        piece = os.read(source, 1 if several else 1 << 16) if ready else b""
        if not piece:
            return None
        text += piece
    return json.loads(text)


def preloaded(imports: ModuleType, callers: ModuleType, names: Sequence[str], own: Path) -> Any:
    """Import modules ahead of the job.

    Parameters
    ----------
    imports, callers
        The modules ``serving.imports`` and ``serving.audit.callers``.
    own
        The folder of the program's own modules.

    Returns
    -------
    Any
        The ``Imports``, which say later what was not needed; None if a module belongs to the user: it may change
        while this process waits.
    """
    noted = imports.Imports()
    noted.preload(names)
    return None if imports.foreign_modules(callers.LIBRARIES, own) else noted


def main(folder: str, imports_file: str) -> None:
    """Import the modules that the file ``imports_file`` lists, wait, replay.

    The result's ``left`` lists the preloaded modules that nothing requested, and the paths that were redirected
    (``redirect``) after preloaded modules had taken references to the functions that open files.
    """
    from . import imports
    from .audit import callers
    from .audit.redirect import redirected_paths
    from .replay import replay

    noted = preloaded(imports, callers, json.loads(Path(imports_file).read_text("utf-8")), Path(__file__).parent)
    job = read_job() if noted is not None else None
    if job is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    result = replay(Path(job["snapshot"]))
    unused = [*noted.unused(), *sorted(redirected_paths())]
    # Without what C code imported while the model answered: nothing would request it from the next process.
    imported = [name for name in result["imported"] if name in noted.names()]
    Path(job["result"]).write_text(json.dumps(result | {"left": unused, "imported": imported}), encoding="utf-8")
