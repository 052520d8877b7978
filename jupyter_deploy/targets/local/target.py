"""Releases as processes or containers of this machine and user, behind Envoy, under supervisord.

Everything that is running is written down in the runtime directory, so that any process of the user can go on where
another one ended. Two locks keep them apart: one a release, held while it starts or stops (which may take
minutes), and ``state``, held for moments, around every change of what is supervised or routed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from jupyter_deploy.domain.errors import RouteNotConfirmed, StartFailed
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth, TargetSettings
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.system.home import private_folder, was_running, write_atomic

from .gateway.gateway import Gateway, envoy_binary, forget_runtime, remember
from .naming import PREFIX
from .preflight import check_machine
from .releases import limits
from .releases.by_container import require_containable, sweep
from .releases.container_engine import find_engine, require_platform
from .releases.hardware import require_hardware
from .releases.workers import Workers, check_recording
from .runtime import Runtime, locate
from .settings import LocalSettings
from .supervisor.orphans import clear, end_leftovers
from .supervisor.supervisord import Program, Programs, Supervisor

ARCHIVIST = "archivist"

_ASKED_AT_ONCE = 32  # a release that hangs takes a second of one of them


class LocalTarget:
    """``domain.ports.Target`` on this machine."""

    settings_class: type[TargetSettings] = LocalSettings

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    def check(self, resources: Resources | None = None, platform: str | None = None) -> None:
        """Raise EnvoyMissing if there is no gateway to start, TargetError if the machine's limits forbid it.

        InvalidInput for more resources than it has. For an image of a ``platform`` also ToolMissing, TargetError and
        InvalidInput, if no container of it can run here.
        """
        require_hardware(resources or Resources())
        if platform is not None:
            require_platform(platform)
            require_containable(resources or Resources(), find_engine())
        envoy_binary(self._settings)
        check_machine()

    def start(self, release: Release, *, ask: bool = False, renew: bool = False) -> bool:
        """Run a release until it is ready and answers its example as the notebook did.

        One that runs and is ready is left alone; with ``ask`` it is asked its example once more; with ``renew`` too,
        and started anew if it does not answer as the notebook did. One that runs with other resources, or from
        another image, is started as it is to be beside that, until it is routed. Returns whether it had to be started.

        Raises
        ------
        StartFailed, EnvironmentChanged, EnvoyMissing
            It was stopped again, unless it had been running before: then it runs as it did.
        """
        require_hardware(release.resources)
        envoy_binary(self._settings)
        place = _Place(self._settings)
        place.runtime.prepare()
        workers = place.workers(release)
        with place.runtime.lock(workers.lock):
            if workers.alive(place.resume()) and workers.proved() and workers.ready():
                if not (ask or renew) or _answers(workers, renew=renew):
                    return False
                with place.runtime.lock():
                    workers.forget()
                workers = place.workers(release)
            if workers.outdated() and workers.alive(place.programs()):
                place.take_down(workers)
                workers = place.workers(release)
            workers.way.require()
            if workers.altered() and workers.alive(place.programs()):
                place.start_beside(workers)
                return True
            if not workers.alive(place.programs()):
                workers.way.sweep()  # by an engine that may be slow: not under the lock that everybody needs
            with place.runtime.lock():
                place.runtime.prepare()  # the last release may just have been stopped
                before = workers.alive(place.programs())
                if not before:
                    check_machine()
                place.open()
                if not before:
                    workers.launch()
            try:
                workers.wait_ready(patient=before)
                workers.probe()
                workers.prove()
            except BaseException:  # Ctrl-C too: nothing half-started stays
                if not before:
                    place.take_down(workers)
                raise
            return not before

    def stop(self, release: Release) -> None:
        """Stop a release, its requests answered; with the last one gateway and supervisor go too."""
        place = _Place(self._settings)
        workers = place.workers(release)
        if not place.runtime.exists():
            workers.way.sweep()
            return
        place.runtime.prepare()
        with place.runtime.lock(workers.lock):
            place.resume()
            place.take_down(workers)

    def route(self, endpoint: Endpoint) -> str:
        """Put an endpoint's traffic in force, confirmed by Envoy, and return its URL.

        Raises
        ------
        RouteNotConfirmed
            Everything is as it was before.
        TargetError
            A release would record more than it should.
        """
        check_recording(endpoint)
        try:
            url, programs = self._route(endpoint)
        except OSError as error:
            raise RouteNotConfirmed(
                f"the change is not in force: cannot write {error.filename or 'a file'}: {error.strerror or error}",
                "make room on that disk or make it writable, then run 'nbdeploy reconcile'",
            ) from error
        _Place(self._settings).retire(endpoint, programs)
        return url

    def _route(self, endpoint: Endpoint) -> tuple[str, Programs]:
        """Its URL, and what ran before."""
        place = _Place(self._settings)
        place.runtime.prepare()
        with place.runtime.lock():
            place.runtime.prepare()  # the last release may just have been stopped
            programs = place.resume()
            before = place.fragments()
            known = before.get(endpoint.name)
            newer = known is not None and known.revision > endpoint.revision
            wanted = before if newer else before | {endpoint.name: endpoint}
            if not any(e.running for e in wanted.values()) and not place.gateway.among(programs):
                return place.gateway.url(endpoint.name), programs or {}
            if programs is not None:
                place.keep_records(programs)  # its limits may have been changed
            place.put(wanted[endpoint.name])
            try:
                if not place.gateway.among(programs):
                    place.open()  # it may be all that runs: releases that should do failed to start
                place.gateway.apply(wanted.values())
            except BaseException:
                place.put_back(endpoint.name, known)
                raise
            return place.gateway.url(endpoint.name), programs or {}

    def observe(self, endpoint: Endpoint) -> Observation:
        """The endpoint as it is found; starts nothing."""
        return self.observe_all([endpoint])[endpoint.name]

    def observe_all(self, endpoints: Sequence[Endpoint]) -> dict[str, Observation]:
        """Several by one look: supervisor and gateway are asked once, all releases at the same time."""
        place = _Place(self._settings)
        if place.runtime.exists():
            place.runtime.check()
        programs = place.supervisor.seen()
        workers = {(e.name, r.tag): place.workers(r) for e in endpoints for r in e.releases}
        health = _health(workers, programs)
        stats = place.gateway.statistics()
        gateway = place.gateway.answers() if programs is None else place.gateway.among(programs)
        return {
            endpoint.name: Observation(
                url=place.gateway.url(endpoint.name),
                gateway=gateway,
                releases={release.tag: health[endpoint.name, release.tag] for release in endpoint.releases},
                overflowed=place.gateway.overflowed(endpoint, stats),
                counts=place.gateway.counts(endpoint, stats),
            )
            for endpoint in endpoints
        }

    def stand_by(self, release: Release) -> None:
        """Have a process wait that the next release may become; not where nothing runs."""
        place = _Place(self._settings)
        if place.runtime.exists():
            place.workers(release).way.stand_by()

    def limits(self, release: Release) -> tuple[str, ...]:
        """How what it may use is enforced."""
        return _Place(self._settings).workers(release).limits()

    def lost(self) -> bool:
        """Whether something ran here and nobody has stopped it, and yet neither it nor its configuration is there."""
        place = _Place(self._settings)
        return was_running(self._settings.home) and not place.supervisor.alive() and not place.supervisor.interrupted()

    def down(self) -> None:
        """Stop everything in the runtime directory, also what no store knows of."""
        place = _Place(self._settings)
        if place.runtime.exists():
            place.runtime.prepare()
            with place.runtime.lock():
                place.close()
        else:
            try:
                if was_running(self._settings.home):
                    sweep(self._settings)  # containers outlive a runtime directory that somebody has removed
            finally:  # what a reboot ended is not to come back either
                with suppress(OSError):
                    forget_runtime(self._settings)


def _health(
    workers: Mapping[tuple[str, str], Workers], programs: Programs | None
) -> dict[tuple[str, str], ReleaseHealth]:
    """Of each release; ``programs`` None: there is no supervisor. Those that could answer are asked side by side."""
    askable = [key for key, one in workers.items() if one.askable(programs)]
    ready: dict[tuple[str, str], bool] = {}
    if askable:
        with ThreadPoolExecutor(min(len(askable), _ASKED_AT_ONCE), "nbdeploy-health") as pool:
            ready = dict(zip(askable, pool.map(lambda key: workers[key].ready(), askable), strict=True))
    found = {}
    for key, one in workers.items():
        if programs is None and ready.get(key):
            running, healthy, detail = True, True, "runs without a supervisor"
        else:
            states = (programs or {}).get(one.program, ())
            running, healthy, detail = one.health(states, ready=ready.get(key, False))
        enforced = one.limits() if running else ()
        found[key] = ReleaseHealth(running=running, healthy=healthy, detail=detail, limits=enforced)
    return found


def _answers(workers: Workers, *, renew: bool) -> bool:
    """Whether it answers its example as the notebook did; unless ``renew``, StartFailed says why not."""
    try:
        workers.probe()
    except StartFailed:
        if not renew:
            raise
        return False
    return True


class _Place:
    """The runtime directory with all that works in it. Located anew by each call: it may move meanwhile."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self.runtime: Runtime = locate(settings)
        self.supervisor = Supervisor(self.runtime, settings.logs)
        self.gateway = Gateway(settings, self.runtime, self.supervisor)

    def workers(self, release: Release) -> Workers:
        return Workers(release, self._settings, self.runtime, self.supervisor)

    def programs(self) -> Programs:
        return self.supervisor.seen() or {}

    def resume(self) -> Programs | None:
        """What runs (None: no supervisor); one that was killed is there again, also where its keeper started none."""
        seen = self.supervisor.seen()
        if seen is None and self.supervisor.interrupted():
            with self.runtime.lock():
                if self.supervisor.interrupted():
                    self.supervisor.ensure()
            seen = self.supervisor.seen()
        return seen

    def take_down(self, workers: Workers) -> None:
        """Stop a release; the caller holds its lock."""
        others = workers.others(self.programs())
        # Answering the last requests may take long: not under the lock that everybody needs.
        if self.supervisor.alive():
            for one in (workers, *others):
                self.supervisor.stop(one.program)
        with self.runtime.lock():
            for one in others:
                one.withdraw()
            workers.forget()
            if not any(name.startswith(PREFIX) for name in self.programs()):
                self.close()

    def start_beside(self, workers: Workers) -> None:
        """Start a release, otherwise than it runs, beside what runs of it; the caller holds its lock.

        Clients are asked for by those that run until the next routes are in force; if the start fails, they stay.
        """
        newer = workers.newer()
        with self.runtime.lock():
            check_machine()
            newer.launch()
        try:
            newer.wait_ready()
            newer.probe()
            newer.prove()
        except BaseException:
            self._drop(newer)
            raise

    def retire(self, endpoint: Endpoint, programs: Programs) -> None:
        """End what ran with other resources before, of what was running: nothing is routed there any more."""
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
        """Have a supervisor that every shell finds; the caller holds the state lock."""
        self.supervisor.ensure()
        remember(self._settings, runtime=str(self.runtime.path))
        self.keep_records(self.programs())

    def keep_records(self, programs: Programs) -> None:
        """Have the program that tends the records run as the settings are now, if there is to be one."""
        if not self._settings.archivist:
            return
        ready = f"{self.runtime.path}/archivist.ready"
        command = [*self._settings.archivist, "--ready", ready]
        if command == self._tending() and any(state.alive for state in programs.get(ARCHIVIST, ())):
            return
        private_folder(self._settings.logs)
        self.supervisor.add(
            Program(
                name=ARCHIVIST,
                commands=[command],
                environment=passed_on(os.environ),
                folder=self.runtime.path / "empty",
                stop_seconds=5,
                ready=[ready],
            )
        )

    def _tending(self) -> object:
        """The command line with which the archivist was started; None if that cannot be known."""
        with suppress(OSError, ValueError, LookupError, TypeError):
            return json.loads((self.runtime.path / "programs" / f"{ARCHIVIST}@0.json").read_bytes())["command"]
        return None

    def close(self) -> None:
        """Stop everything; the caller holds the state lock."""
        self.supervisor.shutdown()
        end_leftovers(self.runtime)
        try:
            clear(self.runtime)
        finally:  # what was told to go does not come back because an engine does not answer
            for state in (self.runtime.path / "programs").glob("*.limits"):
                limits.undo(state)
            self.runtime.clear()
            with suppress(OSError):  # a full disk must not be in the way of a stop
                forget_runtime(self._settings)

    def fragments(self) -> dict[str, Endpoint]:
        """The endpoints in force."""
        found = {}
        for path in sorted((self.runtime.path / "routes").glob("*.json")):
            # One of another version of nbdeploy cannot be rendered: its endpoint comes back when it is routed.
            with suppress(ValidationError, OSError):
                endpoint = Endpoint.model_validate_json(path.read_bytes())
                found[endpoint.name] = endpoint
        return found

    def put(self, endpoint: Endpoint) -> None:
        write_atomic(self._fragment(endpoint.name), endpoint.model_dump_json())

    def put_back(self, name: str, endpoint: Endpoint | None) -> None:
        if endpoint is None:
            self._fragment(name).unlink(missing_ok=True)
        else:
            self.put(endpoint)

    def _fragment(self, name: str) -> Path:
        return self.runtime.path / "routes" / f"{name}.json"
