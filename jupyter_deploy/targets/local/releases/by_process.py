"""A release as processes of the captured interpreter, from the bento's files."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jupyter_deploy.domain.errors import StartFailed
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import environment_changed, last_lines, passed_on
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.serving.hosting import pool
from jupyter_deploy.serving.hosting.processors import processors
from jupyter_deploy.serving.imports import FILE
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import Program

from .environment import environment_of
from .hardware import enforced
from .spare_client import SpareClient

# uvicorn ends when its pending requests are answered, after this many seconds at most; then it is killed.
_GRACE_SECONDS = 20

# Longer than Envoy keeps an idle connection (envoy_parts.UPSTREAM_IDLE_SECONDS).
_KEEP_ALIVE_SECONDS = 75

RETRIES = 4
_SHOWN_LINES = 25


class ProcessRunner:
    """``workers.Runner`` for processes.

    Parameters
    ----------
    folder
        The folder that several workers share.
    """

    def __init__(self, release: Release, settings: LocalSettings, runtime: Runtime, folder: Path) -> None:
        self._release = release
        self._settings = settings
        self._runtime = runtime
        self._folder = folder

    def require(self) -> None:
        """Raise EnvironmentChanged unless the captured interpreter finds the versions of the capture."""
        release = self._release
        if not Path(release.interpreter).is_file():
            raise environment_changed(release.tag, [f"{release.interpreter}: the interpreter is missing"])
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
            raise environment_changed(release.tag, [f"{release.interpreter} cannot be run: {error}"]) from error
        try:
            changes = json.loads(done.stdout)
        except ValueError:
            details = last_lines(done.stdout + done.stderr, _SHOWN_LINES)
            raise StartFailed(
                f"{release.tag} cannot start: its environment could not be checked",
                f"deploy again from the notebook; see whether {release.path} is complete",
                details,
            ) from None
        if changes:
            raise environment_changed(release.tag, changes)

    def program(self, name: str, sockets: Sequence[str]) -> Program:
        return Program(
            name=name,
            commands=[self._command(sockets)],
            environment=environment_of(self._release, self._settings),
            folder=self._runtime.path / "empty",
            stop_seconds=_GRACE_SECONDS + 5,
            retries=RETRIES,
            ready=sockets[-1:],  # made when the model is loaded
            memory=self._release.resources.memory,
            cpu=self._release.resources.cpu,
        )

    def begin(self, plan: Path) -> None:
        """Let the spare process become this release, if it fits."""
        if self._release.resources.processes == 1:
            self._spare.become(self._release.interpreter, plan)

    def sweep(self) -> None:
        """Does nothing: the end of the program ends all its processes."""

    def stand_by(self) -> None:
        """Start a spare process with the same imports, which the next release of a similar model may become."""
        imports = Path(self._release.snapshot_path) / FILE
        if self._release.resources.processes == 1 and imports.exists():
            environment = environment_of(self._release, self._settings)
            self._spare.start(self._release.interpreter, imports, environment)

    def limits(self, resources: Resources, state: Path) -> tuple[str, ...]:
        return enforced(resources, state, self._folder)

    @property
    def _spare(self) -> SpareClient:
        return SpareClient(self._runtime)

    def _command(self, sockets: Sequence[str]) -> list[str]:
        # -P: -m would put the working directory on the path. Not -s or -I: packages of the user's site
        # belong to the captured environment if the notebook had them.
        folder = str(Path(self._release.path) / "src")
        if len(sockets) > 1:
            # The pool of this package: it needs only service.py of the bento.
            return [
                self._release.interpreter, "-P", pool.__file__, "--app-dir", folder,
                "--threads", str(self._release.resources.threads_on(processors())),
                "--folder", str(self._folder), *sockets,
            ]  # fmt: skip
        return [
            self._release.interpreter, "-P", "-m", "uvicorn",
            "--factory", "--app-dir", folder,
            "--uds", sockets[0], "--no-access-log", "--log-level", "warning",
            "--timeout-keep-alive", str(_KEEP_ALIVE_SECONDS),
            "--timeout-graceful-shutdown", str(_GRACE_SECONDS),
            "service:app",
        ]  # fmt: skip
