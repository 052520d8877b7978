"""The health of the local target's own programs: supervisor, keeper, archivist, gateway, and the machine's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.health import HealthCheck
from jupyter_deploy.system.home import was_running

from .batches import PREFIX as BATCH
from .gateway.gateway import Gateway, envoy_binary
from .metrics.keeping import PROGRAM as EXPORTER
from .preflight import check_limits
from .routed_endpoints import RoutedEndpoints
from .runtime import locate
from .settings import LocalSettings
from .streams import PREFIX as STREAM
from .supervisor.supervisord import KEEPER, Programs, Supervisor

_MEND = "'nbdeploy doctor --mend' restarts it"


class LocalExaminer:
    """Checks the programs of a home; what should run is what was started and not stopped."""

    def __init__(self, settings: Callable[[], LocalSettings]) -> None:
        self._settings = settings

    def __call__(self, *, mend: bool) -> Iterator[HealthCheck]:  # noqa: ARG002 - the verb mends by ``reconcile``
        """Check limits and programs; starts nothing."""
        settings = self._settings()
        yield _tried("Envoy", lambda: envoy_binary(settings))
        yield _tried("limits", check_limits)
        if not was_running(settings.home):
            yield HealthCheck(part="supervisor", state="ok", message="nothing should run")
            return
        try:
            runtime = locate(settings)
            supervisor = Supervisor(runtime, settings.logs)
            programs = supervisor.seen() if runtime.exists() else None
        except DeployError as error:
            yield _error("supervisor", error.message, error.remedy)
            return
        if programs is None:
            yield _error("supervisor", f"it does not run; its folder is {runtime.path}", _MEND)
            return
        yield HealthCheck(part="supervisor", state="ok", message=f"it runs {len(programs)} programs")
        yield _program(KEEPER, programs, "nothing restarts the supervisor if it is killed")
        if settings.archivist:
            yield _program("archivist", programs, "records are neither compacted nor removed")
        yield _program(EXPORTER, programs, "'/metrics' of the endpoints does not answer")
        for endpoint in RoutedEndpoints(runtime).all().values():
            if endpoint.running and endpoint.stream:
                yield _program(f"{STREAM}{endpoint.name}", programs, "the endpoint answers no message of its stream")
            if endpoint.running and endpoint.batch:
                yield _program(f"{BATCH}{endpoint.name}", programs, "nothing begins the endpoint's batches")
        gateway = Gateway(settings, runtime, supervisor)
        if gateway.answers():
            yield HealthCheck(part="gateway", state="ok", message="it answers on its socket and holds its port")
        elif gateway.running_in(programs):
            yield _error("gateway", "it runs and does not answer, or another program has its port", _MEND)
        else:
            yield _error("gateway", "it does not run: no client gets an answer", _MEND)


def _tried(part: str, check: Callable[[], object]) -> HealthCheck:
    try:
        found = check()
    except DeployError as error:
        return _error(part, error.message, error.remedy)
    return HealthCheck(part=part, state="ok", message=str(found or "high enough"))


def _program(name: str, programs: Programs, effect: str) -> HealthCheck:
    states = programs.get(name, ())
    if any(state.alive for state in states):
        return HealthCheck(part=name, state="ok", message="it runs")
    detail = next((state.detail for state in states if state.detail), "")
    return _error(name, f"it does not run{f' ({detail})' if detail else ''}: {effect}", _MEND)


def _error(part: str, message: str, remedy: str) -> HealthCheck:
    return HealthCheck(part=part, state="error", message=message, remedy=remedy)
