"""``jupyter_deploy.panel(NAME)`` and ``%deploy_panel NAME``: an endpoint to look at and to change, in a notebook.

``view`` is pure: what is shown. ``watch`` looks at the endpoint, ``changes`` makes the changes by way of the
operations, ``widget`` joins them; ``panel.js`` with its parts and ``panel.css`` are the front
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_deploy.domain.requests import EndpointName, Request
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.notebook_errors import readable_errors
from jupyter_deploy.faces.request_fields import request_from
from jupyter_deploy.wiring import Wiring

if TYPE_CHECKING:
    from .widget import Panel

__all__ = ["PanelRequest", "panel"]

_panels: dict[tuple[str, str], Panel] = {}


class PanelRequest(Request):
    """A live panel of an endpoint: its releases, who answers, what changed; and the controls to change it."""

    name: EndpointName


def panel(name: str) -> Panel:
    """Show a live panel of an endpoint: its releases, who answers, what changed; and change it there.

    Parameters
    ----------
    name : str
        The endpoint's name.

    Returns
    -------
    Panel
        The last expression of a cell shows it. Asked for again in the same kernel, it is the same panel, seen twice.

    Raises
    ------
    UnknownEndpoint
        There is no such endpoint.
    """
    from .widget import Panel  # the widget libraries take a quarter of a second

    with readable_errors():
        check_distributions()
        request = request_from(PanelRequest, {"name": name})
        wiring = Wiring()
        key = (str(wiring.settings.home), request.name)
        if key not in _panels or _panels[key].closed:
            _panels[key] = Panel(request.name, wiring.ports)
        return _panels[key]
