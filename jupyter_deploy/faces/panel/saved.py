"""The HTML that a saved notebook keeps of a panel. Pure."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime

from jupyter_deploy.domain.release.endpoint import Revision
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.faces.render.page import as_html
from jupyter_deploy.faces.render.render import page
from jupyter_deploy.faces.views.cards import SHOWN_REVISIONS
from jupyter_deploy.faces.views.documents import EndpointView

# A saved notebook also holds the live view, whose model ended with its kernel: JupyterLab then says 'model not found'
# just above this, which the style hides. Where no style is let through, both are seen.
_STYLE = """<style>
.jp-OutputArea-child:has(> .jupyter-widgets):has(+ .jp-OutputArea-child .nbdeploy-saved) { display: none; }
</style>"""


def saved_html(status: EndpointStatus, history: Sequence[Revision], problem: str, at: datetime) -> str:
    """The last state as HTML without scripts, for a notebook that is open without this kernel.

    ``problem``: why the state may be older; empty: it is not.
    """
    when = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    trouble = f"<p>{html.escape(problem)}</p>" if problem else ""
    pages = [as_html(page(status))]
    if history:
        pages.append(as_html(page(list(history[:SHOWN_REVISIONS]))))
    note = f"<p><i>As it was at {when}; run the cell to see and change what is.</i></p>"
    return f"<div class='nbdeploy-saved'>{_STYLE}{trouble}{''.join(pages)}{note}</div>"


def state_of(view: EndpointView) -> tuple[object, ...]:
    """Return the part of a view whose change renews the HTML at once: all but counts."""
    return (view.revision, view.words, [(card.tag, card.healthy, card.health) for card in view.cards])


def counts_of(view: EndpointView) -> list[object]:
    """Return the counts of a view, without rates, which change while nothing happens."""
    return [card.counts and (card.counts.requests, card.counts.errors) for card in view.cards]
