"""Looks at an endpoint while somebody looks at its panel: at the store often, at what runs and was validated less."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from jupyter_deploy.domain.images.images import Publication
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.domain.requests import DescribeRequest, HistoryRequest
from jupyter_deploy.faces.views.documents import ValidationsView
from jupyter_deploy.faces.views.rates import Rates
from jupyter_deploy.faces.views.requests import ValidationsRequest
from jupyter_deploy.faces.views.validations import validations
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.history import history
from jupyter_deploy.verbs.status import describe

from .background import start

STORE_SECONDS = 0.25
"""Reading one row takes about half a millisecond; what others change is to be seen within a second."""

TARGET_SECONDS = 1.0
"""Asking each release and the gateway takes about 15 ms, and as long as a release takes that hangs (a second)."""

VALIDATIONS_SECONDS = 30.0
"""Somebody may validate or publish elsewhere, which is no revision; to read what 50 validations measured takes long."""

FAILED_SECONDS = 1.0
"""After a failure: the panel is not to show trouble that is over."""


@dataclass(frozen=True)
class Seen:
    """What was seen last. ``problem``: why the latest look failed; the rest is then from the look before."""

    endpoint: Endpoint
    history: Sequence[Revision]
    status: EndpointStatus
    rates: Mapping[str, Sequence[float]]
    validations: ValidationsView
    publications: Sequence[Publication] = ()
    problem: Exception | None = None


class Watch:
    """Threads of their own, so that a release that hangs does not hide what is in the store; all end with the process.

    Parameters
    ----------
    on_change : Callable
        Called from any of them when ``seen`` is not what it was before.

    Raises
    ------
    UnknownEndpoint, StoreError
        At once, from the first look.
    """

    def __init__(self, name: str, ports: Ports, on_change: Callable[[], None]) -> None:
        self._name, self._ports, self._on_change = name, ports, on_change
        self._lock = threading.Lock()
        self._watched, self._closed = threading.Event(), threading.Event()
        self._wake = {look: threading.Event() for look in ("store", "target", "validations")}
        self._rates = Rates()
        self._problems: dict[str, Exception] = {}
        self._threads: list[threading.Thread] = []
        endpoint = find(ports, name)
        self.seen = Seen(endpoint, self._history(), self._status(), {}, self._validations(), self._publications())

    def resume(self) -> None:
        """Somebody looks."""
        self._watched.set()
        if not self._threads:
            looks = (
                (self._look_at_store, STORE_SECONDS, "store"),
                (self._look_at_target, TARGET_SECONDS, "target"),
                (self._look_at_validations, VALIDATIONS_SECONDS, "validations"),
            )
            self._threads = [start(self._repeat, *look, name=look[2]) for look in looks]

    def pause(self) -> None:
        """Nobody looks any more."""
        self._watched.clear()

    def hurry(self) -> None:
        """Something has just been changed: look now."""
        for wake in self._wake.values():
            wake.set()

    def close(self) -> None:
        """End the threads; they end by themselves at their next look."""
        self._closed.set()
        self._watched.set()
        self.hurry()

    @property
    def looking(self) -> bool:
        """Whether a thread is left."""
        return any(thread.is_alive() for thread in self._threads)

    def _repeat(self, look: Callable[[], None], seconds: float, what: str) -> None:
        while True:
            self._watched.wait()
            if self._closed.is_set():
                return
            problem: Exception | None = None
            try:
                look()
            except Exception as error:  # noqa: BLE001 - shown in the panel, and tried again: a thread has no other face
                problem = error
            self._tell(what, problem)
            self._wake[what].wait(min(seconds, FAILED_SECONDS) if problem else seconds)
            self._wake[what].clear()

    def _look_at_store(self) -> None:
        endpoint = find(self._ports, self._name)
        if endpoint != self.seen.endpoint:
            self._update(endpoint=endpoint, history=self._history())
            for look in ("target", "validations"):
                self._wake[look].set()

    def _look_at_target(self) -> None:
        status = self._status()
        self._update(status=status, rates=self._rates.note(status))

    def _look_at_validations(self) -> None:
        self._update(validations=self._validations(), publications=self._publications())

    def _tell(self, what: str, error: Exception | None) -> None:
        with self._lock:
            self._problems.pop(what, None)
            if error is not None:
                self._problems[what] = error
            problem = next(iter(self._problems.values()), None)
        if str(problem) != str(self.seen.problem):
            self._update(problem=problem)

    def _update(self, **fields: object) -> None:
        with self._lock:
            before = self.seen
            self.seen = replace(before, **fields)  # type: ignore[arg-type]  # fields are those of Seen
            changed = self.seen != before
        if changed:
            self._on_change()

    def _status(self) -> EndpointStatus:
        return describe(DescribeRequest(name=self._name), self._ports, lambda _: None)

    def _history(self) -> list[Revision]:
        return history(HistoryRequest(name=self._name), self._ports, lambda _: None)

    def _validations(self) -> ValidationsView:
        return validations(ValidationsRequest(name=self._name), self._ports)

    def _publications(self) -> Sequence[Publication]:
        return self._ports.store.publications(endpoint=self._name)
