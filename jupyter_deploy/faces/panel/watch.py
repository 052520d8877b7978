"""Looks at an endpoint while its panel is seen, in a thread: at each of its revisions, and once a second."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jupyter_deploy.domain.jobs import Problem
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.faces.views.documents import EndpointView
from jupyter_deploy.faces.views.endpoints import endpoint
from jupyter_deploy.faces.views.requests import EndpointRequest

from .background import start

SECONDS = 1.0
"""Between two looks without a revision. A look takes about 15 ms, and a second if a release hangs."""


class Watch:
    """The latest view of an endpoint.

    Parameters
    ----------
    on_look : Callable
        Called after each look, in the thread that looked.

    Attributes
    ----------
    view
        The endpoint at the last look that succeeded.
    problem
        Why the latest look failed; None: it succeeded.

    Raises
    ------
    UnknownEndpoint, StoreError
        At once, from the first look.
    """

    def __init__(self, name: str, ports: Ports, on_look: Callable[[], None]) -> None:
        self._request, self._ports, self._on_look = EndpointRequest(name=name), ports, on_look
        self._watched, self._wake, self._closed = threading.Event(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.view: EndpointView = endpoint(self._request, ports)
        self.problem: Problem | None = None

    def resume(self) -> None:
        """Look from now on."""
        self._watched.set()
        if self._thread is None:
            self._thread = start(self._repeat, name="watch")

    def pause(self) -> None:
        """Look no more: the panel is not seen."""
        self._watched.clear()

    def hurry(self) -> None:
        """Look now: something has just changed."""
        self._wake.set()

    def close(self) -> None:
        """End the thread; it ends by itself after its present look."""
        self._closed.set()
        self._watched.set()
        self._wake.set()

    @property
    def looking(self) -> bool:
        """Whether the thread is left."""
        return self._thread is not None and self._thread.is_alive()

    def _repeat(self) -> None:
        while True:
            self._watched.wait()
            if self._closed.is_set():
                return
            self._wake.clear()
            try:
                self.view = endpoint(self._request, self._ports)
            except Exception as error:  # noqa: BLE001 - shown in the panel, and tried again: a thread has no other face
                self.problem = problem_of(error)
            else:
                self.problem = None
            self._on_look()
            self._wake.wait(SECONDS)
