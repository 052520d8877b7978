"""The REST worker, ``python -m jupyter_deploy.faces.server.rest.worker FOLDER``: a child process of a Jupyter server.

All code that needs pydantic, a database or NumPy runs here, so that the server stays as light and as quick as without
nbdeploy. The worker ends with the server, also if the server is killed: its pipe is closed then. It unpickles nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.system.process_defaults import without_slow_formats

from .change_feed import ChangeFeed
from .exchange import HttpRequest, HttpResponse
from .frames import pack, read_message
from .router import Router, error_response

THREADS = 12
"""Requests that are answered concurrently: a comparison of many records takes a thread for seconds."""

_log = logging.getLogger(__name__)


class Worker:
    """Reads requests and writes responses, each as soon as it is ready."""

    def __init__(self, folder: str, requests: BinaryIO, responses: BinaryIO) -> None:
        self._folder, self._requests, self._responses = folder, requests, responses
        self._write_lock, self._start_lock = threading.Lock(), threading.Lock()
        self._listening: set[int] = set()  # changed only by the thread that reads
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="nbdeploy-worker")

    def serve(self) -> None:
        """Answer requests until the server has ended."""
        while (message := read_message(self._requests)) is not None:
            head, body = message
            if head.get("cancel"):
                self._listening.discard(head["id"])
                self._pool.submit(self._unsubscribe, head["id"])
            elif head.get("prepare"):
                self._pool.submit(self._expect_deploy if head.get("expects_deploy") else _prepare)
            elif "after" in head:
                self._listening.add(head["id"])
                self._pool.submit(self._subscribe, head["id"], head["after"])
            else:
                self._pool.submit(self._answer, head, body)

    def close(self) -> None:
        """Stop supervising jobs, since the server has ended; the jobs continue."""
        with self._start_lock:
            if "_parts" in vars(self):
                self._parts.runner.close()

    def _answer(self, head: dict[str, Any], body: bytes) -> None:
        fields = ("method", "path", "query", "base", "if_match")
        request = HttpRequest(body=body, **{name: head[name] for name in fields if name in head})
        try:
            with self._start_lock:
                parts = self._parts
        except Exception as error:  # noqa: BLE001 - a wrong setting: each request fails until it is corrected
            response = error_response(error, request)
        else:
            response = parts.router.answer(request)
        self._respond(head["id"], response)

    def _expect_deploy(self) -> None:
        """Start the processes of a deploy: a user has opened the dialog."""
        with contextlib.suppress(Exception), self._start_lock:  # a wrong setting: each request reports it
            self._parts.runner.expect_deploy()

    def _subscribe(self, identity: int, after: int | None) -> None:
        try:
            with self._start_lock:
                parts = self._parts
        except Exception as error:  # noqa: BLE001 - as above
            self._respond(identity, error_response(error, HttpRequest("GET", "events")))
        else:
            parts.feed.subscribe(identity, after)
            if identity not in self._listening:  # another thread has handled the cancellation first
                parts.feed.unsubscribe(identity)

    def _unsubscribe(self, identity: int) -> None:
        with self._start_lock:
            if "_parts" in vars(self):
                self._parts.feed.unsubscribe(identity)

    def _respond(self, identity: int, response: HttpResponse) -> None:
        self._write(pack({"id": identity, "status": response.status, "headers": dict(response.headers)}, response.body))

    def _send_events(self, identity: int, text: str) -> None:
        self._write(pack({"id": identity, "more": True}, text.encode()))

    def _write(self, message: bytes) -> None:
        try:
            with self._write_lock:
                self._responses.write(message)
                self._responses.flush()
        except OSError:  # the server has ended
            os._exit(0)

    @cached_property
    def _parts(self) -> _Parts:
        """The parts; the first request makes them, since settings may be wrong."""
        return _Parts(self._folder, self._send_events)


class _Parts:
    """The parts that need the settings."""

    def __init__(self, folder: str, send: Any) -> None:
        from jupyter_deploy.faces.render.collision import check_distributions
        from jupyter_deploy.faces.server.jobs.job_runner import JobRunner
        from jupyter_deploy.wiring import Wiring

        check_distributions()
        # As at a server's start (faces/server/extension.py): the nbdeploy.yaml of this folder must not apply.
        os.chdir("/")
        wiring = Wiring()
        self.ports: Ports = wiring.ports
        os.chdir(folder)  # paths in requests are relative to the server's folder
        home = wiring.settings.home.expanduser().absolute()
        self.runner = JobRunner(home)
        self.runner.open()
        self.router = Router(self.ports, self.runner, Path(folder))
        self.feed = ChangeFeed(self.ports, home, send)


_OF_THE_DIALOG = (
    "jupyter_deploy.faces.render.collision",
    "jupyter_deploy.faces.server.jobs.job_runner",
    "jupyter_deploy.faces.views.notebook_context",
    "jupyter_deploy.notebooks.papermill",
    "jupyter_deploy.store.jobs",
    "jupyter_deploy.store.shared_store",
    "jupyter_deploy.system.notifications",
    "jupyter_deploy.validation.project",
    "jupyter_deploy.validation.runner",
    "jupyter_deploy.validation.scaffold",
    "nbformat",
)
"""The modules of the Deploy dialog's first request, whose time is mostly imports."""


def _prepare() -> None:
    """Import these modules and do nothing else: a user who never deploys gets no home, and no spare for jobs."""
    for name in _OF_THE_DIALOG:
        import_module(name)


def main() -> None:
    """Answer requests until the server has ended."""
    without_slow_formats()
    logging.basicConfig(format="%(asctime)s nbdeploy %(levelname)s %(message)s", level=logging.WARNING)
    requests = os.fdopen(os.dup(0), "rb")
    responses = os.fdopen(os.dup(1), "wb")
    # A library that prints or reads must not disturb the messages.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    worker = Worker(sys.argv[1], requests, responses)
    worker.serve()
    worker.close()
    os._exit(0)  # the server has ended: do not wait for threads


if __name__ == "__main__":
    main()
