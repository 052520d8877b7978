"""Releases as processes or containers of this machine and user, behind Envoy, under supervisord.

The runtime directory records everything that runs, so that any process of the user can continue where another one
ended. Two kinds of locks keep these processes apart: one lock per release, held while it starts or stops (which may
take minutes), and ``state``, held for moments around every change of a supervised program or a route.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from jupyter_deploy.artifacts.bento_format import require_code, require_format
from jupyter_deploy.domain.errors import RouteNotConfirmed, StartFailed
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.ports import Observation, TargetSettings
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.status import Usage
from jupyter_deploy.system.batch_log import BatchLogFile
from jupyter_deploy.system.home import was_running
from jupyter_deploy.targets.envoy.counters import overflowed

from . import archivist, batches, ramp_drivers, streams
from .gateway.gateway import Gateway, envoy_binary, forget_runtime, remember
from .gateway.token import token, token_file
from .metrics import keeping as exporter
from .naming import PREFIX, logs_of, read_end, remove_logs
from .preflight import check_limits
from .releases import limits
from .releases.by_container import require_containable, sweep
from .releases.container_engine import find_engine, require_platform
from .releases.hardware import require_hardware
from .releases.health import PARALLEL, health_of
from .releases.usage import usages, waiting
from .releases.workers import Workers
from .releases.zygotes import Zygotes
from .routed_endpoints import RoutedEndpoints
from .runtime import Runtime, locate
from .settings import LocalSettings
from .supervisor.orphans import clear, end_orphans
from .supervisor.supervisord import Programs, Supervisor


class LocalTarget:
    """``domain.release.ports.Target`` on this machine."""

    settings_class: type[TargetSettings] = LocalSettings
    needs_image = False
    on = True
    shared = None

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    @property
    def header_file(self) -> Path | None:
        """The file of the home's token, while there is one."""
        return token_file(self._settings.home) if token(self._settings.home) else None

    def check(self, resources: Resources | None = None, platform: str | None = None) -> None:
        """Raise if Envoy is missing, the machine's limits are too low, or it has fewer resources than these.

        With a ``platform``, also raise if no container engine here can run an image for it.
        """
        require_hardware(resources or Resources())
        if platform is not None:
            require_platform(platform)
            require_containable(resources or Resources(), find_engine())
        envoy_binary(self._settings)
        check_limits()

    def check_ramp(self, endpoint: Endpoint) -> None:
        """Nothing: the supervisor runs a driver."""

    check_serving = staticmethod(batches.check)

    def start(self, release: Release, *, ask: bool = False, renew: bool = False) -> bool:
        """Run a release until it is ready and reproduces the notebook's predictions for its example."""
        require_hardware(release.resources)
        envoy_binary(self._settings)
        host = _Host(self._settings)
        require_code(release)
        host.runtime.prepare()
        workers = host.workers(release)
        with host.runtime.lock(workers.lock):
            if host.serves(workers, ask=ask, renew=renew):
                return False
            workers = host.workers(release)
            if workers.outdated() and workers.alive(host.programs()):
                host.take_down(workers)
                workers = host.workers(release)
            require_format(release)
            workers.runner.require()
            if workers.altered() and workers.alive(host.programs()):
                host.start_replacement(workers)
                return True
            if not workers.alive(host.programs()):
                workers.runner.sweep()  # an engine may be slow: not under the lock that every process needs
            with host.runtime.lock():
                host.runtime.prepare()  # the last release may just have been stopped
                before = workers.alive(host.programs())
                if not before:
                    check_limits()
                host.open()
                if not before:
                    workers.launch()
            try:
                host.open_gateway()  # it starts while the release imports its libraries
                workers.wait_ready(patient=before)
                workers.prove()
            except BaseException:  # also on Ctrl-C, no half-started release stays
                if not before:
                    host.take_down(workers)
                raise
            return not before

    def stop(self, release: Release) -> None:
        """Stop a release after its pending requests; with the last release, stop the gateway and the supervisor."""
        host = _Host(self._settings)
        workers = host.workers(release)
        if not host.runtime.exists():
            workers.runner.sweep()
            host.end_survivors(workers.program)
            return
        host.runtime.prepare()
        with host.runtime.lock(workers.lock):
            host.resume()
            host.take_down(workers)

    def route(self, endpoint: Endpoint) -> str:
        """Put an endpoint's traffic into force, confirmed by Envoy, and return its URL."""
        for tag in endpoint.traffic.tags() if endpoint.running else ():
            require_format(endpoint.release(tag))
        try:
            url, programs = self._route(endpoint)
        except OSError as error:
            raise RouteNotConfirmed(
                f"the change is not in force: cannot write {error.filename or 'a file'}: {error.strerror or error}",
                "free space on that disk or make it writable, then run 'nbdeploy reconcile'",
            ) from error
        _Host(self._settings).retire(endpoint, programs)
        return url

    def _route(self, endpoint: Endpoint) -> tuple[str, Programs]:
        """Route the endpoint; returns its URL and the programs that ran before."""
        host = _Host(self._settings)
        host.runtime.prepare()
        with host.runtime.lock():
            host.runtime.prepare()  # the last release may just have been stopped
            programs = host.resume()
            before = host.routed.all()
            known = before.get(endpoint.name)
            superseded = known is not None and known.revision > endpoint.revision
            endpoints = before if superseded else before | {endpoint.name: endpoint}
            if not any(e.running for e in endpoints.values()) and not host.gateway.running_in(programs):
                return host.gateway.url(endpoint.name), programs or {}
            host.routed.put(endpoints[endpoint.name])
            try:
                if not host.gateway.running_in(programs):
                    host.open()  # perhaps no release could be started
                present = host.programs() if programs is None else programs
                # Not at a first release's start, which needs the processors; and again, since settings may change.
                host.keep_helpers(present)
                host.keep_programs(endpoints[endpoint.name], present)
                host.gateway.apply(endpoints.values())
            except BaseException:
                host.routed.put_back(endpoint.name, known)
                raise
            return host.gateway.url(endpoint.name), programs or {}

    def observe(self, endpoint: Endpoint) -> Observation:
        """The endpoint's state; starts nothing."""
        return self.observe_all([endpoint])[endpoint.name]

    def observe_all(self, endpoints: Sequence[Endpoint]) -> dict[str, Observation]:
        """The state of several endpoints: one query to supervisor and gateway, all releases in parallel."""
        host = _Host(self._settings)
        if host.runtime.exists():
            host.runtime.check()
        programs = host.supervisor.seen()
        workers = {(e.name, r.tag): host.workers(r) for e in endpoints for r in e.releases}
        survivors = host.supervisor.identities.running(f"{PREFIX}*") if programs is None else {}
        health = health_of(workers, programs, survivors)
        stats = host.gateway.statistics()
        gateway = host.gateway.answers()
        return {
            endpoint.name: Observation(
                url=host.gateway.url(endpoint.name),
                gateway=gateway,
                releases={release.tag: health[endpoint.name, release.tag] for release in endpoint.releases},
                overflowed=overflowed(endpoint, stats),
                counts=host.gateway.counts(endpoint, stats),
                stream=streams.state_of(endpoint, host.runtime, programs),
                batch=batches.state_of(endpoint, self._settings, programs),
            )
            for endpoint in endpoints
        }

    def limits(self, release: Release) -> tuple[str, ...]:
        """How the release's resources are enforced."""
        return _Host(self._settings).workers(release).limits()

    def usage(self, releases: Sequence[Release]) -> dict[str, Usage]:
        """The resources that the processes of running releases use; a container's are not measured."""
        host = _Host(self._settings)
        programs = host.supervisor.seen()
        running = {one.tag: host.workers(one) for one in releases if one.image is None}
        running = {tag: one for tag, one in running.items() if one.alive(programs) and not one.idle(programs)}
        pids = {tag: host.supervisor.identities.running(one.program) for tag, one in running.items()}
        leaders = {tag: next(iter(found.values())) for tag, found in pids.items() if found}
        states = {tag: host.supervisor.limits(one.program) for tag, one in running.items()}
        found = usages(leaders, states)
        if not found:
            return {}
        with ThreadPoolExecutor(min(len(found), PARALLEL), "nbdeploy-usage") as pool:
            queues = pool.map(lambda tag: waiting(running[tag].socket), found)
            return {
                tag: one.model_copy(update={"waiting": queue})
                for (tag, one), queue in zip(found.items(), queues, strict=True)
            }

    def output(self, release: Release, most: int) -> str:
        """The end of the release's logs, of all its generations: the oldest first."""
        return read_end(logs_of(self._settings.logs, release.endpoint, release.tag), most)

    def lost(self) -> bool:
        """Whether releases ran here and were not stopped, and neither the supervisor nor its configuration is left."""
        host = _Host(self._settings)
        return was_running(self._settings.home) and not host.supervisor.alive() and not host.supervisor.interrupted()

    def forget(self, endpoint: str, tags: Sequence[str]) -> None:
        """Remove a deleted endpoint's logs, and its revision from the routes."""
        host = _Host(self._settings)
        if host.runtime.exists():
            host.runtime.prepare()
            with host.runtime.lock():
                host.routed.put_back(endpoint, None)
        BatchLogFile(self._settings.home, endpoint).remove()
        remove_logs(self._settings.logs, endpoint, tags)

    def down(self) -> None:
        """Stop every program of the runtime directory, also releases that the store does not know."""
        host = _Host(self._settings)
        if host.runtime.exists():
            host.runtime.prepare()
            with host.runtime.lock():
                host.close()
        else:
            try:
                host.supervisor.identities.end()
                if was_running(self._settings.home):
                    sweep(self._settings)  # containers outlive a deleted runtime directory
            finally:  # releases that a reboot ended must not come back either
                with suppress(OSError):
                    forget_runtime(self._settings)


