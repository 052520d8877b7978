"""``model()`` in an interactive kernel: the snapshot comes from the store, and is served until the kernel ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections.abc import Callable

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import DeployError, InvalidInput
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.store_ports import Store
from jupyter_deploy.domain.validation.ports import Served
from jupyter_deploy.faces.render.shell import current_shell, namespace_of
from jupyter_deploy.verbs.validate import candidate_of, only_endpoint
from jupyter_deploy.verbs.validation_runs import Candidate
from jupyter_deploy.wiring import Wiring

from .served_model import ServedModel

# Seconds until a process has ended after its connection broke.
_GONE_SECONDS = 1.0

_served: dict[str, tuple[ServedModel, Served]] = {}
_until_the_end = contextlib.ExitStack()


def interactive_model(name: str | None) -> ServedModel:
    """Serve the model of a name from this kernel.

    Raises
    ------
    InvalidInput
        The model is ambiguous; the error names the endpoints.
    StartFailed, EnvironmentChanged
        The model cannot be served.
    """
    ports = Wiring().ports
    subject = _subject(name, ports)
    if subject.snapshot is None:
        raise InvalidInput("which model?", "write model('ENDPOINT') or model('TAG')")
    return _serve("model()", subject.snapshot, subject.endpoint, ports)


def interactive_reference(name: str | None) -> ServedModel | None:
    """Serve the stable release of a name's endpoint; None: it has none."""
    ports = Wiring().ports
    subject = _subject(name, ports)
    return _serve("reference()", subject.stable, subject.endpoint, ports) if subject.stable is not None else None


def served_line(call: str, tag: str, endpoint: str | None, store: Store) -> str:
    """Describe the served model in a line, since the notebook does not name it."""
    known = store.endpoint(endpoint) if endpoint else None
    role = known.traffic.role_of(tag) if known else ""
    of = f"{'idle release' if role == 'idle' else role} of {endpoint}, " if role else ""
    return f"{call}: {tag}, {of}served for this kernel"


def _subject(name: str | None, ports: Ports) -> Candidate:
    """Find the model by name, else by the notebook's variable ``snapshot`` or ``endpoint``, else the only endpoint."""
    variables = namespace_of(current_shell())
    named = (name, variables.get("snapshot"), variables.get("endpoint"))
    chosen = next((text for text in named if isinstance(text, str) and text), None)
    return candidate_of(chosen or only_endpoint(ports), ports)


def _serve(call: str, snapshot: Snapshot, endpoint: str | None, ports: Ports) -> ServedModel:
    """Serve a snapshot once for each kernel: a cell that runs again gets the same server, unless it has ended."""
    if snapshot.tag in _served:
        known, server = _served[snapshot.tag]
        with contextlib.suppress(DeployError):
            server.check()
            return known
    with contextlib.ExitStack() as starting:  # a server that does not start is ended here
        server = starting.enter_context(ports.servers.serving(snapshot))
        server.check(wait=True)
        _until_the_end.push(starting.pop_all())
    if not _served:
        atexit.register(_end, os.getpid())
    model = ServedModel(server.url_for("by-hand"), snapshot.tag, _explaining(server))
    _served[snapshot.tag] = (model, server)
    print(served_line(call, snapshot.tag, endpoint, ports.store))
    return model


def _explaining(server: Served) -> Callable[[], None]:
    def explain() -> None:
        until = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < until:
            server.check()
            time.sleep(0.02)

    return explain


def _end(kernel: int) -> None:
    if os.getpid() == kernel:  # not in a process that the notebook forked
        _until_the_end.close()
