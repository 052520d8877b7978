"""The exporter as a supervised program."""

from __future__ import annotations

import os
import sys

from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.system.home import private_folder
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import Program, Programs, Supervisor

from . import SOCKET

PROGRAM = "exporter"


def keep_running(settings: LocalSettings, runtime: Runtime, supervisor: Supervisor, programs: Programs) -> None:
    """Run the exporter; ``programs`` are those that run."""
    if any(state.alive for state in programs.get(PROGRAM, ())):
        return
    private_folder(settings.logs)
    module = "jupyter_deploy.targets.local.metrics.exporter"
    supervisor.add(
        Program(
            name=PROGRAM,
            commands=[[sys.executable, "-P", "-m", module, str(runtime.path), str(settings.home)]],
            environment=passed_on(os.environ),
            folder=runtime.path / "empty",
            stop_seconds=2,
            ready=[f"{runtime.path}/{SOCKET}"],
        )
    )
