"""``jupyter_deploy.panel(NAME)`` and ``%deploy_panel NAME``: an endpoint to look at and to change, in a notebook.

The front end is JupyterLab's: ``labextension/src/panel`` builds it into ``static``. ``backend`` answers its requests
with the router of the REST server, ``watch`` looks at the endpoint while the panel is seen, ``widget`` joins them, and
``saved`` is what a saved notebook keeps.
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
    from .backend import Backend
    from .widget import Panel  # the widget libraries take a quarter of a second

    with readable_errors():
        check_distributions()
        request = request_from(PanelRequest, {"name": name})
        wiring = Wiring()
        home = wiring.settings.home.expanduser().absolute()
        key = (str(home), request.name)
        if key not in _panels or _panels[key].closed:
            _panels[key] = Panel(request.name, wiring.ports, Backend.of(home, wiring.ports))
        return _panels[key]
