"""The routes, the jobs and the changes of one home, in a kernel: the parts of the REST worker, without its process."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.faces.server.jobs.job_runner import JobRunner
from jupyter_deploy.faces.server.rest.change_feed import ChangeFeed
from jupyter_deploy.faces.server.rest.exchange import HttpRequest, HttpResponse
from jupyter_deploy.faces.server.rest.router import JobControl, Router

Json = dict[str, Any]


class Backend:
    """Answers requests as a Jupyter server does; one for all panels of a home in this kernel.

    Parameters
    ----------
    home : Path
        The folder with the state; its changes are sent.
    runner : JobControl
        Starts the processes of jobs.
    """

    _known: dict[Path, Backend] = {}

    def __init__(self, home: Path, ports: Ports, runner: JobControl) -> None:
        # A path in a request is relative to the kernel's folder.
        self._router = Router(ports, runner, Path.cwd())
        self._feed = ChangeFeed(ports, home, self._send_changes)
        self._numbers = itertools.count(1)
        self._listeners: dict[int, Callable[[str], None]] = {}

    @classmethod
    def of(cls, home: Path, ports: Ports) -> Backend:
        """Return the backend of a home; the first call starts its job runner, with a spare process for jobs."""
        if home not in cls._known:
            runner = JobRunner(home)
            runner.open()
            cls._known[home] = cls(home, ports, runner)
        return cls._known[home]

    def answer(self, message: Json) -> Json | None:
        """Answer a message of the front end, as the transport defines it; None: it is no request."""
        match message:
            case {"id": str(identity), "method": str(method), "path": str(path), "query": dict(query)}:
                pass
            case _:
                return None
        revision, body = message.get("revision"), message.get("body")
        response = self._router.answer(
            HttpRequest(
                method=method,
                path=path,
                query={name: [str(value)] for name, value in query.items()},
                body=body.encode() if isinstance(body, str) else b"",
                if_match="" if revision is None else f'"{revision}"',
            )
        )
        return _as_message(identity, response)

    def listen(self, receive: Callable[[str], None]) -> Callable[[], None]:
        """Send each change, as server-sent events, until the returned function is called."""
        number = next(self._numbers)
        self._listeners[number] = receive
        self._feed.subscribe(number, None)

        def leave() -> None:
            self._feed.unsubscribe(number)
            self._listeners.pop(number, None)

        return leave

    def _send_changes(self, number: int, text: str) -> None:
        receive = self._listeners.get(number)
        if receive is not None:
            receive(text)


def _as_message(identity: str, response: HttpResponse) -> Json:
    return {
        "answer": identity,
        "status": response.status,
        "headers": dict(response.headers),
        "body": response.body.decode("utf-8", "replace"),
    }
