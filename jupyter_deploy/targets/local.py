"""Releases as processes of this machine and user, behind Envoy, under supervisord.

Everything that is running is written down in the runtime directory, so that any process of the user can go on where
another one ended. Two locks keep them apart: one a release, held while it starts or stops (which may take
minutes), and ``state``, held for moments, around every change of what is supervised or routed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from jupyter_deploy.domain.endpoint import Endpoint, Release
from jupyter_deploy.domain.errors import RouteNotConfirmed, StartFailed
from jupyter_deploy.domain.ports import Observation, ReleaseHealth
from jupyter_deploy.domain.processes import passed_on
from jupyter_deploy.home import private_folder, was_running

from .gateway import Gateway, envoy_binary, forget_runtime, remember
from .leftovers import end_leftovers
from .machine import check_machine
from .runtime import Runtime, locate, write_atomic
from .settings import LocalSettings
from .supervision import ProcessState, Program, Supervisor
from .workers import PREFIX, Workers, check_recording

__all__ = ["LocalSettings", "LocalTarget"]

ARCHIVIST = "archivist"


class LocalTarget:
    """``domain.ports.Target`` on this machine."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    def check(self) -> None:
        """Raise EnvoyMissing if there is no gateway to start, TargetError if the machine's limits forbid it."""
        envoy_binary(self._settings)
        check_machine()

    def start(self, release: Release, *, ask: bool = False, renew: bool = False) -> bool:
        """Run a release until it is ready and answers its example as the notebook did.

        One that runs and is ready is left alone; with ``ask`` it is asked its example once more; with ``renew`` too,
        and started anew if it does not answer as the notebook did. Returns whether it had to be started.

        Raises
        ------
        StartFailed, EnvironmentChanged, EnvoyMissing
            It was stopped again, unless it had been running before.
        """
        envoy_binary(self._settings)
        place = _Place(self._settings)
        place.runtime.prepare()
        workers = place.workers(release)
        with place.runtime.lock(workers.lock):
            place.resume()
            if place.alive(workers) and workers.proved() and workers.ready():
                if not (ask or renew) or _answers(workers, renew=renew):
                    return False
                with place.runtime.lock():
                    workers.forget()
            if place.alive(workers) and workers.outdated():
                place.take_down(workers)
            workers.check_environment()
            with place.runtime.lock():
                place.runtime.prepare()  # the last release may just have been stopped
                before = place.alive(workers)
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
        if not place.runtime.exists():
            return
        place.runtime.prepare()
        workers = place.workers(release)
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
            return self._route(endpoint)
        except OSError as error:
            raise RouteNotConfirmed(
                f"the change is not in force: cannot write {error.filename or 'a file'}: {error.strerror or error}",
                "make room on that disk or make it writable, then run 'nbdeploy reconcile'",
            ) from error

    def _route(self, endpoint: Endpoint) -> str:
        place = _Place(self._settings)
        place.runtime.prepare()
        with place.runtime.lock():
            place.runtime.prepare()  # the last release may just have been stopped
            place.resume()
            before = place.fragments()
            known = before.get(endpoint.name)
            newer = known is not None and known.revision > endpoint.revision
            wanted = before if newer else before | {endpoint.name: endpoint}
            if not any(e.running for e in wanted.values()) and not place.gateway.running():
                return place.gateway.url(endpoint.name)
            if place.supervisor.alive():
                place.keep_records()  # its limits may have been changed
            place.put(wanted[endpoint.name])
            try:
                if not place.gateway.running():
                    place.open()  # it may be all that runs: releases that should do failed to start
                place.gateway.apply(wanted.values())
            except BaseException:
                place.put_back(endpoint.name, known)
                raise
            return place.gateway.url(endpoint.name)

    def observe(self, endpoint: Endpoint) -> Observation:
        """The endpoint as it is found; starts nothing."""
        place = _Place(self._settings)
        if place.runtime.exists():
            place.runtime.check()
        programs = place.supervisor.programs() if place.supervisor.alive() else None
        health = {}
        for release in endpoint.releases:
            workers = place.workers(release)
            if programs is None and workers.ready():
                running, healthy, detail = True, True, "runs without a supervisor"
            else:
                running, healthy, detail = workers.health((programs or {}).get(workers.program, []))
            health[release.tag] = ReleaseHealth(running=running, healthy=healthy, detail=detail)
        stats = place.gateway.statistics()
        return Observation(
            url=place.gateway.url(endpoint.name),
            gateway=place.gateway.answers() if programs is None else place.gateway.running(),
            releases=health,
            overflowed=place.gateway.overflowed(endpoint, stats),
            counts=place.gateway.counts(endpoint, stats),
        )

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
        else:  # what a reboot ended is not to come back either
            with suppress(OSError):
                forget_runtime(self._settings)


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

    def programs(self) -> dict[str, list[ProcessState]]:
        return self.supervisor.programs() if self.supervisor.alive() else {}

    def resume(self) -> None:
        """Have a supervisor again, if it was killed and its keeper did not, or not yet, start another one."""
        if self.supervisor.interrupted():
            with self.runtime.lock():
                if self.supervisor.interrupted():
                    self.supervisor.ensure()

    def alive(self, workers: Workers) -> bool:
        states = self.programs().get(workers.program, [])
        return bool(states) and all(state.alive for state in states)

    def take_down(self, workers: Workers) -> None:
        """Stop a release; the caller holds its lock."""
        # Answering the last requests may take long: not under the lock that everybody needs.
        if self.supervisor.alive():
            self.supervisor.stop(workers.program)
        with self.runtime.lock():
            workers.forget()
            if not any(name.startswith(PREFIX) for name in self.programs()):
                self.close()

    def open(self) -> None:
        """Have a supervisor that every shell finds; the caller holds the state lock."""
        self.supervisor.ensure()
        remember(self._settings, runtime=str(self.runtime.path))
        self.keep_records()

    def keep_records(self) -> None:
        """Have the program that tends the records run as the settings are now, if there is to be one."""
        if not self._settings.archivist:
            return
        ready = f"{self.runtime.path}/archivist.ready"
        command = [*self._settings.archivist, "--ready", ready]
        if command == self._tending() and any(state.alive for state in self.supervisor.states(ARCHIVIST)):
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
