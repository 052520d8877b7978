"""The routes below ``/nbdeploy/`` as data, made from the tables of operations and views. Pure."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.requests import DeployRequest, Request
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.verbs import OPERATIONS

Method = Literal["GET", "POST", "DELETE"]
Kind = Literal[
    "look",
    "verb",
    "view",
    "capture",
    "asked",
    "jobs",
    "job",
    "cancel",
    "events",
    "report",
    "agreement",
    "openapi",
    "preparation",
]


class KernelNotice(Request):
    """The kernel that must capture for a job; sent again if its notebook is renamed before the capture begins."""

    kernel: int = Field(gt=0, description="Its process id.")
    notebook: str | None = Field(default=None, description="The notebook's present file.")


class SettingsAgreement(Request):
    """The user agrees that jobs read this content of a folder's ``nbdeploy.yaml``."""

    folder: str = Field(description="The folder, an absolute path.")
    digest: str = Field(description="SHA-256 of the content that the user has seen.")


@dataclass(frozen=True)
class Route:
    """One method of a path.

    Attributes
    ----------
    path
        Below ``/nbdeploy/``; ``{…}`` is one segment of any text.
    name
        The verb's or the view's.
    request
        Model of the query or the body; None: both are ignored.
    """

    method: Method
    path: str
    kind: Kind
    summary: str
    name: str = ""
    request: type[Request] | None = None

    @property
    def model(self) -> type[Request]:
        """The request's model. Raises TypeError if the route has none."""
        if self.request is None:
            raise TypeError(f"{self.method} {self.path} takes no request")
        return self.request

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)))

    def match(self, path: str) -> dict[str, str] | None:
        """Return the values of the path's variable segments; None: the path is another one."""
        match = self._pattern.fullmatch(path)
        return match.groupdict() if match else None


def _first_line(request: type[Request]) -> str:
    return (inspect.getdoc(request) or "").split("\n\n")[0].replace("\n", " ")


def _verbs() -> list[Route]:
    found = []
    for operation in OPERATIONS:
        known = (_first_line(operation.request), operation.name, operation.request)
        if operation.safe:
            found.append(Route("GET", operation.name, "look", *known))
        found.append(Route("POST", operation.name, "verb", *known))
    return found


def _views() -> list[Route]:
    methods: tuple[Method, ...] = ("GET", "POST")
    return [
        Route(method, f"views/{view.name}", "view", f"The view for widgets: {view.name}.", view.name, view.request)
        for view in VIEWS.values()
        for method in methods
    ]


ROUTES: tuple[Route, ...] = (
    *_verbs(),
    Route("POST", "captures", "capture", "A deploy whose model a kernel is to capture.", "deploy", DeployRequest),
    Route("POST", "captures/{id}", "asked", "The kernel that must capture; it may be busy.", "", KernelNotice),
    Route("GET", "jobs", "jobs", "The latest 50 jobs, newest first."),
    Route("GET", "jobs/{id}", "job", "One job, with its events."),
    Route("DELETE", "jobs/{id}", "cancel", "Cancel a job."),
    Route("GET", "events", "events", "Events of jobs and endpoints, as they occur."),
    Route("POST", "worker", "preparation", "Start the process that answers requests, before a user waits for it."),
    *_views(),
    Route("GET", "reports/{name}/{version}", "report", "The report of a release's validation."),
    Route("GET", "reports", "report", "The report of the validation that refused a job: ?job=<id>."),
    Route("POST", "agreements", "agreement", "Jobs may read a folder's nbdeploy.yaml.", "", SettingsAgreement),
    Route("GET", "openapi.json", "openapi", "This description."),
)


def routes_at(path: str) -> dict[str, tuple[Route, dict[str, str]]]:
    """Return a path's routes by method, each with the values of its variable segments."""
    found = [(route, variables) for route in ROUTES if (variables := route.match(path)) is not None]
    return {route.method: (route, variables) for route, variables in reversed(found)}  # the first of two counts
