"""A clean process of a model's interpreter that answers lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.release.processes import environment_changed, last_lines
from jupyter_deploy.domain.secret_references import secret_variables
from jupyter_deploy.serving.output_masking import secret_mask

from .clean_process import CleanProcess

_LOG_LINES = 20


class ModelProcess:
    """One process that runs ``main`` of a module of the serving package, in a session of its own.

    Parameters
    ----------
    module
        Its dotted name, such as ``serving.batch.worker``.
    log
        The file of its error output, which is appended to.
    variables
        Environment variables in addition to those of ``place``.
    secrets
        The values of the model's secrets by variable.

    Raises
    ------
    EnvironmentChanged
        The interpreter cannot be run.
    """

    def __init__(
        self,
        place: CleanProcess,
        snapshot: Snapshot,
        module: str,
        *,
        log: Path,
        variables: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> None:
        interpreter = snapshot.manifest.environment.interpreter
        options = place.options
        options["env"] |= {"NBDEPLOY_CHECK_ENVIRONMENT": "1", **variables, **secret_variables(secrets)}
        self._log = log
        self._tag = snapshot.tag
        self._late = False
        self._mask = secret_mask(secrets.values())
        try:
            with log.open("ab") as errors:
                self._process = subprocess.Popen(
                    place.command(interpreter, f"from {module} import main", "main()"),
                    **options,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    start_new_session=True,  # Ctrl-C is the caller's
                )
        except OSError as error:
            raise environment_changed(snapshot.tag, [f"{interpreter} cannot be run: {error}"]) from error

    def send(self, document: Mapping[str, Any]) -> None:
        """Send a line; of a process that has ended ``receive`` returns None."""
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(document) + "\n")  # type: ignore[union-attr]  # a pipe
            self._process.stdin.flush()  # type: ignore[union-attr]

    def receive(self) -> dict[str, Any] | None:
        """Return the next line; None: the process has ended, and the log may have the reason."""
        line = self._process.stdout.readline()  # type: ignore[union-attr]  # a pipe
        document: dict[str, Any] | None = json.loads(line) if line else None
        return document

    def exchange(
        self, document: Mapping[str, Any], *, failed: str, remedy: str, seconds: float | None = None
    ) -> dict[str, Any]:
        """Send a line, and return the result of a program that answers each line with a ``result`` or an ``error``.

        Parameters
        ----------
        seconds
            After which the process is killed; None: there is no limit.

        Raises
        ------
        EnvironmentChanged
            The packages of the model's environment are not those of its snapshot.
        TargetError
            The process ended, was late, or answered with an error: ``failed`` and the reason, with the ``remedy``.
        """
        with self._limited(seconds):
            self.send(document)
            try:
                answer = self.receive() or {}
            except ValueError:
                if not self._late:  # else it was killed within a line
                    raise
                answer = {}
        if "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        if answer.get("kind") == "EnvironmentChanged":
            raise environment_changed(self._tag, answer["error"].splitlines()[1:])
        if answer:
            why = self._mask.masked(f"{answer['kind']}: {answer['error']}")
        elif self._late:
            why = f"it took longer than {seconds:g} s"
        else:
            why = "its process ended; does it need too much memory?"
        raise TargetError(f"{self._tag} {failed}: {why}", remedy, self.last_log())

    @contextlib.contextmanager
    def _limited(self, seconds: float | None) -> Iterator[None]:
        if seconds is None:
            yield
            return
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        """Kill the process with its children, which may hold its output open."""
        self._late = True
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def last_log(self) -> str:
        """Return the last lines of the log."""
        return last_lines(self._mask.masked(self._log.read_text("utf-8", errors="replace")), _LOG_LINES)

    def end(self) -> None:
        """Kill the process and wait for it."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
