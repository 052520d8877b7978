"""A clean process of a model's interpreter that answers lines of JSON."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.release.processes import environment_changed, last_lines

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

    Raises
    ------
    EnvironmentChanged
        The interpreter cannot be run.
    """

    def __init__(
        self, place: CleanProcess, snapshot: Snapshot, module: str, *, log: Path, variables: Mapping[str, str]
    ) -> None:
        interpreter = snapshot.manifest.environment.interpreter
        options = place.options
        options["env"] |= {"NBDEPLOY_CHECK_ENVIRONMENT": "1", **variables}
        self._log = log
        self._tag = snapshot.tag
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

    def exchange(self, document: Mapping[str, Any], *, failed: str, remedy: str) -> dict[str, Any]:
        """Send a line, and return the result of a program that answers each line with a ``result`` or an ``error``.

        Raises
        ------
        EnvironmentChanged
            The packages of the model's environment are not those of its snapshot.
        TargetError
            The process ended, or answered with an error: ``failed`` and the reason, with the ``remedy``.
        """
        self.send(document)
        answer = self.receive() or {}
        if "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        if answer.get("kind") == "EnvironmentChanged":
            raise environment_changed(self._tag, answer["error"].splitlines()[1:])
        why = f"{answer['kind']}: {answer['error']}" if answer else "its process ended; does it need too much memory?"
        raise TargetError(f"{self._tag} {failed}: {why}", remedy, self.last_log())

    def last_log(self) -> str:
        """Return the last lines of the log."""
        return last_lines(self._log.read_text("utf-8", errors="replace"), _LOG_LINES)

    def end(self) -> None:
        """Kill the process and wait for it."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
