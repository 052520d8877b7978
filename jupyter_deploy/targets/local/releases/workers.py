"""A release's processes: what is run, when it counts as started, and how it says why not."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import httpx

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.errors import StartFailed
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import last_lines
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.serving.agreement import faults
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.targets.local import unix
from jupyter_deploy.targets.local.naming import generations, how_many, key_of, program_name, sockets, stem_of
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import ProcessState, Program, Programs, Supervisor

from . import limits
from .by_container import ByContainer, socket_folder
from .by_process import ByProcess
from .environment import folders_of

_POLL_SECONDS = 0.04
_TAIL_LINES = 25


class Way(Protocol):
    """How a release is run."""

    def require(self) -> None:
        """Raise for what would keep it from starting; what it needs is made ready, which may take long."""

    def program(self, name: str, sockets: Sequence[str]) -> Program:
        """What listens at these sockets."""

    def begin(self, plan: Path) -> None:
        """Told of the plan of its process before the supervisor starts it."""

    def sweep(self) -> None:
        """End what is left of it where nothing of it runs."""

    def stand_by(self) -> None:
        """Have a process wait that the next release, of much the same model, may become."""

    def limits(self, resources: Resources, state: Path) -> tuple[str, ...]:
        """How resources are enforced, one line each; ``state`` is what ``limits`` wrote of its process."""


class Workers:
    """The processes, or the container, of one release in one runtime directory.

    With other resources, or from another image, they are started beside those that run, as a ``generation`` of their
    own; who routes to them retires the former ones.
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

    def sockets(self) -> list[str]:
        """Where its processes listen."""
        return sockets(self._runtime, self.release, self._generation)

    @cached_property
    def way(self) -> Way:
        """How it is run."""
        if self.release.image is not None:
            return ByContainer(self.release, self._settings, self._runtime, self._stem)
        return ByProcess(self.release, self._settings, self._runtime, self._pool)

    def proved(self) -> bool:
        """Whether this very release was started and answered its example."""
        return bool(self._record().get("proved")) and not self.outdated() and not self.altered()

    def prove(self) -> None:
        """Remember that it has answered."""
        self._write_record(proved=True)

    def newer(self) -> Workers:
        """Those that are to be started beside these."""
        return Workers(self.release, self._settings, self._runtime, self._supervisor, generation=self._generation + 1)

    def launch(self) -> None:
        """Add its program. The caller holds the state lock."""
        if self._generation == self._record().get("generation", 0):
            self._write_record(proved=False)
        for socket in self.sockets():
            Path(socket).unlink(missing_ok=True)
        for folder in folders_of(self.release, self._settings).values():
            private_folder(folder)
        self._supervisor.add(self.way.program(self.program, self.sockets()), self.way.begin)

    def others(self, programs: Iterable[str]) -> list[Workers]:
        """Of what is supervised, other generations of it: former ones, and what a killed process had begun to start."""
        numbers = generations(self.release.endpoint, self.release.tag, programs) - {self._generation}
        return [
            Workers(self.release, self._settings, self._runtime, self._supervisor, generation=number)
            for number in sorted(numbers)
        ]

    def withdraw(self) -> None:
        """Remove the program of this generation and all that is its own. The caller holds the state lock."""
        if self._supervisor.alive():
            self._supervisor.remove(self.program)
        for path in (self._runtime.path / "s").glob(f"{self._stem}-*.sock"):
            path.unlink(missing_ok=True)
        for folder in (self._pool, socket_folder(self._runtime, self._stem)):
            shutil.rmtree(folder, ignore_errors=True)

    def forget(self) -> None:
        """Remove its program and everything of it. The caller holds the state lock."""
        self.withdraw()
        self._record_path.unlink(missing_ok=True)

    def wait_ready(self, *, patient: bool = False) -> None:
        """Return when all processes are ready.

        ``patient``: they were running before; one that was killed is being started again, which is no failure.

        Raises
        ------
        StartFailed
            One ended, or the time is over.
        """
        deadline = time.monotonic() + self._settings.start_timeout
        first: list[int] = []
        while time.monotonic() < deadline:
            states = self._supervisor.states(self.program)
            pids = [state.pid for state in states if state.pid]
            first = first or (pids if len(pids) == len(states) else [])
            # A new process id: the first one ended between two looks.
            ended = any(not s.alive for s in states) or bool(first and pids != first)
            if not states or (any(s.state == "FATAL" for s in states) if patient else ended):
                raise self._failure(f"{self.release.tag} ended while it started")
            if all(unix.says_ready(socket, 1.0) for socket in self.sockets()):
                return
            time.sleep(_POLL_SECONDS)
        raise self._failure(f"{self.release.tag} was not ready within {self._settings.start_timeout:g} s")

    def probe(self) -> None:
        """Every process must answer the example as the notebook did.

        Raises
        ------
        StartFailed
        """
        manifest = read_json(Path(self.release.snapshot_path) / "snapshot.json")
        if "instances" not in manifest:
            raise self._failure(f"{self.release.snapshot_path} holds no snapshot")
        for socket in self.sockets():
            found = faults(manifest, self._ask(socket, manifest["instances"]))
            if found:
                raise StartFailed(
                    f"{self.release.tag} does not answer its example as the notebook did",
                    "see what the model depends on that is neither in its snapshot nor in its environment",
                    "\n".join(f"  {line}" for line in found),
                )

    def ready(self, seconds: float = 1.0) -> bool:
        """Whether all its processes say that they are ready."""
        return all(unix.says_ready(socket, seconds) for socket in self.sockets())

    def alive(self, programs: Programs | None) -> bool:
        """Whether all its processes run, of what the supervisor has just said; None: there is no supervisor."""
        states = (programs or {}).get(self.program, ())
        return bool(states) and all(state.alive for state in states)

    def askable(self, programs: Programs | None) -> bool:
        """Whether it is worth asking if it is ready."""
        return (programs is None or self.alive(programs)) and all(Path(socket).exists() for socket in self.sockets())

    def health(self, states: Sequence[ProcessState], *, ready: bool) -> tuple[bool, bool, str]:
        """Running, healthy, and what there is to say about it."""
        if not states:
            return False, False, "not running"
        down = [state for state in states if not state.alive]
        if down:
            return len(down) < len(states), False, f"{down[0].state}: {down[0].detail or 'see its log'}"
        if not ready:
            return True, False, "does not say that it is ready"
        return True, True, ""

    def limits(self) -> tuple[str, ...]:
        """How what it may use is enforced, one line each."""
        known = self.resources()
        return () if known is None else self.way.limits(known, self._supervisor.limits(self.program))

    def resources(self) -> Resources | None:
        """What it was started with; None: it was not started."""
        known = self._record().get("resources")
        return None if known is None else Resources.model_validate(known)

    def _ask(self, socket: str, instances: list[Any]) -> list[Any]:
        headers = {
            "x-rollout-role": "probe",
            "x-rollout-release": self.release.tag,
            "x-rollout-endpoint": self.release.endpoint,
            "x-rollout-record": "meta",  # the snapshot has the example; an endpoint may be told to record nothing of it
            "x-pair-id": str(uuid.uuid4()),
        }
        try:
            with unix.client(socket, self._settings.predict_timeout) as worker:
                answer = worker.post("/predict", json={"instances": instances}, headers=headers)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise self._failure(f"{self.release.tag} does not answer its example: {reason}") from error
        try:
            predictions = answer.json()["predictions"]
        except (ValueError, KeyError, TypeError):
            predictions = None
        if answer.status_code != 200 or not isinstance(predictions, list):
            said = answer.text[:500]
            raise self._failure(f"{self.release.tag} answers its example with {answer.status_code}: {said}")
        return predictions

    def _failure(self, message: str) -> StartFailed:
        log = self._supervisor.log(self.program)
        memory, (killed, _) = self.release.resources.memory, limits.killed(self._supervisor.limits(self.program))
        if killed and memory:
            message = f"{message}: it may have {size_in_words(memory)} of memory, and that was not enough"
        return StartFailed(message, f"read the whole log: {log}", tail([log]))

    @property
    def _stem(self) -> str:
        return stem_of(self._key, self._generation)

    @property
    def _pool(self) -> Path:
        return self._runtime.path / "pools" / self._stem

    @property
    def _record_path(self) -> Path:
        return self._runtime.path / "releases" / f"{self._key}.json"

    def outdated(self) -> bool:
        """Whether what runs under this tag serves other files than the release names."""
        return self._record().get("digest") not in (None, self.release.digest)

    def altered(self) -> bool:
        """Whether it runs with other resources than the release names, or from another image."""
        known = self._record()
        other = bool(known) and known.get("image") != self.release.image
        return other or self.resources() not in (None, self.release.resources)

    def _record(self) -> dict[str, Any]:
        return read_json(self._record_path)

    def _write_record(self, *, proved: bool) -> None:
        record = {
            "tag": self.release.tag,
            "endpoint": self.release.endpoint,
            "digest": self.release.digest,
            "workers": how_many(self.release),
            "resources": self.release.resources.said(),
            "image": self.release.image,
            "proved": proved,
            "generation": self._generation,
        }
        write_atomic(self._record_path, json.dumps(record))


def tail(logs: Sequence[Path]) -> str:
    """The last lines of the first log that has any."""
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
