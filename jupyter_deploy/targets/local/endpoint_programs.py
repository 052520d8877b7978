"""The supervised programs of an endpoint that change it by themselves: the driver of its ramp, its batch scheduler."""

from __future__ import annotations

import os
from collections.abc import Sequence

from jupyter_deploy.domain.release.processes import for_buckets
from jupyter_deploy.system.home import private_folder

from .releases.secret_sources import for_secrets
from .runtime import Runtime
from .settings import LocalSettings
from .supervisor.supervisord import Program


def supervised(
    name: str,
    made: tuple[Sequence[str], dict[str, str]],
    settings: LocalSettings,
    runtime: Runtime,
    *,
    stop_seconds: int,
    arguments: Sequence[str] = (),
) -> Program:
    """Return the supervisor's description of such a program.

    It runs models, which read secrets, and reads records, which may be in a bucket: it reaches both as this process
    does.

    Parameters
    ----------
    made
        Its command line and environment, by ``settings.endpoint_program``.
    stop_seconds
        The longest that it works on after a signal to stop.
    arguments
        More options of its command line.
    """
    command, environment = made
    ready = f"{runtime.path}/{name}.ready"
    private_folder(settings.logs)
    return Program(
        name=name,
        commands=[[*command, "--ready", ready, *arguments]],
        environment={**for_secrets(os.environ), **environment, **for_buckets(os.environ)},
        folder=runtime.path / "empty",
        stop_seconds=stop_seconds,
        ready=[ready],
    )
