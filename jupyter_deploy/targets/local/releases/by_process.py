"""A release as a process of the captured interpreter, with the bento's files."""

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
from .spare_client import Ahead

# uvicorn ends when its requests are answered, or after so many seconds; then it is killed.
_GRACE_SECONDS = 20

# Longer than Envoy keeps an idle connection (envoy_parts.UPSTREAM_IDLE_SECONDS).
_KEEP_ALIVE_SECONDS = 75

RETRIES = 4
_SHOWN_LINES = 25


class ByProcess:
    """``workers.Way``.

    Parameters
    ----------
    folder
        Of several workers: where they keep what is theirs together.
    """

    def __init__(self, release: Release, settings: LocalSettings, runtime: Runtime, folder: Path) -> None:
        self._release = release
        self._settings = settings
        self._runtime = runtime
        self._folder = folder

    def require(self) -> None:
        """The installed versions must be those of the capture: the captured interpreter itself says so.

        Raises
        ------
        EnvironmentChanged
        """
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
            ready=sockets[-1:],  # it is made when the model is loaded
            memory=self._release.resources.memory,
            cpu=self._release.resources.cpu,
        )

    def begin(self, plan: Path) -> None:
        """What waits to become a release becomes this one, if it can."""
        if self._release.resources.processes == 1:
            self._ahead.become(self._release.interpreter, plan)

    def sweep(self) -> None:
        """A process leaves nothing that its program's own end does not find."""

    def stand_by(self) -> None:
        """Have a process wait that has imported what this release did, and may become one of much the same model."""
        imports = Path(self._release.snapshot_path) / FILE
        if self._release.resources.processes == 1 and imports.exists():
            environment = environment_of(self._release, self._settings)
            self._ahead.start(self._release.interpreter, imports, environment)

    def limits(self, resources: Resources, state: Path) -> tuple[str, ...]:
        return enforced(resources, state, self._folder)

    @property
    def _ahead(self) -> Ahead:
        return Ahead(self._runtime)

    def _command(self, sockets: Sequence[str]) -> list[str]:
        # -P: -m would put the working directory on the path. Not -s or -I: packages of the user's site
        # belong to the captured environment if the notebook had them.
        folder = str(Path(self._release.path) / "src")
        if len(sockets) > 1:
            # This package's own, since a bento of an earlier one has none: it needs nothing of it but service.py.
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
