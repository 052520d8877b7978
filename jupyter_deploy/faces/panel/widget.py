"""The panel in a notebook: its widget, and the HTML that a saved notebook keeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import anywidget
import traitlets

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.requests import DescribeRequest, HistoryRequest
from jupyter_deploy.faces.render.render import text
from jupyter_deploy.faces.render.shell import current_shell
from jupyter_deploy.verbs.history import history
from jupyter_deploy.verbs.status import describe

from .backend import Backend, Json
from .background import apart, start
from .saved import counts_of, saved_html, state_of
from .watch import Watch

STATIC = Path(__file__).parent / "static"

SAVED_SECONDS = 60.0
"""Counts alone renew the saved HTML no more often: each time the notebook counts as changed."""

_NOT_BUILT = """export default { render({ el }) {
  el.textContent = "This checkout of nbdeploy has no built panel: run 'npm run build' in its folder labextension.";
} };"""


def _built(name: str, otherwise: str) -> str:
    """Return a built file; a checkout without node has none."""
    path = STATIC / name
    return path.read_text("utf-8") if path.is_file() else otherwise


class PanelWidget(anywidget.AnyWidget):
    """The part of the panel that every view of it shares.

    Attributes
    ----------
    view
        The document of the view ``endpoint``, sent without a request: the first picture, and what a busy kernel shows.
    problem
        Why ``view`` may be older; None: it is not.
    """

    _esm = _built("panel.js", _NOT_BUILT)
    _css = _built("panel.css", "")

    name = traitlets.Unicode().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    problem = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)


class Panel:
    """A live panel of one endpoint.

    All its views, in several cells or made by "Create New View for Cell Output", show the same widget. It looks at the
    endpoint while there is a view.

    Raises
    ------
    UnknownEndpoint, StoreError
        From the first look.
    """

    def __init__(self, name: str, ports: Ports, backend: Backend) -> None:
        self._name, self._ports, self._backend = name, ports, backend
        self._lock = threading.RLock()
        self._saved: Any = None
        self._saved_state: tuple[object, ...] = ()
        self._saved_counts: list[object] = []
        self._saved_at = 0.0
        self._leave: Callable[[], None] | None = None
        self.closed = False
        self._watch = Watch(name, ports, self._show)
        apart(self._make_widget)

    def _make_widget(self) -> None:
        self.widget = PanelWidget(name=self._name, view=self._watch.view.model_dump(mode="json"))
        self.widget.on_msg(self._receive)
        self.widget._view_count = 0  # noqa: SLF001 - ipywidgets has no other name for it: from now on views are counted
        self.widget.observe(self._count_views, "_view_count")

    def close(self) -> None:
        """End the panel; its views go blank, what the saved notebook holds stays."""
        self.closed = True
        self._listen(on=False)
        self._watch.close()
        self.widget.close()

    def __str__(self) -> str:
        """The endpoint's state as text, as 'describe' has it."""
        return text(describe(DescribeRequest(name=self._name), self._ports, lambda _: None))

    def __repr__(self) -> str:
        """The same, for a shell without widgets."""
        return str(self)

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display  # only where IPython runs

        if current_shell() is None or not hasattr(current_shell(), "kernel"):
            print(self)  # noqa: T201 - a terminal shows no widgets
            return
        self._watch.hurry()
        display(self.widget)
        # An output of its own, since a front end shows only the richest form of one output, and keeps all of them.
        with self._lock:
            html = HTML(self._saved_html())
            if self._saved is None:
                self._saved = display(html, display_id=True)
            else:
                self._saved.display(html)

    def _count_views(self, change: Any) -> None:
        self._listen(on=bool(change["new"]))
        if change["new"]:
            self._watch.resume()
        else:
            self._watch.pause()

    def _listen(self, *, on: bool) -> None:
        with self._lock:
            if on and self._leave is None:
                self._leave = self._backend.listen(self._send_changes)
            elif not on and self._leave is not None:
                self._leave()
                self._leave = None

    def _send_changes(self, text: str) -> None:
        """Send events of jobs and revisions to all views; a revision is a reason to look."""
        apart(self.widget.send, {"changes": text})
        if "event: endpoints" in text:
            self._watch.hurry()

    def _show(self) -> None:
        """Bring the latest look to the front end; traits that are equal are not sent."""
        with self._lock:
            view, problem = self._watch.view, self._watch.problem
            with self.widget.hold_sync():
                self.widget.view = view.model_dump(mode="json")
                self.widget.problem = problem.model_dump(mode="json") if problem else None
            self._renew_saved()

    def _receive(self, _widget: Any, message: Json, _buffers: Any) -> None:
        """A request of the front end: in a subshell's thread, or where there is none in the kernel's main one."""
        start(self._answer, message, name="request")

    def _answer(self, message: Json) -> None:
        answer = self._backend.answer(message)
        if answer is not None:
            self.widget.send(answer)

    def _saved_html(self) -> str:
        status = describe(DescribeRequest(name=self._name), self._ports, lambda _: None)
        revisions = history(HistoryRequest(name=self._name), self._ports, lambda _: None)
        problem = self._watch.problem
        return saved_html(status, revisions, problem.detail if problem else "", now())

    def _renew_saved(self) -> None:
        from IPython.display import HTML  # only where IPython runs

        view, problem = self._watch.view, self._watch.problem
        if self._saved is None or problem is not None:  # the HTML keeps the state before the problem
            return
        state, counts = state_of(view), counts_of(view)
        old = monotonic() - self._saved_at >= SAVED_SECONDS
        if state == self._saved_state and not (old and counts != self._saved_counts):
            return
        self._saved_state, self._saved_counts, self._saved_at = state, counts, monotonic()
        try:
            self._saved.update(HTML(self._saved_html()))
        except DeployError:  # the endpoint went between two looks: the next one shows it
            self._saved_state = ()
