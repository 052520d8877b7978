"""A release's processes: what is run, when it counts as started, and how it says why not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from jupyter_deploy.domain.endpoint import Endpoint, Release
from jupyter_deploy.domain.errors import EnvironmentChanged, StartFailed, TargetError
from jupyter_deploy.domain.processes import passed_on
from jupyter_deploy.home import private_folder
from jupyter_deploy.serving.agreement import alike, differences, tolerance_of

from . import unix
from .envoy import cluster_name
from .runtime import Runtime, read_json, write_atomic
from .settings import LocalSettings
from .supervision import ProcessState, Program, Supervisor

# uvicorn ends when its requests are answered, or after so many seconds; then it is killed.
_GRACE_SECONDS = 20

# Longer than Envoy keeps an idle connection (envoy_parts.UPSTREAM_IDLE_SECONDS).
_KEEP_ALIVE_SECONDS = 75

_RETRIES = 4

PREFIX = "release-"
"""What the names of releases' programs, and of no others, begin with."""

_POLL_SECONDS = 0.04
_TAIL_LINES = 25


class Workers:
    """The processes of one release in one runtime directory."""

    def __init__(self, release: Release, settings: LocalSettings, runtime: Runtime, supervisor: Supervisor) -> None:
        self.release = release
        self._settings = settings
        self._runtime = runtime
        self._supervisor = supervisor
        self.program = program_name(release.endpoint, release.tag)
        self._key = _key(release.endpoint, release.tag)

    @property
    def lock(self) -> str:
        """The name of this release's lock."""
        return f"release-{self._key}"

    def sockets(self) -> list[str]:
        """Where its processes listen."""
        return sockets(self._runtime, self.release.endpoint, self.release.tag, self._settings.workers)

    def proved(self) -> bool:
        """Whether this very release was started and answered its example."""
        return bool(self._record().get("proved")) and self._record().get("digest") == self.release.digest

    def prove(self) -> None:
        """Remember that it has answered."""
        self._write_record(proved=True)

    def check_environment(self) -> None:
        """The installed versions must be those of the capture: the captured interpreter itself says so.

        Raises
        ------
        EnvironmentChanged
        """
        release = self.release
        remedy = (
            "install the versions named, or deploy again from the notebook with what is installed now; with --isolated "
            "a release has an environment of its own, which no installation touches"
        )
        what = f"{release.tag} cannot start: its environment is not what it was captured in"
        if not Path(release.interpreter).is_file():
            raise EnvironmentChanged(what, remedy, f"{release.interpreter}: the interpreter is missing")
        script = Path(release.path) / "src" / "serving" / "environment.py"
        command = [release.interpreter, "-P", str(script), str(Path(release.snapshot_path) / "snapshot.json")]
        try:
            done = subprocess.run(
                command,
                env=passed_on(os.environ) | {"PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self._settings.start_timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EnvironmentChanged(what, remedy, f"{release.interpreter} cannot be run: {error}") from error
        try:
            changes = json.loads(done.stdout)
        except ValueError:
            details = _last_lines(done.stdout + done.stderr)
            raise StartFailed(
                f"{release.tag} cannot start: its environment could not be checked",
                f"deploy again from the notebook; see whether {release.path} is complete",
                details,
            ) from None
        if changes:
            raise EnvironmentChanged(what, remedy, "\n".join(f"  {line}" for line in changes))

    def launch(self) -> None:
        """Add its program. The caller holds the state lock."""
        self._write_record(proved=False)
        for socket in self.sockets():
            Path(socket).unlink(missing_ok=True)
        records = self._settings.home.absolute() / "records" / self.release.endpoint / self.release.version
        private_folder(records)
        environment = passed_on(os.environ) | {
            "BENTOML_HOME": str(self._settings.bentoml_home.absolute()),
            "BENTOML_DO_NOT_TRACK": "true",
            "NBDEPLOY_RECORDS": str(records),
            "NBDEPLOY_ENDPOINT": self.release.endpoint,
            "NBDEPLOY_WHEN_RECORD_FAILS": self._settings.when_record_fails,
            "NBDEPLOY_CHECK_ENVIRONMENT": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if self._settings.segment_bytes is not None:
            environment["NBDEPLOY_SEGMENT_BYTES"] = str(self._settings.segment_bytes)
        self._supervisor.add(
            Program(
                name=self.program,
                commands=[self._command(socket) for socket in self.sockets()],
                environment=environment,
                folder=self._runtime.path / "empty",
                stop_seconds=_GRACE_SECONDS + 5,
                retries=_RETRIES,
                ready=self.sockets(),  # uvicorn makes it when the model is loaded
                memory=self._settings.memory_limit and self._settings.memory_limit << 20,
            )
        )

    def forget(self) -> None:
        """Remove its program and everything of it. The caller holds the state lock."""
        if self._supervisor.alive():
            self._supervisor.remove(self.program)
        for socket in self.sockets():
            Path(socket).unlink(missing_ok=True)
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
            if all(_ready(socket, 1.0) for socket in self.sockets()):
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
            faults = self._faults(manifest, self._ask(socket, manifest["instances"]))
            if faults:
                raise StartFailed(
                    f"{self.release.tag} does not answer its example as the notebook did",
                    "see what the model depends on that is neither in its snapshot nor in its environment",
                    "\n".join(f"  {line}" for line in faults),
                )

    def ready(self, seconds: float = 1.0) -> bool:
        """Whether all its processes say that they are ready."""
        return all(_ready(socket, seconds) for socket in self.sockets())

    def health(self, states: Sequence[ProcessState]) -> tuple[bool, bool, str]:
        """Running, healthy, and what there is to say about it."""
        if not states:
            return False, False, "not running"
        down = [state for state in states if not state.alive]
        if down:
            return len(down) < len(states), False, f"{down[0].state}: {down[0].detail or 'see its log'}"
        if not self.ready():
            return True, False, "does not say that it is ready"
        return True, True, ""

    def _command(self, socket: str) -> list[str]:
        # -P: -m would put the working directory on the path. Not -s or -I: packages of the user's site
        # belong to the captured environment if the notebook had them.
        return [
            self.release.interpreter, "-P", "-m", "uvicorn",
            "--factory", "--app-dir", str(Path(self.release.path) / "src"),
            "--uds", socket, "--no-access-log", "--log-level", "warning",
            "--timeout-keep-alive", str(_KEEP_ALIVE_SECONDS),
            "--timeout-graceful-shutdown", str(_GRACE_SECONDS),
            "service:app",
        ]  # fmt: skip

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

    def _faults(self, manifest: dict[str, Any], got: list[Any]) -> list[str]:
        expected = manifest["predictions"]
        if manifest.get("stochastic"):
            return alike(expected, got)
        rtol, atol = tolerance_of(manifest)
        return differences(expected, got, rtol=rtol, atol=atol)

    def _failure(self, message: str) -> StartFailed:
        logs = [self._supervisor.log(self.program, number) for number in range(len(self.sockets()))]
        return StartFailed(message, f"read the whole log: {logs[0]}", tail(logs))

    @property
    def _record_path(self) -> Path:
        return self._runtime.path / "releases" / f"{self._key}.json"

    def outdated(self) -> bool:
        """Whether what runs under this tag serves other files than the release names."""
        return self._record().get("digest") not in (None, self.release.digest)

    def _record(self) -> dict[str, Any]:
        return read_json(self._record_path)

    def _write_record(self, *, proved: bool) -> None:
        record = {
            "tag": self.release.tag,
            "endpoint": self.release.endpoint,
            "digest": self.release.digest,
            "workers": len(self.sockets()) if proved else self._settings.workers,
            "proved": proved,
        }
        write_atomic(self._record_path, json.dumps(record))


def check_recording(endpoint: Endpoint) -> None:
    """Every release with traffic must know the endpoint's mode of recording.

    Raises
    ------
    TargetError
        One was built by a version that records everything.
    """
    if endpoint.record == "full" or not endpoint.running:
        return
    for tag in endpoint.traffic.tags():
        code = Path(endpoint.release(tag).path) / "src" / "serving" / "records.py"
        try:
            known = f'"{endpoint.record}"' in code.read_text("utf-8")
        except OSError:
            known = True  # not there at all: whoever starts it says so
        if not known:
            raise TargetError(
                f"{tag} was built by an older nbdeploy and would record everything",
                f"'nbdeploy stop {endpoint.name}', 'bentoml delete {tag}', and deploy it again",
            )


def program_name(endpoint: str, tag: str) -> str:
    """The supervisor's name of a release, readable in ``logs/``."""
    name = re.sub(r"[^A-Za-z0-9._-]", ".", cluster_name(endpoint, tag))
    return f"{PREFIX}{name}"


def sockets(runtime: Runtime, endpoint: str, tag: str, workers: int) -> list[str]:
    """The sockets of a release: as many as it was started with, else ``workers``."""
    key = _key(endpoint, tag)
    started = read_json(runtime.path / "releases" / f"{key}.json").get("workers")
    return [f"{runtime.path}/s/{key}-{number}.sock" for number in range(started or workers)]


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
            return _last_lines(text)
    return ""


def _last_lines(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-_TAIL_LINES:])


def _key(endpoint: str, tag: str) -> str:
    # Short, since a socket's path must be.
    return hashlib.sha256(f"{endpoint} {tag}".encode()).hexdigest()[:12]


def _ready(socket: str, timeout: float) -> bool:
    if not Path(socket).exists():
        return False
    try:
        with unix.client(socket, timeout) as worker:
            return worker.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False
