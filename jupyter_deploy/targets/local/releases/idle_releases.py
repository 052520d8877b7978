"""Idle releases as the target sees them: the activator's program, and whether it is responsible for a release."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.supervisor.supervisord import Program, Programs, Supervisor

PROGRAM = "activator"


def control_socket(runtime: Runtime) -> Path:
    """The activator's socket for releases and the target."""
    return runtime.path / f"{PROGRAM}.sock"


def idle_file(runtime: Runtime, program: str) -> Path:
    """The file that exists while the activator is responsible for a program."""
    return runtime.path / "programs" / f"{program}@0.idle"


def is_idle(runtime: Runtime, program: str, programs: Programs | None) -> bool:
    """Whether a request starts this program."""
    alive = any(state.alive for state in (programs or {}).get(PROGRAM, ()))
    return alive and idle_file(runtime, program).exists()


def ensure_activator(runtime: Runtime, supervisor: Supervisor, logs: Path) -> None:
    """Run the activator. The caller holds the ``state`` lock."""
    if PROGRAM in supervisor.programs():
        return
    module = f"{__package__}.{PROGRAM}"
    supervisor.add(
        Program(
            name=PROGRAM,
            commands=[[sys.executable, "-P", "-m", module, str(runtime.path), str(logs.absolute())]],
            environment=passed_on(os.environ),
            folder=runtime.path / "empty",
            stop_seconds=5,
            ready=[str(control_socket(runtime))],
        )
    )
