"""The supervised programs that drive ramps, one for each endpoint with a ramp in progress."""

from __future__ import annotations

import os

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.targets.local.endpoint_programs import supervised
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.launch import IDLE
from jupyter_deploy.targets.local.supervisor.supervisord import Programs, Supervisor

_PREFIX = "ramp-"


def keep_running(
    endpoint: Endpoint, settings: LocalSettings, runtime: Runtime, supervisor: Supervisor, programs: Programs
) -> None:
    """Start the driver of the endpoint's ramp, or end it with the ramp; ``programs`` are those that run.

    The caller holds the state lock. A driver that ends its own ramp is not stopped: it exits by itself.
    """
    if settings.endpoint_program is None:
        return
    name = f"{_PREFIX}{endpoint.name}"
    drives = endpoint.running and endpoint.ramp is not None and not endpoint.ramp.ended
    if not drives:
        if name in programs and os.getpid() not in supervisor.identities.running(name).values():
            supervisor.remove(name)
        return
    if not any(state.alive for state in programs.get(name, ())):
        made = settings.endpoint_program("ramp_driver", endpoint.name)
        ended = ("--ended", str(IDLE))  # after another code the supervisor would start it again
        supervisor.add(supervised(name, made, settings, runtime, stop_seconds=5, arguments=ended))
