"""The panel in a notebook: its widgets, its one model for all views, and the HTML that a saved notebook keeps."""

from __future__ import annotations

import threading
from pathlib import Path
from time import monotonic
from typing import Any

import anywidget
import ipywidgets
import traitlets

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.requests import CompareRequest
from jupyter_deploy.faces.render.render import charted_bundle, charted_bundles, text
from jupyter_deploy.faces.render.shell import current_shell
from jupyter_deploy.faces.views.cards import endpoint_view
from jupyter_deploy.verbs.compare import compare

from .background import apart, start
from .changes import Changes, Pending
from .publishing import Publishing
from .view import Json, parts, problem_view, saved_html, validations_part
from .watch import Seen, Watch

_HERE = Path(__file__).parent

SAVED_SECONDS = 60.0
"""Counts alone renew the saved HTML no more often: each time the notebook counts as changed."""


def _output(bundle: Json) -> Json:
    """As a cell's output has it."""
    return {"output_type": "display_data", "data": bundle, "metadata": {}}


class PanelWidget(anywidget.AnyWidget):
    """What the front end shows, each part a trait, so that only what changed is sent."""

    _esm = "\n".join((_HERE / part).read_text("utf-8") for part in ("elements.js", "card.js", "publish.js", "panel.js"))
    _css = _HERE / "panel.css"

    endpoint = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)
    history = traitlets.List().tag(sync=True)
    pending = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    publishing = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    validations = traitlets.Dict().tag(sync=True)
    below = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    problem = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    said = traitlets.List(default_value=[0, ""]).tag(sync=True)


