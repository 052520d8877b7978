"""A release as processes of the captured interpreter: the program that an image runs, from the bento's files."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Hashable
from pathlib import Path

from jupyter_deploy.domain.errors import StartFailed
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import environment_changed, last_lines, passed_on
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.serving.hosting.exit_reasons import TERMINATION_LOG
from jupyter_deploy.serving.hosting.options import METRICS
from jupyter_deploy.serving.imports import installed
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import Program

from .environment import environment_of
from .hardware import enforced
from .idle_releases import control_socket
from .secret_sources import require_secrets, secret_sources
from .zygotes import Zygotes

RETRIES = 4
_CHECKED_SECONDS = 60.0
_SHOWN_LINES = 25

# Environments, by interpreter and captured versions, and the time until which their check counts.
_checked: dict[Hashable, float] = {}


class ProcessRunner:
    """``workers.Runner`` for processes.

    Parameters
    ----------
    folder
        The folder of this run: the reason of a failed start, and the state that several workers share.
    """

    def __init__(
        self, release: Release, settings: LocalSettings, runtime: Runtime, folder: Path, zygotes: Zygotes
    ) -> None:
        self._release = release
        self._settings = settings
        self._runtime = runtime
        self._folder = folder
        self._zygotes = zygotes

    def require(self) -> None:
        """Raise unless its secrets can be read, and the captured interpreter finds the versions of the capture.

        What was found for another release of the same environment counts for a minute.

        Raises
        ------
        StartFailed, EnvironmentChanged
        """
        require_secrets(self._release, self._settings, self._runtime)
        captured = read_json(Path(self._release.snapshot_path) / "snapshot.json").get("environment")
        key = (self._release.interpreter, json.dumps(captured), installed())
        if captured and time.monotonic() < _checked.get(key, 0.0):
            return
        self._check()
        _checked[key] = time.monotonic() + _CHECKED_SECONDS

    def _check(self) -> None:
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

    def program(self, name: str, socket: str) -> Program:
        release = self._release
        # -P: the working directory must not be on the path. Not -s or -I: packages of the user's site
        # belong to the captured environment if the notebook had them.
        hosting = str(Path(release.path) / "src" / "serving" / "container.py")
        private_folder(self._folder)
        write_atomic(self.termination_log, "")
        environment = environment_of(release, self._settings) | {TERMINATION_LOG: str(self.termination_log)}
        if release.resources.pooled:
            environment[METRICS] = str(self._folder)
        if release.resources.idle_after is not None:
            environment["NBDEPLOY_ACTIVATOR"] = str(control_socket(self._runtime))
        return Program(
            name=name,
            commands=[[release.interpreter, "-P", hosting, "--uds", socket]],
            environment=environment,
            folder=self._runtime.path / "empty",
            stop_seconds=self._settings.grace_seconds + 5,
            retries=RETRIES,
            ready=[socket],  # made when the example is answered
            memory=release.resources.memory,
            cpu=release.resources.cpu,
            zygote=self._zygotes.ensure(release, environment),
            idles=release.resources.idle_after is not None,
            secrets=secret_sources(release, self._settings, self._runtime),
        )

    @property
    def termination_log(self) -> Path:
        """The file that gets the reason of a failed start."""
        return self._folder / "termination"

    def sweep(self) -> None:
        """Does nothing: the end of the program ends all its processes."""

    def limits(self, resources: Resources, state: Path) -> tuple[str, ...]:
        return enforced(resources, state, self._folder)
