"""The supervised programs that begin batches by schedule, one for each endpoint with a schedule."""

from __future__ import annotations

from jupyter_deploy.domain.batch.results import BatchState
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import Refused
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.system.batch_log import BatchLogFile

from .endpoint_programs import supervised
from .runtime import Runtime
from .settings import LocalSettings
from .supervisor.supervisord import Programs, Supervisor

PREFIX = "batch-"
_STOP_SECONDS = 60  # a run that commits its finished partitions


def check(way: object) -> None:
    """See ``Target.check_serving``: the supervisor runs a program for any, and there are no pods."""
    if isinstance(way, BatchSpec) and way.pods > 1:
        raise Refused(
            "--pods is of a cluster, and this endpoint's batches run on this machine",
            "leave it out; --workers is the number of processes",
        )


def keep_running(
    endpoint: Endpoint, settings: LocalSettings, runtime: Runtime, supervisor: Supervisor, programs: Programs
) -> None:
    """Run the program of the endpoint's schedule, or end it; ``programs`` are those that run.

    The caller holds the state lock. A program that runs reads a changed schedule from the store.
    """
    name = f"{PREFIX}{endpoint.name}"
    if not (endpoint.running and endpoint.batch and settings.endpoint_program):
        if name in programs:
            supervisor.remove(name)
        file = BatchLogFile(settings.home, endpoint.name)
        if (log := file.read()) and log.schedule:
            file.write(log.model_copy(update={"schedule": "", "due": None}))
        return
    if not any(state.alive for state in programs.get(name, ())):
        made = settings.endpoint_program("batch_scheduler", endpoint.name)
        supervisor.add(supervised(name, made, settings, runtime, stop_seconds=_STOP_SECONDS))


def state_of(endpoint: Endpoint, settings: LocalSettings, programs: Programs | None) -> BatchState | None:
    """Return the state that the program of the endpoint's schedule wrote last; None: the endpoint has no schedule."""
    if endpoint.batch is None:
        return None
    running = any(state.alive for state in (programs or {}).get(f"{PREFIX}{endpoint.name}", ()))
    log = BatchLogFile(settings.home, endpoint.name).read()
    if log is None:
        return BatchState(running=running)
    return BatchState(running=running, due=log.due if running else None, runs=log.runs)
