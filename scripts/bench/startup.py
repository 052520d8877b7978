"""How long the command line takes to say something."""

from __future__ import annotations

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
        for _ in range(ROUNDS + 1):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, env=here.environment, check=True, capture_output=True)
                times[name].append(time.perf_counter() - began)
    nothing, pydantic, help_, list_ = (median(times[name][1:]) for name in commands)
    note = f"of which the interpreter alone {nothing:.2f} s; 'import pydantic' alone takes {pydantic:.2f} s"
    yield Figure("start-up", "`nbdeploy --help`", help_, "s", most=0.25, note=note)
    yield Figure("start-up", "`nbdeploy list`", list_, "s", most=0.4)