class Panel:
    """A live panel of one endpoint.

    All its views, in several cells or made by "Create New View for Cell Output", show the same model. It looks at the
    endpoint while there is a view.

    Raises
    ------
    UnknownEndpoint, StoreError
        From the first look.
    """

    def __init__(self, name: str, ports: Ports) -> None:
        self._name, self._ports = name, ports
        self._lock = threading.RLock()
        self._saved: Any = None
        self._saved_state: tuple[Any, ...] = ()
        self._saved_counts: list[Any] = []
        self._saved_at = 0.0
        self._below = 0
        self.closed = False
        self._watch = Watch(name, ports, self._show)
        self._changes = Changes(name, ports, self._show_pending)
        self._publishing = Publishing(name, ports, self._show_publishing)
        apart(self._make_widgets)
        apart(self._show)

    def _make_widgets(self) -> None:
        self._widget = PanelWidget()
        self._widget.on_msg(self._told)
        self._output = ipywidgets.Output()
        self._output.add_class("nbdeploy-below")
        self.widget = ipywidgets.VBox([self._widget, self._output])
        self.widget.add_class("nbdeploy-panel-box")
        self.widget._view_count = 0  # noqa: SLF001 - ipywidgets has no other name for it: from now on views are counted
        self.widget.observe(self._looked_at, "_view_count")

    def close(self) -> None:
        """End the panel; its views go blank, what the saved notebook holds stays."""
        self.closed = True
        self._watch.close()
        for widget in (self._widget, self._output, self.widget):
            widget.close()

    def __str__(self) -> str:
        """The endpoint's state as text, as 'describe' has it."""
        return text(self._watch.seen.status)

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

    def _looked_at(self, change: Any) -> None:
        if change["new"]:
            self._watch.resume()
        else:
            self._watch.pause()

    def _show(self) -> None:
        """Bring what is seen to the front end; traits that are equal are not sent."""
        with self._lock:
            seen = self._watch.seen  # within the lock: what is older must not come later
            view = endpoint_view(
                seen.endpoint,
                seen.status,
                seen.rates,
                seen.history,
                self._ports.keep_revisions,
                publications=seen.publications,
                publish_to=self._ports.images.to,
            )
            for name, value in parts(view, {release.tag for release in seen.status.releases}).items():
                setattr(self._widget, name, value)
            self._widget.validations = validations_part(seen.validations)
            self._widget.problem = problem_view(seen.problem) if seen.problem else None
            if self._widget.below and self._widget.below["what"] == "validations":
                self._show_validations()
            self._renew_saved(seen)
        self._changes.noticed(seen.endpoint)

    def _show_pending(self, pending: Pending | None, said: str) -> None:
        with self._lock:
            self._widget.pending = pending.view() if pending else None
            self._say(said)
        if pending is None:
            self._watch.hurry()

    def _show_publishing(self, shown: Json | None, said: str) -> None:
        with self._lock:
            self._widget.publishing = shown
            self._say(said)
        if shown and shown["phase"] == "done":
            self._watch.hurry()

    def _say(self, words: str) -> None:
        """What a screen reader is to say; a number, since the same words may be said twice."""
        if words:
            self._widget.said = [self._widget.said[0] + 1, words]

    def _told(self, _widget: Any, message: Json, _buffers: Any) -> None:
        """A message of the front end: in a subshell's thread, or where there is none in the kernel's main one."""
        apart(self._handle, message)

    def _handle(self, message: Json) -> None:
        match message:
            case {"do": "ask", "verb": str(verb), "given": dict(given), "revision": int(revision)}:
                self._changes.ask(verb, given, revision)
            case {"do": "confirm", "number": int(number), "reason": str(reason)}:
                self._changes.confirm(number, reason)
            case {"do": "force", "number": int(number), "reason": str(reason)}:
                self._changes.force(number, reason)
            case {"do": "report", "of": str(of), "view": str(view)}:
                self._send_report(of, view)
            case {"do": "again", "number": int(number)}:
                self._changes.again(number)
            case {"do": "dismiss", "number": int(number)}:
                self._changes.dismiss(number)
            case {"do": "compare", "tag": str(tag)}:
                self._compare(tag)
            case {"do": "measured"}:
                self._show_validations()
            case {"do": "hide"}:
                self._show_below(None)
            case _:
                self._publishing.hear(message)

    def _send_report(self, of: str, view: str) -> None:
        """The page of a release's validation, or (of ``""``) of the one that refused what is pending, to who asked."""
        pending = self._changes.pending
        if of:
            found = next((r.validation for r in self._watch.seen.endpoint.releases if r.tag == of), None)
            path = found.report if found else None
        else:
            path = (pending.problem or {}).get("report") if pending else None
        page, problem = "", "the validation has no report"
        try:
            page = Path(path).read_text("utf-8") if path else ""
        except OSError as error:
            problem = f"{path} cannot be read: {error.strerror}"
        self._widget.send({"report": page, "problem": "" if page else problem, "path": path or "", "view": view})

    def _compare(self, tag: str) -> None:
        with self._lock:
            before = self._widget.below
            kept = self._output.outputs if before and before["what"] == "comparison" else ()
            number = self._show_below({"what": "comparison", "tag": tag, "phase": "working"}, kept)
        start(self._run_comparison, tag, number, name="compare")

    def _run_comparison(self, tag: str, number: int) -> None:
        outputs: tuple[Json, ...] = ()
        try:
            result = compare(CompareRequest(name=self._name, candidate=tag), self._ports, lambda _: None)
        except Exception as error:  # noqa: BLE001 - shown in the panel: a thread has no other face
            problem = problem_view(error)
            shown: Json = {"what": "comparison", "tag": tag, "phase": "failed", "problem": problem}
            said = f"not compared: {problem['message']}"
        else:
            outputs = tuple(map(_output, charted_bundles(result)))
            shown = {"what": "comparison", "tag": tag, "phase": "shown", "at": now().isoformat()}
            said = f"compared: {result.verdict}, {result.reason}"
        with self._lock:
            if number == self._below:  # else something else was asked for, or it was hidden
                self._show_below(shown, outputs)
                self._say(said)

    def _show_validations(self) -> None:
        """What validations measured, release by release; the charts are drawn anew only where they have changed."""
        with self._lock:
            charts = self._watch.seen.validations.charts
            outputs = tuple(_output(charted_bundle(chart)) for chart in charts)
            before = self._widget.below or {}
            if before.get("what") != "validations" or outputs != self._output.outputs:
                self._show_below({"what": "validations", "phase": "shown", "at": now().isoformat()}, outputs)

    def _show_below(self, shown: Json | None, outputs: tuple[Json, ...] = ()) -> int:
        """Below the panel one thing is seen, with charts that the front end itself draws; the number of what is."""
        with self._lock:
            self._below += 1
            self._output.outputs = outputs
            self._widget.below = shown
            return self._below

    def _saved_html(self) -> str:
        seen = self._watch.seen
        return saved_html(seen.status, seen.history, problem_view(seen.problem) if seen.problem else None, now())

    def _renew_saved(self, seen: Seen) -> None:
        from IPython.display import HTML  # only where IPython runs

        healths = [(r.tag, r.healthy, r.detail) for r in seen.status.releases]
        state = (seen.status.revision, seen.status.gateway, healths, str(seen.problem))
        counts = [r.counts for r in seen.status.releases]
        whole = seen.status.revision == seen.endpoint.revision  # what runs is looked at a moment after the store
        old = monotonic() - self._saved_at >= SAVED_SECONDS
        if self._saved and whole and (state != self._saved_state or (old and counts != self._saved_counts)):
            self._saved_state, self._saved_counts, self._saved_at = state, counts, monotonic()
            self._saved.update(HTML(self._saved_html()))
