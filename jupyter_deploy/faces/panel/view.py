"""What a panel shows, as plain JSON values: pure. The endpoint itself is the document that all panels show."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from jupyter_deploy.domain.errors import DeployError, GateFailed
from jupyter_deploy.domain.release.endpoint import Revision
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.faces.render.page import as_html
from jupyter_deploy.faces.render.render import page
from jupyter_deploy.faces.views.cards import SHOWN_REVISIONS
from jupyter_deploy.faces.views.documents import EndpointView, ValidationsView

Json = dict[str, Any]

LIVE = ("healthy", "health", "counts")
"""What of a card changes although nobody changed the endpoint."""


def parts(view: EndpointView, looked_at: Collection[str]) -> dict[str, Any]:
    """A view as the traits of the widget, so that only what changed is sent.

    ``looked_at``: tags of the releases of which it is known how they do.
    """
    endpoint = view.model_dump(mode="json")
    live = {card["tag"]: {name: card.pop(name) for name in LIVE} for card in endpoint["cards"]}
    return {
        "history": endpoint.pop("history"),
        "live": {
            "words": endpoint.pop("words"),
            "healthy": endpoint.pop("healthy"),
            "releases": {tag: card for tag, card in live.items() if tag in looked_at},
        },
        "endpoint": endpoint,
    }


def validations_part(view: ValidationsView) -> Json:
    """How validations ended, and how many charts there are of what they measured."""
    rows = [row.model_dump(mode="json") for row in view.validations]
    return {"rows": rows, "charts": len(view.charts)}


def problem_view(error: Exception) -> Json:
    """An error as it is shown: what is wrong, what to do, and the long material."""
    if isinstance(error, GateFailed):  # how to do it all the same is a control here, and its report a button
        decided = "" if error.code == GateFailed.code else "More requests may decide it."
        return {"message": error.message, "remedy": decided, "details": "", "gates": True, "report": error.report}
    if isinstance(error, DeployError):
        return {"message": error.message, "remedy": error.remedy, "details": error.details}
    return {"message": f"{type(error).__name__}: {error}", "remedy": "", "details": ""}


# A saved notebook also holds the live view, whose model ended with its kernel: JupyterLab then says 'model not found'
# just above this, which the style hides. Where no style is let through, both are seen.
_SAVED_STYLE = """<style>
.jp-OutputArea-child:has(> .jupyter-widgets):has(+ .jp-OutputArea-child .nbdeploy-saved) { display: none; }
</style>"""


def saved_html(status: EndpointStatus, history: Sequence[Revision], problem: Json | None, at: datetime) -> str:
    """The last state as HTML without scripts, for a notebook that is open without this kernel."""
    when = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    trouble = f"<p>{html.escape(problem['message'])}</p>" if problem else ""
    pages = [as_html(page(status))]
    if history:
        pages.append(as_html(page(list(history[:SHOWN_REVISIONS]))))
    note = f"<p><i>As it was at {when}; run the cell to see and change what is.</i></p>"
    return f"<div class='nbdeploy-saved'>{_SAVED_STYLE}{trouble}{''.join(pages)}{note}</div>"
