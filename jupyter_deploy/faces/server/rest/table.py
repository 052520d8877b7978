"""The routes, as data: what is below ``/nbdeploy/``, walked from the tables of operations and views. Pure."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.requests import DeployRequest, Request
from jupyter_deploy.faces.views import VIEWS
from jupyter_deploy.verbs import OPERATIONS

Method = Literal["GET", "POST", "DELETE"]
Kind = Literal["look", "verb", "view", "capture", "asked", "jobs", "job", "cancel", "events", "report", "openapi"]


class AskedKernel(Request):
    """Which kernel was asked to capture for a job; said again when its notebook is renamed before it begins."""

    kernel: int = Field(gt=0, description="Its process id.")
    notebook: str | None = Field(default=None, description="The notebook's present file.")


@dataclass(frozen=True)
class Route:
    """One method of one path.

    Attributes
    ----------
    path
        Below ``/nbdeploy/``; ``{…}`` is one segment of any text.
    name
        The verb's or the view's.
    request
        What the query or the body must be; None: neither is looked at.
    """

    method: Method
    path: str
    kind: Kind
    summary: str
    name: str = ""
    request: type[Request] | None = None

    @property
    def asked(self) -> type[Request]:
        """``request``, where there is one."""
        if self.request is None:
            raise TypeError(f"{self.method} {self.path} takes no request")
        return self.request

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)))

    def within(self, path: str) -> dict[str, str] | None:
        """What stands in the path's variable segments; None: it is another path."""
        found = self._pattern.fullmatch(path)
        return found.groupdict() if found else None


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
        Route(method, f"views/{view.name}", "view", f"What widgets show: {view.name}.", view.name, view.request)
        for view in VIEWS.values()
        for method in methods
    ]


ROUTES: tuple[Route, ...] = (
    *_verbs(),
    Route("POST", "captures", "capture", "A deploy whose model a kernel is to capture.", "deploy", DeployRequest),
    Route("POST", "captures/{id}", "asked", "The kernel that was asked to capture; it may be busy.", "", AskedKernel),
    Route("GET", "jobs", "jobs", "The latest 50 jobs, newest first."),
    Route("GET", "jobs/{id}", "job", "One job, with its events."),
    Route("DELETE", "jobs/{id}", "cancel", "Cancel a job."),
    Route("GET", "events", "events", "What happens to jobs and endpoints, as it happens."),
    *_views(),
    Route("GET", "reports/{name}/{version}", "report", "The page of the validation of a release."),
    Route("GET", "reports", "report", "The page of the validation that refused a job: ?job=<id>."),
    Route("GET", "openapi.json", "openapi", "This description."),
)


def at(path: str) -> dict[str, tuple[Route, dict[str, str]]]:
    """The routes of a path by their methods, each with what stands in the path's variable segments."""
    found = [(route, variables) for route in ROUTES if (variables := route.within(path)) is not None]
    return {route.method: (route, variables) for route, variables in reversed(found)}  # of two the first counts
