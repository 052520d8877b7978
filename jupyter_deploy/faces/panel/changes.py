"""A change on its way: asked for, shown, confirmed, in force; or why not. One at a time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from jupyter_deploy.domain.deletion import Deleted
from jupyter_deploy.domain.errors import Conflict, DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.requests import HistoryRequest, Step, TrafficRequest
from jupyter_deploy.domain.results import Stopped, TrafficChange
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.faces.views.cards import revision_rows
from jupyter_deploy.faces.views.change import title_of
from jupyter_deploy.faces.views.preview import change_from, compared, described, history_of
from jupyter_deploy.faces.views.requests import ChangeVerb
from jupyter_deploy.verbs import BY_NAME
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.history import history
from jupyter_deploy.verbs.traffic import Change, planned

from .background import start
from .view import Json, problem_view

VERBS = {name: BY_NAME[name] for name in get_args(ChangeVerb)}
Phase = Literal["preview", "working", "failed", "conflict"]

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Pending:
    """A change that is not in force yet.

    ``number`` tells it from others: a click that was meant for an earlier one does nothing. ``given`` is what the
    user asked for, kept until it is in force or given up.
    """

    verb: str
    given: Mapping[str, Any]
    revision: int
    phase: Phase
    title: str
    rows: list[Json] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    comparison: str = ""
    problem: Json | None = None
    newer: list[Json] = field(default_factory=list)
    number: int = field(default_factory=lambda: next(_numbers))

    def view(self) -> Json:
        """As the front end gets it."""
        return {**vars(self), "given": dict(self.given)}


def _outcome(result: TrafficChange | Stopped | Deleted) -> str:
    match result:
        case TrafficChange():
            return f"revision {result.revision} is in force: {result.change}"
        case Deleted():
            return f"{result.endpoint} is deleted"
        case Stopped():
            return f"{result.endpoints[0]} is stopped"


class Changes:
    """The panel's changes, all of them by way of the operations.

    ``if_revision`` of each is the revision that the very view showed in which the user clicked.

    Parameters
    ----------
    on_change : Callable
        Told what is pending (None: nothing), and what is to be said aloud; from any thread.
    """

    def __init__(self, name: str, ports: Ports, on_change: Callable[[Pending | None, str], None]) -> None:
        self._name, self._ports, self._on_change = name, ports, on_change
        self._lock = threading.RLock()
        self.pending: Pending | None = None

    def ask(self, verb: str, given: Mapping[str, Any], revision: int) -> None:
        """Show what a change would do; other shares of copies, which no client can notice, are set at once."""
        with self._lock:
            if self.pending and self.pending.phase == "working":
                return
            title = verb.capitalize()
            try:
                request = self._request(verb, given, revision)
                title = title_of(request, find(self._ports, self._name))
                before, after = planned(request, self._ports)
            except DeployError as error:
                self._fail(Pending(verb, given, revision, "failed", title), error)
                return
            history = history_of(request, self._ports)
            shown = described(request, before, after, history=history, ports=self._ports)
            said = shown.model_dump(mode="json")
            pending = Pending(verb, given, before.revision, "preview", shown.title, said["rows"], said["notes"])
            if isinstance(request, TrafficRequest) and not shown.asks:
                self._start(pending, request)
                return
            self._set(pending, "review the change, then confirm")

        def compare() -> None:
            sentence = compared(shown, request, before, after, history=history, ports=self._ports).comparison
            with self._lock:
                if sentence and self.pending == pending:
                    self._set(replace(pending, comparison=sentence), sentence)

        start(compare, name="preview")

    def confirm(self, number: int, reason: str = "") -> None:
        """Do what is shown."""
        with self._lock:
            pending = self.pending
            if pending is None or pending.number != number or pending.phase != "preview":
                return
            more = {"yes": True} if "yes" in VERBS[pending.verb].request.model_fields else {}
            self._start(pending, self._request(pending.verb, pending.given, pending.revision, reason=reason, **more))

    def force(self, number: int, reason: str) -> None:
        """Do what gates refused, for a reason that is kept."""
        with self._lock:
            pending = self.pending
            if pending is None or pending.number != number or not (pending.problem or {}).get("gates"):
                return
            if not reason.strip():
                return  # the control waits for one
            more = {"reason": reason, "force": True}
            self._start(pending, self._request(pending.verb, pending.given, pending.revision, **more))

    def again(self, number: int) -> None:
        """Show what the same would do to the endpoint as it is by now."""
        with self._lock:
            pending = self.pending
            if pending is None or pending.number != number or pending.phase == "working":
                return
            try:
                revision = find(self._ports, self._name).revision
            except DeployError as error:
                self._fail(pending, error)
                return
            self.ask(pending.verb, pending.given, revision)

    def dismiss(self, number: int) -> None:
        """Give it up; what is being done already goes on."""
        with self._lock:
            if self.pending and self.pending.number == number and self.pending.phase != "working":
                self._set(None, "nothing was changed")

    def noticed(self, endpoint: Endpoint) -> None:
        """The endpoint has moved on: what is shown is no longer what would happen."""
        with self._lock:
            pending = self.pending
            # An older one is a look that was under way when the newer was saved.
            if pending and pending.phase == "preview" and endpoint.revision > pending.revision:
                self._conflict(pending)

    def _request(self, verb: str, given: Mapping[str, Any], revision: int, **more: Any) -> Change:
        return change_from(verb, {**given, **more, "name": self._name, "if_revision": revision})

    def _history(self) -> list[Revision]:
        return history(HistoryRequest(name=self._name), self._ports, lambda _: None)

    def _start(self, pending: Pending, request: Change) -> None:
        working = replace(pending, phase="working", problem=None, newer=[])
        self._set(working, f"{pending.title} …")
        # Not in the thread that messages come in: a promotion may start a release, and the panel must stay alive.
        start(self._run, working, request, name="change")

    def _run(self, pending: Pending, request: Change) -> None:
        def report(step: Step | Underway) -> None:
            at = f", cell {step.cell} of {step.cells}" if isinstance(step, Underway) and step.cell else ""
            with self._lock:
                self._set(replace(pending, notes=[f"{step.title}{at} …"]), "")

        try:
            result = VERBS[pending.verb].function(request, self._ports, report)
        except Exception as error:  # noqa: BLE001 - shown in the panel: a thread has no other face
            self._fail(pending, error)
        else:
            self._set(None, _outcome(result))

    def _fail(self, pending: Pending, error: Exception) -> None:
        if isinstance(error, Conflict):
            self._conflict(pending)
            return
        problem = problem_view(error)
        self._set(replace(pending, phase="failed", problem=problem), f"failed: {problem['message']}")

    def _conflict(self, pending: Pending) -> None:
        """Who was faster, and with what; what the user wanted stays."""
        try:
            revisions = self._history()
        except DeployError as error:
            self._set(replace(pending, phase="failed", problem=problem_view(error)), f"failed: {error.message}")
            return
        newer = [r for r in revisions if r.revision > pending.revision]
        now = revisions[0].revision if revisions else pending.revision
        problem = {
            "message": f"{self._name} is at revision {now}, you saw revision {pending.revision}: nothing was changed.",
            "remedy": "Review the newer revisions, then refresh the preview.",
            "details": "",
        }
        self._set(
            replace(
                pending,
                phase="conflict",
                problem=problem,
                newer=[row.model_dump(mode="json") for row in revision_rows(newer)],
            ),
            f"conflict: the endpoint is at revision {now}",
        )

    def _set(self, pending: Pending | None, said: str) -> None:
        with self._lock:
            self.pending = pending
            self._on_change(pending, said)