def _answers(workers: Workers, *, renew: bool) -> bool:
    """Whether a release reproduces the notebook's predictions; if not and not ``renew``, raise StartFailed."""
    try:
        workers.probe()
    except StartFailed:
        if not renew:
            raise
        return False
    return True


class _Host:
    """The runtime directory with supervisor and gateway. Every call locates it anew, since it may move."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self.runtime: Runtime = locate(settings)
        self.supervisor = Supervisor(self.runtime, settings.logs)
        self.gateway, self.routed = Gateway(settings, self.runtime, self.supervisor), RoutedEndpoints(self.runtime)

    def workers(self, release: Release) -> Workers:
        return Workers(release, self._settings, self.runtime, self.supervisor)

    def programs(self) -> Programs:
        return self.supervisor.seen() or {}

    def resume(self) -> Programs | None:
        """The programs (None: no supervisor); restarts a supervisor that was killed with its keeper."""
        seen = self.supervisor.seen()
        if (seen is None and self.supervisor.interrupted()) or self.supervisor.damaged():
            with self.runtime.lock():
                if self.supervisor.interrupted() or self.supervisor.damaged():
                    self.supervisor.ensure()
            seen = self.supervisor.seen()
        return seen

    def serves(self, workers: Workers, *, ask: bool, renew: bool) -> bool:
        """Whether a release needs no start; one that fails its example is removed if ``renew`` (``Target.start``)."""
        programs = self.resume()
        if workers.idle(programs) and workers.proved():
            if ask:
                workers.probe()
            return True
        if not (workers.alive(programs) and workers.proved() and workers.ready()):
            return False
        if not (ask or renew) or _answers(workers, renew=renew):
            return True
        with self.runtime.lock():
            workers.forget()
        return False

    def take_down(self, workers: Workers) -> None:
        """Stop a release. The caller holds its lock."""
        others = workers.others(self.programs())
        # Pending requests may take long: not under the lock that every process needs.
        if self.supervisor.alive():
            for one in (workers, *others):
                self.supervisor.stop(one.program)
        else:
            self.end_survivors(workers.program)
        with self.runtime.lock():
            for one in others:
                one.withdraw()
            workers.forget()
            if not any(name.startswith(PREFIX) for name in self.programs()):
                self.close()
            elif self.supervisor.alive():
                Zygotes(self.runtime, self.supervisor).retire()

    def end_survivors(self, program: str) -> None:
        """End what a program left running without its runtime directory; with the last release, end everything."""
        identities = self.supervisor.identities
        identities.end(program)
        if not identities.running(f"{PREFIX}*"):
            identities.end()

    def start_replacement(self, workers: Workers) -> None:
        """Start a release with other resources or another image. The caller holds its lock.

        The running generation serves until the next routes are in force; if the start fails, it stays.
        """
        successor = workers.successor()
        with self.runtime.lock():
            check_limits()
            successor.launch()
        try:
            successor.wait_ready()
            successor.prove()
        except BaseException:
            self._drop(successor)
            raise

    def retire(self, endpoint: Endpoint, programs: Programs) -> None:
        """End the former generations of an endpoint's releases: no route leads to them any more."""
        for release in endpoint.releases:
            workers = self.workers(release)
            if workers.others(programs):
                with self.runtime.lock(workers.lock):
                    for one in self.workers(release).others(self.programs()):
                        self._drop(one)

    def _drop(self, generation: Workers) -> None:
        self.supervisor.stop(generation.program)
        with self.runtime.lock():
            generation.withdraw()

    def open(self) -> None:
        """Start the supervisor and note its runtime directory for every shell. The caller holds the state lock."""
        self.supervisor.ensure()
        remember(self._settings, runtime=str(self.runtime.path))

    def open_gateway(self) -> None:
        """Start the gateway with the routes that it had, unless it runs."""
        with self.runtime.lock():
            if not self.gateway.running_in(self.programs()):
                self.gateway.apply(self.routed.all().values())

    def keep_helpers(self, programs: Programs) -> None:
        """Run the archivist with the present settings, if there is one, and the exporter."""
        archivist.keep_running(self._settings, self.runtime, self.supervisor, programs)
        exporter.keep_running(self._settings, self.runtime, self.supervisor, programs)

    def keep_programs(self, endpoint: Endpoint, programs: Programs) -> None:
        """Run the endpoint's own programs: for a ramp in progress, its stream, its schedule."""
        for kind in (ramp_drivers, streams, batches):
            kind.keep_running(endpoint, self._settings, self.runtime, self.supervisor, programs)

    def close(self) -> None:
        """Stop everything. The caller holds the state lock."""
        self.supervisor.shutdown()
        end_orphans(self.runtime)
        self.supervisor.identities.end()
        try:
            clear(self.runtime)
        finally:  # an engine that does not answer must not bring releases back
            for state in (self.runtime.path / "programs").glob("*.limits"):
                limits.undo(state)
            self.runtime.clear()
            with suppress(OSError):  # a full disk must not prevent a stop
                forget_runtime(self._settings)
