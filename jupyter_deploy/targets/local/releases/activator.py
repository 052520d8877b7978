"""The activator keeps the sockets of idle releases and starts a release when a client sends it a request.

    python -P -m jupyter_deploy.targets.local.releases.activator RUNTIME LOGS

There is one in a runtime directory, so that an idle release has no process of its own. A release without a request for
its ``idle_after`` hands its listening socket over (``serving.hosting.activation``) and ends. The gateway's next
connection is accepted here. A health check or a request for metrics is answered here and starts nothing. For any other
request the release is started: it takes the socket, in whose queue further connections wait, and then the accepted
connections, of which nothing was read. If it does not start, these clients get 503 with the reason, and the next
request starts it again.

``programs/NAME@0.idle`` exists as long as the activator is responsible for a release: by it ``launch`` knows that the
end of the process is no failure, and an activator that was killed continues.
"""

from __future__ import annotations

import selectors
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.serving.hosting import activation, unix_socket
from jupyter_deploy.serving.hosting.exit_reasons import TERMINATION_LOG
from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.supervisor.supervisord import Supervisor

from . import activator_answers as answers
from .idle_releases import control_socket, idle_file

_LOOK_SECONDS = 0.1
_CONTROL_SECONDS = 5.0
_TRIES = 3


@dataclass
class _Release:
    """A release for which this process is responsible.

    Attributes
    ----------
    listener
        None: the release took it from a former activator.
    accepted
        Connections whose request is not known yet, or waits for the release.
    starts
        Starts for the waiting requests; 0: it is idle.
    """

    program: str
    path: str
    listener: socket.socket | None
    accepted: list[socket.socket] = field(default_factory=list)
    starts: int = 0


