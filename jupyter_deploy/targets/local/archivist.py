"""The archivist, the supervised program that compacts and expires records."""

from __future__ import annotations

import os
from typing import Any

from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.system.home import private_folder
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import Program, Programs, Supervisor

_ARCHIVIST = "archivist"


def keep_running(settings: LocalSettings, runtime: Runtime, supervisor: Supervisor, programs: Programs) -> None:
    """Run it with the present settings, if they name one; ``programs`` are those that run."""
    if not settings.archivist:
        return
    ready = f"{runtime.path}/{_ARCHIVIST}.ready"
    command = [*settings.archivist, "--ready", ready]
    running = _plan(runtime)
    # A shell without destinations of notifications takes none away.
    former = running.get("environment", {})
    kept = {name: value for name, value in former.items() if name.startswith("NBDEPLOY_NOTIFY")}
    variables = settings.archivist_variables or kept
    known = variables.items() <= former.items()
    if command == running.get("command") and known and any(state.alive for state in programs.get(_ARCHIVIST, ())):
        return
    private_folder(settings.logs)
    supervisor.add(
        Program(
            name=_ARCHIVIST,
            commands=[command],
            environment=passed_on(os.environ) | variables,
            folder=runtime.path / "empty",
            stop_seconds=5,
            ready=[ready],
        )
    )


def _plan(runtime: Runtime) -> dict[str, Any]:
    """The command line and the variables of the running archivist; empty if they are unknown."""
    return read_json(runtime.path / "programs" / f"{_ARCHIVIST}@0.json")
