"""A release's worker processes: start, readiness, the check of their predictions, and the errors."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.errors import StartFailed
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import last_lines
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.serving.agreement import DIFFERS, faults
from jupyter_deploy.serving.hosting import activation
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.targets.local import unix
from jupyter_deploy.targets.local.naming import generations, key_of, program_name, socket_of, stem_of
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import ProcessState, Program, Programs, Supervisor

from . import limits
from .by_container import ContainerRunner, socket_folder
from .by_process import ProcessRunner
from .environment import folders_of
from .idle_releases import control_socket, ensure_activator, idle_file, is_idle
from .secret_sources import kept_secrets
from .zygotes import Zygotes

_POLL_SECONDS = 0.04
_OBSERVE_SECONDS = 0.2
"""A look for the socket takes no time, a call of the supervisor a millisecond and a half of the processor."""

_TAIL_LINES = 25


class Runner(Protocol):
    """The way in which a release runs: as processes or in a container."""

    def require(self) -> None:
        """Prepare what a start needs, which may take long; raise if the release cannot start."""

    @property
    def termination_log(self) -> Path:
        """The file that gets the reason of a failed start."""

    def program(self, name: str, socket: str) -> Program:
        """The supervised program that listens on this socket."""

    def sweep(self) -> None:
        """End orphans of a release that does not run."""

    def limits(self, resources: Resources, state: Path) -> tuple[str, ...]:
        """How resources are enforced, one line each; ``state`` is the file that ``limits`` wrote."""


class Workers:
    """The processes, or the container, of one release in one runtime directory.

    With other resources or another image they start as a new ``generation`` next to the running one; ``route`` retires
    the former one.
    """

    def __init__(
        self,
        release: Release,
        settings: LocalSettings,
        runtime: Runtime,
        supervisor: Supervisor,
        *,
        generation: int | None = None,
    ) -> None:
        self.release = release
        self._settings = settings
        self._runtime = runtime
        self._supervisor = supervisor
        self._key = key_of(release.endpoint, release.tag)
        self._generation: int = self._record().get("generation", 0) if generation is None else generation
        self.program = program_name(release.endpoint, release.tag, self._generation)

    @property
    def lock(self) -> str:
        """The name of this release's lock."""
        return f"release-{self._key}"

    @property
    def socket(self) -> str:
        """The socket on which its processes listen."""
        return socket_of(self._runtime, self.release, self._generation)

    @cached_property
    def runner(self) -> Runner:
        """The runner for this release."""
        if self.release.image is not None:
            return ContainerRunner(self.release, self._settings, self._runtime, self._stem)
        zygotes = Zygotes(self._runtime, self._supervisor)
        return ProcessRunner(self.release, self._settings, self._runtime, self._folder, zygotes)

    def proved(self) -> bool:
        """Whether this very release was started and reproduced the predictions for its example."""
        return bool(self._record().get("proved")) and not self.outdated() and not self.altered()

    def prove(self) -> None:
        """Record that it has reproduced the predictions."""
        self._write_record(proved=True)

    def successor(self) -> Workers:
        """The next generation."""
        return Workers(self.release, self._settings, self._runtime, self._supervisor, generation=self._generation + 1)

    def launch(self) -> None:
        """Have the supervisor start it. The caller holds the state lock."""
        if self._generation == self._record().get("generation", 0):
            self._write_record(proved=False)
        self._forget_idle()
        if self.release.resources.idle_after is not None:
            ensure_activator(self._runtime, self._supervisor, self._settings.logs)
        Path(self.socket).unlink(missing_ok=True)
        for folder in folders_of(self.release, self._settings).values():
            private_folder(folder)
        self._supervisor.add(self.runner.program(self.program, self.socket))

    def others(self, programs: Iterable[str]) -> list[Workers]:
        """Other generations among the supervised programs: former ones, and starts that a killed process began."""
        numbers = generations(self.release.endpoint, self.release.tag, programs) - {self._generation}
        return [
            Workers(self.release, self._settings, self._runtime, self._supervisor, generation=number)
            for number in sorted(numbers)
        ]

    def withdraw(self) -> None:
        """Remove this generation's program, sockets and folders. The caller holds the state lock."""
        self._forget_idle()
        if self._supervisor.alive():
            self._supervisor.remove(self.program)
        Path(self.socket).unlink(missing_ok=True)
        for folder in (self._folder, socket_folder(self._runtime, self._stem)):
            shutil.rmtree(folder, ignore_errors=True)

    def _forget_idle(self) -> None:
        if idle_file(self._runtime, self.program).exists():
            activation.forget(str(control_socket(self._runtime)), self.socket)

    def forget(self) -> None:
        """Remove the program, the kept secrets and the record of the release. The caller holds the state lock."""
        self.withdraw()
        shutil.rmtree(kept_secrets(self._runtime, self.release), ignore_errors=True)
        self._record_path.unlink(missing_ok=True)

    def wait_ready(self, *, patient: bool = False) -> None:
        """Return when all processes have proved the example and are ready.

        ``patient``: the processes were running before, so the restart of a killed one is no failure.

        Raises
        ------
        StartFailed
            A process ended, or the time is over.
        """
        deadline = time.monotonic() + self._settings.start_timeout
        first: list[int] = []
        observed = 0.0
        while (now := time.monotonic()) < deadline:
            ready = self.ready()
            if ready or now > observed + _OBSERVE_SECONDS:
                observed = now
                states = self._supervisor.states(self.program)
                pids = [state.pid for state in states if state.pid]
                first = first or (pids if len(pids) == len(states) else [])
                # A new process id: the first process ended between two observations.
                ended = any(not s.alive for s in states) or bool(first and pids != first)
                if not states or (any(s.state == "FATAL" for s in states) if patient else ended):
                    raise self._failure(f"{self.release.tag} ended while it started")
            if ready:
                return
            time.sleep(_POLL_SECONDS)
        raise self._failure(f"{self.release.tag} was not ready within {self._settings.start_timeout:g} s")

    def probe(self) -> None:
        """Raise StartFailed unless it reproduces the notebook's predictions for the example now, as at its start."""
        manifest = read_json(Path(self.release.snapshot_path) / "snapshot.json")
        if "instances" not in manifest:
            raise self._failure(f"{self.release.snapshot_path} holds no snapshot")
        differences = faults(manifest, self._predict(manifest["instances"]))
        if differences:
            raise self._answers_fault(differences)

    def ready(self, seconds: float = 1.0) -> bool:
        """Whether it reports that it is ready."""
        return unix.is_ready(self.socket, seconds)

    def alive(self, programs: Programs | None) -> bool:
        """Whether all its processes run according to the supervisor; None: there is no supervisor."""
        states = (programs or {}).get(self.program, ())
        return bool(states) and all(state.alive for state in states)

    def idle(self, programs: Programs | None) -> bool:
        """Whether it has ended, or is being started, since it had no requests; a request starts it."""
        return is_idle(self._runtime, self.program, programs)

    def reachable(self, programs: Programs | None) -> bool:
        """Whether its processes may listen, so that a readiness check makes sense."""
        return (programs is None or self.alive(programs)) and Path(self.socket).exists()

    def health(self, states: Sequence[ProcessState], *, ready: bool) -> tuple[bool, bool, str]:
        """Running, healthy, and the detail."""
        if not states:
            return False, False, "not running"
        down = [state for state in states if not state.alive]
        if down:
            return len(down) < len(states), False, f"{down[0].state}: {down[0].detail or 'see its log'}"
        if not ready:
            return True, False, "does not say that it is ready"
        return True, True, ""

    def limits(self) -> tuple[str, ...]:
        """How its resources are enforced, one line each."""
        known = self.resources()
        return () if known is None else self.runner.limits(known, self._supervisor.limits(self.program))

    def resources(self) -> Resources | None:
        """What it was started with; None: it was not started."""
        known = self._record().get("resources")
        return None if known is None else Resources.model_validate(known)

    def _predict(self, instances: list[Any]) -> list[Any]:
        headers = {
            "x-rollout-role": "probe",
            "x-rollout-release": self.release.tag,
            "x-rollout-endpoint": self.release.endpoint,
            "x-rollout-record": "meta",  # the snapshot has the example; the endpoint may exclude it from records
            "x-pair-id": str(uuid.uuid4()),
        }
        import httpx  # a look at what runs needs none

        try:
            may_be_idle = self.release.resources.idle_after is not None
            seconds = self._settings.predict_timeout + (self._settings.start_timeout if may_be_idle else 0)
            with unix.client(self.socket, seconds) as worker:
                answer = worker.post("/predict", json={"instances": instances}, headers=headers)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise self._failure(f"{self.release.tag} does not answer its example: {reason}") from error
        try:
            predictions = answer.json()["predictions"]
        except (ValueError, KeyError, TypeError):
            predictions = None
        if answer.status_code != 200 or not isinstance(predictions, list):
            raise self._failure(
                f"{self.release.tag} answers its example with {answer.status_code}: {answer.text[:500]}"
            )
        return predictions

    def _answers_fault(self, differences: Sequence[str]) -> StartFailed:
        return StartFailed(
            f"{self.release.tag} {DIFFERS}",
            "find the model's dependency that is neither in its snapshot nor in its environment",
            "\n".join(f"  {line}" for line in differences),
        )

    def _failure(self, message: str) -> StartFailed:
        log = self._supervisor.log(self.program)
        memory, (killed, _) = self.release.resources.memory, limits.killed(self._supervisor.limits(self.program))
        if killed and memory:
            message = f"{message}: it may have {size_in_words(memory)} of memory, and that was not enough"
        _, _, differences = _text(self.runner.termination_log).rstrip().partition(f" {DIFFERS}: ")
        if differences:
            return self._answers_fault(differences.split("; "))
        return StartFailed(message, f"read the whole log: {log}", tail([log]))

    @property
    def _stem(self) -> str:
        return stem_of(self._key, self._generation)

    @property
    def _folder(self) -> Path:
        return self._runtime.path / "runs" / self._stem

    @property
    def _record_path(self) -> Path:
        return self._runtime.path / "releases" / f"{self._key}.json"

    def outdated(self) -> bool:
        """Whether the running processes of this tag serve another snapshot than the release."""
        return self._record().get("digest") not in (None, self.release.digest)

    def altered(self) -> bool:
        """Whether it runs with other resources or secrets than the release, or from another image."""
        known = self._record()
        other = bool(known) and (known.get("image"), known.get("secrets", {})) != (
            self.release.image,
            self.release.secrets,
        )
        return other or self.resources() not in (None, self.release.resources)

    def _record(self) -> dict[str, Any]:
        return read_json(self._record_path)

    def _write_record(self, *, proved: bool) -> None:
        record = {
            "tag": self.release.tag,
            "endpoint": self.release.endpoint,
            "digest": self.release.digest,
            "resources": self.release.resources.explicit(),
            "image": self.release.image,
            "secrets": self.release.secrets,
            "proved": proved,
            "generation": self._generation,
        }
        write_atomic(self._record_path, json.dumps(record))


def tail(logs: Sequence[Path]) -> str:
    """The last lines of the first log that is not empty."""
    for log in logs:
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - 64_000))
                text = file.read().decode(errors="replace")
        except OSError:
            continue
        if text.strip():
            return last_lines(text, _TAIL_LINES)
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
