"""A release on its way to a registry: asked for, made, sent; or why not. One at a time, and in no cell's way."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.images.published import Published
from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.faces.render.images_page import published_page
from jupyter_deploy.faces.request_fields import request_from
from jupyter_deploy.verbs.publish import publish

from .background import start
from .view import Json, problem_view

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Shown:
    """What is seen of a publication.

    Attributes
    ----------
    number
        Tells it from others: what was meant for an earlier one does nothing.
    tag, to
        The release, and where it is to go.
    step, steps
        The progress, for a bar.
    lines
        The finished parts, such as layers with their sizes; the last one is in progress.
    page
        The result: ``headline``, ``facts``, the table ``layers`` with its ``head``, and ``command``.
    """

    number: int
    tag: str
    to: str
    phase: Literal["working", "failed", "done"] = "working"
    step: int = 0
    steps: int = 0
    lines: tuple[str, ...] = ()
    problem: Json | None = None
    page: Json | None = None


class Publishing:
    """Publishes by way of the operation.

    Parameters
    ----------
    on_change : Callable
        Told what is to be seen (None: nothing), and what is to be said aloud; from any thread.
    """

    def __init__(self, name: str, ports: Ports, on_change: Callable[[Json | None, str], None]) -> None:
        self._name, self._ports, self._on_change = name, ports, on_change
        self._lock = threading.RLock()
        self._shown: Shown | None = None

    def hear(self, message: Json) -> None:
        """A message of the front end."""
        match message:
            case {"do": "publish", "tag": str(tag), "to": str(to), "overwrite": bool(overwrite), "reason": str(why)}:
                self.begin(tag, to, overwrite=overwrite, reason=why)
            case {"do": "published", "number": int(number)}:
                self.dismiss(number)

    def begin(self, tag: str, to: str, *, overwrite: bool, reason: str) -> None:
        """Publish a release, with a ``reason`` also one that did not pass its gates; another one waits for its turn."""
        with self._lock:
            if self._shown and self._shown.phase == "working":
                self._set(self._shown, f"{self._shown.tag} is being published: wait for its end")
                return
            shown = Shown(next(_numbers), tag, to.strip())
            given = {"name": self._name, "release": tag, "to": shown.to or None, "overwrite": overwrite}
            try:
                request = request_from(
                    PublishRequest, given | {"force": bool(reason.strip()), "reason": reason.strip()}
                )
            except DeployError as error:
                self._fail(shown, error)
                return
            self._set(shown, f"publishing {tag} …")
        start(self._run, shown, request, name="publish")

    def dismiss(self, number: int) -> None:
        """Show it no more; what is being done goes on, and stays."""
        with self._lock:
            if self._shown and self._shown.number == number and self._shown.phase != "working":
                self._set(None, "")

    def _run(self, shown: Shown, request: PublishRequest) -> None:
        def report(step: Step | Underway) -> None:
            nonlocal shown
            if isinstance(step, Step):
                lines = (*shown.lines, step.title)
                shown = replace(shown, step=step.number, steps=step.total, lines=lines)
                self._set(shown, "")

        try:
            result = publish(request, self._ports, report)
        except Exception as error:  # noqa: BLE001 - shown in the panel: a thread has no other face
            self._fail(shown, error)
        else:
            page = _page(result)
            self._set(replace(shown, phase="done", page=page), page["headline"])

    def _fail(self, shown: Shown, error: Exception) -> None:
        problem = problem_view(error)
        self._set(replace(shown, phase="failed", problem=problem), f"not published: {problem['message']}")

    def _set(self, shown: Shown | None, said: str) -> None:
        with self._lock:
            self._shown = shown
            self._on_change(asdict(shown) if shown else None, said)


def _page(result: Published) -> Json:
    """As all faces tell it, in parts."""
    page = published_page(result)
    (layers,) = page.tables
    return {
        "headline": page.headline,
        "facts": [list(fact) for fact in page.facts],
        "head": list(layers.head),
        "layers": [list(row) for row in layers.rows],
        "command": page.code,
    }