class Activator:
    """The idle releases of a runtime directory, by the paths of their sockets."""

    def __init__(self, runtime: Runtime, supervisor: Supervisor) -> None:
        self._runtime, self._supervisor = runtime, supervisor
        self._releases: dict[str, _Release] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until the process is ended."""
        path = str(control_socket(self._runtime))
        control = unix_socket.bind(path)
        for state in sorted((self._runtime.path / "programs").glob("*.idle")):
            self._resume(state)
        unix_socket.open_socket(control, path)
        self._selector.register(control, selectors.EVENT_READ)
        while True:
            waking = any(release.starts for release in self._releases.values())
            for key, _ in self._selector.select(_LOOK_SECONDS if waking else None):
                if key.data is None:
                    self._serve(control)
                elif key.fileobj is key.data.listener:
                    self._accept(key.data)
                else:
                    self._read(key.data, key.fileobj)  # type: ignore[arg-type]
            if waking:
                self._look()

    def _resume(self, state: Path) -> None:
        """Continue a killed activator's work: its sockets are gone, unless a release that starts has taken one."""
        plan = read_json(state.with_suffix(".json"))
        if "ready" not in plan:
            state.unlink(missing_ok=True)
            return
        release = _Release(state.name.partition("@")[0], plan["ready"], None)
        self._releases[release.path] = release
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(release.path)
                release.starts = 1
            except OSError:
                self._idle(release)

    def _idle(self, release: _Release) -> None:
        """Wait for the next request."""
        if release.listener is None:
            Path(release.path).unlink(missing_ok=True)
            release.listener = unix_socket.bind(release.path)
            unix_socket.open_socket(release.listener, release.path)
        release.listener.setblocking(False)
        release.starts = 0
        self._selector.register(release.listener, selectors.EVENT_READ, release)

    def _accept(self, release: _Release) -> None:
        if release.listener is None:
            return
        with suppress(BlockingIOError):
            connection, _ = release.listener.accept()
            connection.setblocking(False)
            release.accepted.append(connection)
            self._selector.register(connection, selectors.EVENT_READ, release)
            if len(release.accepted) == activation.MOST_CONNECTIONS:
                self._wake(release)

    def _read(self, release: _Release, connection: socket.socket) -> None:
        """Answer a probe; start the release for any other request, of which nothing is read here."""
        self._selector.unregister(connection)
        head = answers.peek(connection)
        if head is None:
            release.accepted.remove(connection)
            connection.close()
        elif (answer := answers.to_probe(head, self._tag(release))) is not None:
            release.accepted.remove(connection)
            answers.send(connection, answer)
        elif not release.starts:
            self._wake(release)

    def _wake(self, release: _Release) -> None:
        """Start a release; its listener's queue holds further connections until it accepts them."""
        release.starts += 1
        if release.starts == 1 and release.listener is not None:
            self._selector.unregister(release.listener)
        with suppress(TargetError):  # the next look tries again, or reports that it does not run
            self._supervisor.start(release.program)

    def _look(self) -> None:
        """See whether the releases that are starting have ended."""
        try:
            programs = self._supervisor.seen()
        except TargetError:
            return
        for release in [one for one in self._releases.values() if one.starts and programs is not None]:
            states = (programs or {}).get(release.program, ())
            if not any(state.alive for state in states):
                self._fail(release)

    def _fail(self, release: _Release) -> None:
        """Start a release that was killed once more; else answer its clients with the reason."""
        plan = read_json(self._runtime.path / "programs" / f"{release.program}@0.json")
        reason = _reason(Path(plan.get("environment", {}).get(TERMINATION_LOG, "")))
        if plan and not reason and release.starts < _TRIES:
            self._wake(release)
            return
        self._refuse(release, reason or "it ended while it started; its log has more")
        if plan:
            self._idle(release)
        else:
            self._drop(release)

    def _refuse(self, release: _Release, reason: str) -> None:
        """Answer all waiting clients with 503."""
        waiting, release.accepted = release.accepted, []
        if release.listener is not None:
            with suppress(OSError):
                while True:
                    waiting.append(release.listener.accept()[0])
        for connection in waiting:
            with suppress(KeyError, ValueError):
                self._selector.unregister(connection)
            answers.send(connection, answers.refusal(answers.peek(connection) or b"", self._tag(release), reason))

    def _drop(self, release: _Release) -> None:
        """Give a release up: it runs, or it is stopped."""
        self._releases.pop(release.path, None)
        for one in (release.listener, *release.accepted):
            if one is not None:
                with suppress(KeyError, ValueError):
                    self._selector.unregister(one)
                one.close()
        idle_file(self._runtime, release.program).unlink(missing_ok=True)

    def _serve(self, control: socket.socket) -> None:
        """Answer one message of a release or of the target."""
        connection, _ = control.accept()
        with connection, suppress(OSError, ValueError):
            connection.settimeout(_CONTROL_SECONDS)
            message, descriptors = activation.receive(connection)
            (kind, path), *_ = message.items()
            release = self._releases.get(path)
            if kind == "keep":
                kept = self._keep(path, [socket.socket(fileno=one) for one in descriptors])
                activation.send(connection, {"kept": kept})
            elif kind == "take":
                listener = release.listener if release else None
                if release is not None and not release.starts:  # started by another process than this one
                    release.starts = 1
                    self._selector.unregister(release.listener)  # type: ignore[arg-type]
                passed = [] if listener is None else [listener.fileno()]
                activation.send(connection, {"listening": listener is not None}, passed)
            elif release is not None and kind == "ready":
                passed = [one.fileno() for one in release.accepted]
                activation.send(connection, {"connections": len(passed)}, passed)
                self._drop(release)
            else:
                if release is not None:
                    self._refuse(release, "the release is stopped")
                    self._drop(release)
                activation.send(connection, {"connections": 0})

    def _keep(self, path: str, listeners: list[socket.socket]) -> bool:
        """Become responsible for a release; False: there is no such release."""
        if (former := self._releases.get(path)) is not None:
            self._drop(former)
        for plan in (self._runtime.path / "programs").glob("*@0.json"):
            if read_json(plan).get("ready") == path and listeners:
                release = _Release(plan.name.partition("@")[0], path, listeners[0])
                write_atomic(idle_file(self._runtime, release.program), "")
                self._releases[path] = release
                self._idle(release)
                return True
        for listener in listeners:
            listener.close()
        return False

    def _tag(self, release: _Release) -> str:
        key = Path(release.path).name.partition(".")[0]
        record: dict[str, Any] = read_json(self._runtime.path / "releases" / f"{key}.json")
        return str(record.get("tag", ""))


def _reason(path: Path) -> str:
    """The first line of a termination log: the reason of a failed start."""
    try:
        return next(iter(path.read_text("utf-8", "replace").splitlines()), "")
    except OSError:
        return ""


if __name__ == "__main__":
    _runtime = Runtime(Path(sys.argv[1]))
    Activator(_runtime, Supervisor(_runtime, Path(sys.argv[2]))).run()
