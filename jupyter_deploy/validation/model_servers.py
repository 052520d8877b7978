"""Servers of snapshots over HTTP for validation notebooks."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import DeployError, StartFailed
from jupyter_deploy.domain.release.processes import environment_changed, last_lines
from jupyter_deploy.domain.secret_references import secret_variables
from jupyter_deploy.domain.validation.model_calls import Call, Calls
from jupyter_deploy.serving.standalone import CALLS, LOG, STATE
from jupyter_deploy.system.clean_process import CleanProcess, clean_process
from jupyter_deploy.system.secret_store import SecretStore
from jupyter_deploy.system.temp import sweep

_TAIL = 25
_POLL_SECONDS = 0.02


class SnapshotServers:
    """The ModelServers port: servers in the captured interpreter, in another folder, without the project on their path.

    Parameters
    ----------
    start_timeout : float
        Seconds until a server must be ready.
    secrets : SecretStore, optional
        Has the values of the models' secrets (default: that of the user's default home).
    """

    def __init__(self, start_timeout: float, secrets: SecretStore | None = None) -> None:
        self._start_timeout = start_timeout
        self._secrets = secrets or SecretStore()

    @contextmanager
    def serving(self, snapshot: Snapshot) -> Iterator[SnapshotServer]:
        """Serve the snapshot in its own process."""
        sweep()  # remove folders of servers that died before a killed parent
        with clean_process("serving") as place, socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)  # from now on requests wait instead of being refused
            values = self._secrets.values_of(snapshot.manifest)
            server = SnapshotServer(snapshot, place, listener, self._start_timeout, values)
            try:
                yield server
            finally:
                server.end()


class SnapshotServer:
    """The Served port: one process, and its folder."""

    def __init__(
        self,
        snapshot: Snapshot,
        place: CleanProcess,
        listener: socket.socket,
        start_timeout: float,
        values: Mapping[str, str],
    ) -> None:
        self._snapshot = snapshot
        self._root = place.root
        self._start_timeout = start_timeout
        secret = secrets.token_urlsafe(24)
        self._address = f"http://127.0.0.1:{listener.getsockname()[1]}/{secret}"
        interpreter = snapshot.manifest.environment.interpreter
        settings = {
            "path": snapshot.path,
            "digest": snapshot.digest,
            "root": str(place.root),
            "parent": os.getpid(),
            "listener": listener.fileno(),
            "secret": secret,
        }
        options = place.options
        options["env"] |= {"NBDEPLOY_CHECK_ENVIRONMENT": "1", **secret_variables(values)}
        self._lock = threading.Lock()  # guards _fault
        self._fault: DeployError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            with (place.root / LOG).open("wb") as log:
                self._process = subprocess.Popen(
                    place.command(interpreter, "from serving.standalone import main", "main()"),
                    **options,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C ends the notebooks first
                    pass_fds=(listener.fileno(),),
                )
        except OSError as error:
            self._fault = environment_changed(snapshot.tag, [f"{interpreter} cannot be run: {error}"])
        else:
            with contextlib.suppress(OSError):  # it ended already; check() reports why
                self._process.stdin.write(json.dumps(settings).encode() + b"\n")  # type: ignore[union-attr]  # a pipe
                self._process.stdin.flush()  # type: ignore[union-attr]
        finally:
            # The process has a copy. If ours stayed open, clients of an ended server would wait for ever.
            listener.close()
        # Early clients wait for an answer without a timeout of their own.
        self._overdue = threading.Timer(start_timeout, self._end_if_not_started)
        self._overdue.daemon = True
        self._overdue.start()

    def url_for(self, job: str) -> str:
        """Return the address of one run."""
        return f"{self._address}/{job}"

    def calls(self, job: str) -> Calls:
        """Return the calls of a job that the server logged, without a torn last line of a killed server."""
        try:
            lines = (self._root / CALLS / job).read_bytes().splitlines(keepends=True)
        except OSError:
            return Calls()
        whole = [line for line in lines if line.endswith(b"\n")]
        kept = [line for line in whole if line != b"\n"]
        return Calls(calls=tuple(map(Call.model_validate_json, kept)), dropped=len(whole) - len(kept))

    def check(self, *, wait: bool = False) -> None:
        """Raise the error that keeps the server from answering."""
        while True:
            with self._lock:
                started = self._started
                self._fault = self._fault or self._find_fault(started=started)
            if self._fault is not None:
                raise self._fault
            if started or not wait:
                return
            time.sleep(_POLL_SECONDS)

    def end(self) -> None:
        """End the process and its children. All its files are in its folder, which is removed too.

        If this process is killed, the server ends itself once its standard input closes.
        """
        self._overdue.cancel()
        if self._process is None:
            return
        self._kill(self._process)
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]  # a pipe

    @property
    def _started(self) -> bool:
        return (self._root / STATE).exists()

    def _end_if_not_started(self) -> None:
        """End a server that is not ready in time, which closes waiting connections; ``check`` raises the reason."""
        with self._lock:
            if self._process is None or self._process.poll() is not None or self._started:
                return
            self._fault = StartFailed(
                f"{self._snapshot.tag} was not ready to be validated within {self._start_timeout:g} s",
                "raise NBDEPLOY_START_TIMEOUT, or find out why it waits",
                last_lines(self._log, _TAIL),
            )
            self._kill(self._process)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _find_fault(self, *, started: bool) -> DeployError | None:
        """Return the error of the server; None: no error is known now."""
        code = self._process.poll() if self._process is not None else None
        tag, tail = self._snapshot.tag, last_lines(self._log, _TAIL)
        if started:
            state = json.loads((self._root / STATE).read_text("utf-8"))
            if "changes" in state:
                return environment_changed(tag, state["changes"])
            if code is not None:
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                return StartFailed(
                    f"the process of {tag} ended ({how}) during a request",
                    "does the model end its process, or need more memory than there is?",
                    tail,
                )
        elif code is not None:
            return StartFailed(
                f"{tag} could not be served to its validation", "deploy it again from its notebook", tail
            )
        return None

    @property
    def _log(self) -> str:
        try:
            return (self._root / LOG).read_text("utf-8", errors="replace")
        except OSError:
            return ""
