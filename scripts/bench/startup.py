"""How long the command line takes to say something."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .figures import Figure, median
from .world import world

ROUNDS = 9


def startup() -> Iterator[Figure]:
    """``--help`` and ``list``, in turns with an interpreter that does nothing."""
    tool = str(Path(sys.executable).parent / "nbdeploy")
    commands = {
        "nothing": [sys.executable, "-c", "pass"],
        "pydantic": [sys.executable, "-c", "import pydantic"],
        "help": [tool, "--help"],
        "list": [tool, "list"],
    }
    with world() as here:
        here.deploy("trained(1.0)", "model")
        times: dict[str, list[float]] = {name: [] for name in commands}
        used: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS + 1):
            for name, command in commands.items():
                began, before = time.perf_counter(), _processor_seconds()
                subprocess.run(command, env=here.environment, check=True, capture_output=True)
                times[name].append(time.perf_counter() - began)
                used[name].append(_processor_seconds() - before)
    nothing, pydantic, help_, list_ = (median(times[name][1:]) for name in commands)
    note = f"of which the interpreter alone {nothing:.2f} s; 'import pydantic' alone takes {pydantic:.2f} s"
    for name, taken, most, more in (("--help", help_, 0.2, f"; {note}"), ("list", list_, 0.4, "")):
        processor = f"{median(used[name.strip('-')][1:]):.2f} s of the processor{more}"
        yield Figure("start-up", f"`nbdeploy {name}`", taken, "s", most=most, note=processor)


def _processor_seconds() -> float:
    """The processor's time of all child processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime
