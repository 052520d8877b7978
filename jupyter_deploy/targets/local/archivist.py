"""The archivist, the supervised program that compacts and expires records."""

from __future__ import annotations

import json
import os
from contextlib import suppress

from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.system.home import private_folder
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import Program, Programs, Supervisor

_ARCHIVIST = "archivist"


def keep_running(settings: LocalSettings, runtime: Runtime, supervisor: Supervisor, programs: Programs) -> None:
    """Run it with the present settings, if they name one; ``programs`` are those that run."""
    if not settings.archivist:
        return
    ready = f"{runtime.path}/{_ARCHIVIST}.ready"
    command = [*settings.archivist, "--ready", ready]
    if command == _command(runtime) and any(state.alive for state in programs.get(_ARCHIVIST, ())):
        return
    private_folder(settings.logs)
    supervisor.add(
        Program(
            name=_ARCHIVIST,
            commands=[command],
            environment=passed_on(os.environ),
            folder=runtime.path / "empty",
            stop_seconds=5,
            ready=[ready],
        )
    )


def _command(runtime: Runtime) -> object:
    """The command line of the running archivist; None if it is unknown."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        return json.loads((runtime.path / "programs" / f"{_ARCHIVIST}@0.json").read_bytes())["command"]
    return None
