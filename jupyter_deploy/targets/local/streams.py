"""The supervised programs that answer streams, one for each endpoint with a stream."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.domain.stream.status import StreamState
from jupyter_deploy.system.home import private_folder, write_atomic

from .gateway.gateway import own_socket
from .gateway.token import token_file
from .metrics import STREAMS
from .runtime import Runtime
from .settings import LocalSettings
from .supervisor.supervisord import Program, Programs, Supervisor

PREFIX = "stream-"
_STOP_SECONDS = 25  # a worker that waits for open messages of a former one, and then finishes its requests


def keep_running(
    endpoint: Endpoint, settings: LocalSettings, runtime: Runtime, supervisor: Supervisor, programs: Programs
) -> None:
    """Run the worker of the endpoint's stream as its revision says, or end it; ``programs`` are those that run.

    The caller holds the state lock. A worker that runs with the same document stays.
    """
    name = f"{PREFIX}{endpoint.name}"
    document = runtime.path / STREAMS / f"{endpoint.name}.document"
    if not (endpoint.running and endpoint.stream and settings.stream_worker):
        if name in programs:
            supervisor.remove(name)
        for path in (document, _state_file(runtime, endpoint.name)):
            path.unlink(missing_ok=True)
        return
    text = json.dumps(
        {
            "endpoint": endpoint.name,
            "spec": endpoint.stream.model_dump(mode="json"),
            "socket": str(own_socket(runtime)),
            "header_file": str(token_file(settings.home)),
            "state": str(_state_file(runtime, endpoint.name)),
        }
    )
    same = document.exists() and document.read_text("utf-8") == text
    if same and any(state.alive for state in programs.get(name, ())):
        return
    write_atomic(document, text)
    private_folder(settings.logs)
    ready = f"{runtime.path}/{name}.ready"
    supervisor.add(
        Program(
            name=name,
            commands=[[*settings.stream_worker, str(document), "--ready", ready]],
            environment=passed_on(os.environ),
            folder=runtime.path / "empty",
            stop_seconds=_STOP_SECONDS,
            ready=[ready],
        )
    )


def state_of(endpoint: Endpoint, runtime: Runtime, programs: Programs | None) -> StreamState | None:
    """Return the state that the worker of the endpoint's stream wrote last; None: the endpoint has no stream."""
    if endpoint.stream is None:
        return None
    states = (programs or {}).get(f"{PREFIX}{endpoint.name}", ())
    if not any(state.alive for state in states):
        return StreamState(running=False)
    try:
        return StreamState.model_validate_json(_state_file(runtime, endpoint.name).read_bytes())
    except (OSError, ValidationError):
        return StreamState(running=True, problem="it is starting")


def _state_file(runtime: Runtime, name: str) -> Path:
    return runtime.path / STREAMS / f"{name}.json"
